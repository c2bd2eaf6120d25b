// What the decoder is given before the text.
#pragma once

#include <string>
#include <vector>

#include "engine/engine.h"
#include "model/whisper_unit.h"

namespace whisper_hip {

// The start of a transcript: start, language and task where the model knows several, and the token for no
// timestamps. `language`: ISO code.
std::vector<Token> start_tokens(const whisper_context& context, const std::string& language, bool translate,
                                bool timestamps);

// The start after what is said to come before it: `always`, and the end of `history`, as far as half of the
// context has room (OpenAI's decoding.py).
Prompt make_prompt(const whisper_context& context, const std::vector<Token>& always,
                   const std::vector<Token>& history, const std::vector<Token>& start);

// Tokens that a text may have after a prompt of this length: half of the context, and no more than is left.
int room_for_text(const whisper_context& context, size_t prompt);

} // namespace whisper_hip
