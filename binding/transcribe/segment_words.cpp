#include "transcribe/segment_words.h"

#include <algorithm>

namespace whisper_hip {

namespace {

// Seconds by which the attention may contradict the timestamps, which models round.
constexpr double kTimestampError = 1.0;
constexpr double kEdgeError = 0.5; // the same for one word (OpenAI's timing.py)

} // namespace

void write_words(const whisper_context& context, const std::vector<double>& times, double window_start,
                 double earliest, std::vector<SegmentResult>& segments) {
  auto first = times.begin();
  for (SegmentResult& segment : segments) {
    std::vector<WindowToken> tokens;
    for (const TokenResult& token : segment.tokens)
      tokens.push_back({token.id, token.probability});
    const auto last = first + static_cast<ptrdiff_t>(tokens.size());
    segment.words = words_of(context, tokens, {first, last + 1}, segment.language);
    // Where attention and timestamps disagree by much, the attention has mostly reached back over a pause.
    const double least = std::max(segment.start - kTimestampError, earliest);
    const double most = std::max(segment.end + kTimestampError, least);
    for (WordResult& word : segment.words) {
      word.start = std::clamp(window_start + word.start, least, most);
      word.end = std::clamp(window_start + word.end, least, most);
    }
    // A word at the edge that is much longer than the segment has swallowed a pause.
    WordResult& front = segment.words.front();
    WordResult& back = segment.words.back();
    if (front.start + kEdgeError < segment.start && segment.start < front.end)
      front.start = segment.start;
    if (back.end - kEdgeError > segment.end && segment.end > back.start)
      back.end = segment.end;
    // Else the words are found more precisely than the segment, which may begin long before the first of
    // them.
    segment.start = front.start;
    segment.end = back.end;
    earliest = segment.end;
    first = last;
  }
}

} // namespace whisper_hip
