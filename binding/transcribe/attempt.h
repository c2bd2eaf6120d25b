// One decoding of one window, as text with times on the clock of the recording.
#pragma once

#include <string>
#include <vector>

#include "engine/search/search.h"
#include "model/whisper_unit.h"
#include "transcribe/request.h"

namespace whisper_hip {

struct Attempt {
  float temperature;
  std::vector<Token> tokens; // with timestamps
  bool repeats;              // ended in a loop
  double average_log_probability;
  float no_speech_probability;
  double compression_ratio;
  int seek_delta;                      // frames of 10 ms to the next window
  std::vector<SegmentResult> segments; // none of them is empty
};

// What a search has found in a window.
struct Found {
  Sequence sequence;
  bool repeats;
  float no_speech_probability;
};

// The window begins at frame `seek` and has `frames` of audio.
Attempt make_attempt(const whisper_context& context, const SpecialTokens& special,
                     const TranscribeRequest& request, const std::string& language, int seek, int frames,
                     float temperature, Found found);

// Tokens of all segments.
std::vector<Token> text_tokens(const std::vector<SegmentResult>& segments);

} // namespace whisper_hip
