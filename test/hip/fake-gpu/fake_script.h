// The script of the fake GPU (WHISPER_HIP_FAKE). README.md has its entries.
#pragma once

#include <string>

#include "shared/script.h"

struct ggml_tensor;

namespace fake_gpu {

doubles::Script& script();

// A stage is reached; GGML_ABORT where the script says so. Returns true when it has to fail by its own means.
bool reach(const std::string& stage, const std::string& detail = "");
// The same for an operation of a graph.
bool reach_operation(const ggml_tensor* node);

// `MUL_MAT`, or `MUL_MAT/q8_0` with the type of the first source, or `*`.
bool matches(const std::string& pattern, const ggml_tensor* node);

} // namespace fake_gpu
