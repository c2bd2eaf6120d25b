#include "transcribe/invented_text.h"

#include <algorithm>

namespace whisper_hip {

namespace {

constexpr size_t kJudgedWords = 8; // at the beginning of a segment
constexpr double kAnomaly = 3.0;
constexpr double kNearEdge = 2.0; // of the window, seconds

// How much a word is unlike one that was spoken.
double oddness(const WordResult& word) {
  const double length = word.end - word.start;
  double score = 0;
  if (word.probability < 0.15f)
    score += 1.0;
  if (length < 0.133)
    score += (0.133 - length) * 15;
  if (length > 2.0)
    score += length - 2.0;
  return score;
}

bool is_odd(const SegmentResult& segment) {
  const size_t count = std::min(segment.words.size(), kJudgedWords);
  double score = 0;
  for (size_t i = 0; i < count; ++i)
    score += oddness(segment.words[i]);
  return count > 0 && (score >= kAnomaly || score + 0.01 >= static_cast<double>(count));
}

} // namespace

std::optional<InventedText> find_invented(const std::vector<SegmentResult>& segments,
                                          const HeardWindow& window, double threshold) {
  if (segments.empty())
    return std::nullopt;
  const double before = segments.front().start - window.start;
  if (is_odd(segments.front()) && before > threshold)
    return InventedText{0, window.start + before};
  double last_end = window.spoken_until;
  for (size_t i = 0; i < segments.size(); ++i) {
    const SegmentResult& segment = segments[i];
    const bool is_last = i + 1 == segments.size();
    if (is_odd(segment)) {
      const double next_start = is_last ? window.end : segments[i + 1].words.front().start;
      const bool silence_before = segment.start - last_end > threshold || segment.start < threshold ||
                                  segment.start - window.start < kNearEdge;
      const bool silence_after = next_start - segment.end > threshold ||
                                 (!is_last && is_odd(segments[i + 1])) ||
                                 window.end - segment.end < kNearEdge;
      if (silence_before && silence_after) {
        const bool at_end = window.duration - segment.end < threshold;
        return InventedText{i, at_end ? window.duration : std::max(window.start + 1, segment.start)};
      }
    }
    last_end = segment.end;
  }
  return std::nullopt;
}

} // namespace whisper_hip
