#include "engine/search/segments.h"

#include <algorithm>

namespace whisper_hip {

namespace {

constexpr int kTimestampFrames = 2;

// A segment without time of its own, as of timestamps beyond the audio, is part of the one before it. OpenAI
// keeps such times and loses the text where start and end are the same.
void add(std::vector<TextSegment>& segments, TextSegment segment, int frames) {
  if (!segments.empty())
    segment.start = std::max(segment.start, segments.back().end);
  segment.end = std::min(segment.end, frames);
  if (segment.start < segment.end) {
    segments.push_back(segment);
  } else if (!segments.empty()) {
    segments.back().last = segment.last;
  } else {
    segment.start = std::min(segment.start, frames - 1);
    segment.end = std::min(segment.start + kTimestampFrames, frames);
    segments.push_back(segment);
  }
}

} // namespace

WindowText split_text(const std::vector<Token>& text, const SpecialTokens& tokens, int frames) {
  const size_t size = text.size();
  WindowText window = {{}, frames};
  if (size == 0)
    return window;
  const auto is_timestamp = [&](size_t i) { return text[i] >= tokens.first_timestamp; };
  // A text that does not begin with a timestamp begins with the window.
  const auto frame = [&](size_t i) {
    return is_timestamp(i) ? (text[i] - tokens.first_timestamp) * kTimestampFrames : 0;
  };
  size_t first = 0;
  for (size_t i = 1; i <= size; ++i) {
    const bool between = i < size && is_timestamp(i - 1) && is_timestamp(i);
    // One timestamp at the end says that no speech comes after it.
    const bool ends = i == size && first > 0 && is_timestamp(i - 1) && !is_timestamp(i - 2);
    if (!between && !ends)
      continue;
    add(window.segments, {frame(first), frame(i - 1), first, i}, frames);
    window.seek = ends ? frames : frame(i - 1);
    first = i;
  }
  if (first == 0) {
    const auto last = std::find_if(text.rbegin(), text.rend(),
                                   [&](Token token) { return token >= tokens.first_timestamp; });
    const bool says_end = last != text.rend() && *last > tokens.first_timestamp;
    const int end = says_end ? (*last - tokens.first_timestamp) * kTimestampFrames : frames;
    add(window.segments, {0, end, 0, size}, frames);
  }
  window.seek = window.seek > 0 ? std::min(window.seek, frames) : frames;
  return window;
}

} // namespace whisper_hip
