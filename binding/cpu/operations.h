// ggml's operations, computed by the kernels with all threads of a graph.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/kernels.h"
#include "ggml.h"

namespace whisper_hip {

struct Team;

// Whether the weights lie in packed_weights.cpp's buffers.
bool is_packed(const ggml_tensor& weights);

// Products, rows of packed weights, attention, GELU, norms, the input and the biases of convolutions: whether
// the kernels have what this node needs.
bool can_compute(const ggml_tensor& node);

// Bytes that compute() uses of the graph's working memory.
size_t working_memory(const Kernels& kernels, const ggml_tensor& node, int threads);

// To be called by each thread of the team.
void compute(const Kernels& kernels, ggml_tensor& node, const Team& team, uint8_t* memory);

} // namespace whisper_hip
