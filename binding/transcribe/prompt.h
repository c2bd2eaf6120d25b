// What the decoder is given before the text.
#pragma once

#include <string>
#include <vector>

#include "model/whisper_unit.h"

namespace whisper_hip {

// The start of a transcript without timestamps: start, language and task where the model knows several, no
// timestamps. `language`: ISO code.
std::vector<whisper_token> start_tokens(whisper_context& context, const std::string& language,
                                        bool translate);

} // namespace whisper_hip
