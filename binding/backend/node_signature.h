// What a backend chooses a kernel by, in words: the operation, the types and layouts of what it reads and
// writes, and the class of its size. The trial of a GPU computes one node of each signature that a graph may
// have, and its stages have these names.
#pragma once

#include <string>

#include "ggml.h"

namespace whisper_hip {

// False for what only renames memory: NONE, VIEW, RESHAPE, PERMUTE and TRANSPOSE.
bool does_work(ggml_op op);

// For example "mul_mat q4_K of 2 to 8 columns", "cont transposed f16", "soft_max with a mask of f16". Types
// and layouts that all nodes of an operation have in Whisper are left out, and said where a node has others.
// An operation that is not known here has all of them in its name.
std::string node_signature(const ggml_tensor* node);

} // namespace whisper_hip
