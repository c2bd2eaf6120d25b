#include "transcribe/speech_clips.h"

#include <algorithm>
#include <cstddef>

#include "transcribe/mel.h"

namespace whisper_hip {

namespace {

constexpr int kLongestPause = 300; // after a longer one models tend to stop writing

} // namespace

std::vector<std::pair<int, int>> speech_in_clips(const std::vector<SpeechSpan>& speech,
                                                 const std::vector<std::pair<int, int>>& clips) {
  std::vector<std::pair<int, int>> parts;
  for (const auto& clip : clips) {
    const size_t before = parts.size();
    for (const SpeechSpan& span : speech) {
      const int first = std::max(clip.first, static_cast<int>(span.start / LogMel::kHop));
      const int end = std::min(clip.second, static_cast<int>((span.end + LogMel::kHop - 1) / LogMel::kHop));
      if (first >= end)
        continue;
      const bool near = parts.size() > before && first - parts.back().second <= kLongestPause &&
                        end - parts.back().first <= kWindowFrames;
      if (near)
        parts.back().second = end;
      else
        parts.emplace_back(first, end);
    }
  }
  return parts;
}

} // namespace whisper_hip
