// Which parts of the audio are decoded when only speech is wanted.
#pragma once

#include <utility>
#include <vector>

#include "vad/speech_segmenter.h"

namespace whisper_hip {

// The speech inside of the clips, in frames of 10 ms. Neighbours become one part while both and the pause
// between them fit into one window: each part costs the encoder a window, and the model bridges a short
// pause. A part is a contiguous piece of the audio, so the times inside need nothing but its start.
std::vector<std::pair<int, int>> speech_in_clips(const std::vector<SpeechSpan>& speech,
                                                 const std::vector<std::pair<int, int>>& clips);

} // namespace whisper_hip
