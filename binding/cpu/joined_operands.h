// Where the kernels look for the operands of nodes that were joined with others: see backend/join_nodes.h.
#pragma once

namespace whisper_hip {

// Of a product: places among its sources, and among the parameters of the operation.
constexpr int kBias = 2, kResidual = 3, kGelu = 8;
// Of a norm.
constexpr int kNormWeight = 1, kNormBias = 2;

// Name of the buffers with packed weights.
constexpr const char* kPackedName = "CPU_PACKED";

} // namespace whisper_hip
