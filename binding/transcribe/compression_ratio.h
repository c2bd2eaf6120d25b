// How well a text compresses: bytes of the UTF-8 text / bytes of its zlib stream (default level). Text that
// repeats itself compresses too well; OpenAI's whisper/utils.py takes more than 2.4 for a sign of a loop.
#pragma once

#include <string>

namespace whisper_hip {

// 0 for an empty text.
double compression_ratio(const std::string& text);

} // namespace whisper_hip
