// One decoding of one window, as text with times on the clock of the recording.
#pragma once

#include <string>
#include <vector>

#include "model/whisper_unit.h"
#include "transcribe/request.h"

namespace whisper_hip {

struct Attempt {
  WindowResult window;
  float temperature;
  double compression_ratio;
  std::vector<SegmentResult> segments; // none of them is empty
};

// `seek`: start of the window in frames of 10 ms.
Attempt make_attempt(const whisper_context& context, const TranscribeRequest& request,
                     const std::string& language, int seek, float temperature, WindowResult window);

// Tokens of all segments.
std::vector<whisper_token> text_tokens(const std::vector<SegmentResult>& segments);

} // namespace whisper_hip
