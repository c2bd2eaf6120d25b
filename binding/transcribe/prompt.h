// What the decoder is given before the text.
#pragma once

#include <string>
#include <vector>

#include "model/whisper_unit.h"

namespace whisper_hip {

// Tokens of a text that hints at spelling and style: of its end, where it is longer than a prompt can be.
std::vector<whisper_token> prompt_tokens(whisper_context& context, const std::string& prompt);

// The start of a transcript without timestamps: start, language and task where the model knows several, no
// timestamps. `language`: ISO code.
std::vector<whisper_token> start_tokens(whisper_context& context, const std::string& language,
                                        bool translate);

} // namespace whisper_hip
