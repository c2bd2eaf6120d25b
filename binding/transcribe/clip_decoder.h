// A stretch of a recording, window after window.
#pragma once

#include <functional>

#include "support/warnings.h"
#include "transcribe/window_decoder.h"

namespace whisper_hip {

// Without any sound nothing is decoded: models write words into silence. The next frame at or after `seek`
// from which the window up to `end` has some.
int skip_silence(const LogMel& mel, int seek, int end);

// whisper.cpp and OpenAI decode nothing shorter than 100 ms.
constexpr int kMinimumFrames = 10;

class ClipDecoder {
 public:
  struct Events {
    std::function<void(std::vector<SegmentResult>)> segments;
    std::function<void(int)> progress; // frames that are done, since the last call
    std::function<void(Warning)> warning;
  };

  ClipDecoder(const JobFacts& job, TextBefore before, Events events)
      : job_(job), before_(std::move(before)), events_(std::move(events)) {}

  // [first, end) in frames of 10 ms. `encoded`: the first window with sound, where it is encoded already.
  void decode(int first, int end, Window encoded = nullptr);

 private:
  void decode_lost(const FrameSpan& lost, std::vector<SegmentResult>& segments);
  void leave_out_invented(DecodedWindow& decoded, int seek, int end) const;
  void remember(const DecodedWindow& window);
  bool request_has_words(const DecodedWindow& window) const;

  const JobFacts& job_;
  TextBefore before_;
  Events events_;
};

} // namespace whisper_hip
