// Texts that go round in circles.
#pragma once

#include "engine/search/search.h"

namespace whisper_hip {

// Whether a text ends in the same tokens again and again: one token twelve times, more of them six times and
// two dozen tokens in all. People do say "no, no, no, no"; the live version, which has the next second to
// repair what it cuts, is less patient. Only the text counts, as each repetition has its own timestamps.
bool ends_in_loop(const std::vector<Token>& text, const SpecialTokens& tokens);

} // namespace whisper_hip
