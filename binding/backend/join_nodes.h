// Nodes of a graph that our CPU kernels compute together: what follows a product or a norm is done to its
// results before they are stored.
#pragma once

#include "cpu/kernels.h"
#include "ggml.h"

namespace whisper_hip {

// Joins what can be joined; joined nodes become GGML_OP_NONE. For graphs whose memory is allocated, and which
// are computed once by our kernels. Numbers stay the same to the last bit.
void join_nodes(ggml_cgraph* graph, const Kernels& kernels);

} // namespace whisper_hip
