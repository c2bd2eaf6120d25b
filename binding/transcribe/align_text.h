// When each token of a text was spoken in a window.
#pragma once

#include <vector>

#include "engine/engine.h"

namespace whisper_hip {

// The first `frames` of the window (10 ms each) are not padding. `start`: the tokens between the start of the
// transcript and the text, with the one for "no timestamps". Returns what token_times() does, or nothing
// where there is no audio.
std::vector<double> align_text(Engine& engine, Client& client, const Window& window,
                               const std::vector<AttentionHead>& heads, const std::vector<Token>& start,
                               const std::vector<Token>& text, int frames);

} // namespace whisper_hip
