// Text that a model has made up beside silence: improbable words of odd lengths, with no other speech around
// them (the hallucination_silence_threshold of OpenAI's transcribe.py and faster-whisper).
#pragma once

#include <optional>
#include <vector>

#include "transcribe/request.h"

namespace whisper_hip {

// The window that was decoded, in seconds of the recording.
struct HeardWindow {
  double start;
  double end;          // of the audio in it
  double duration;     // of the recording
  double spoken_until; // end of the last word before it
};

struct InventedText {
  size_t first; // of the segments that are left out, with all after it
  double seek;  // where the next window begins
};

// `segments`: of the window, with their words. `threshold`: seconds of silence. Nothing where all may be
// speech.
std::optional<InventedText> find_invented(const std::vector<SegmentResult>& segments,
                                          const HeardWindow& window, double threshold);

} // namespace whisper_hip
