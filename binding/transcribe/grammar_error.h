#pragma once

#include <string>

namespace whisper_hip {

// What the grammar parser said about the last text that it refused on this thread; empty when it refused
// none.
std::string take_grammar_error();

} // namespace whisper_hip
