// When each token of a text was spoken: dynamic time warping over the cross-attention of the heads that
// follow the audio, as OpenAI's whisper/timing.py does it.
#pragma once

#include <vector>

#include "engine/engine.h"

namespace whisper_hip {

// The audio is that of `window`, of which the first `frames` (10 ms each) are not padding. `start`: the
// tokens between the start of the transcript and the text, with the one for "no timestamps". Returns the
// start of each token in seconds, and the end of the last: text.size() + 1 times, ascending. Empty where
// there is no audio.
std::vector<double> token_times(Engine& engine, Client& client, const Window& window,
                                const std::vector<AttentionHead>& heads, const std::vector<Token>& start,
                                const std::vector<Token>& text, int frames);

// For tests: the path of least cost through `cost` [rows, columns] by steps down, right and both; the first
// column of each row on it.
std::vector<int> first_columns(const std::vector<float>& cost, int rows, int columns);

} // namespace whisper_hip
