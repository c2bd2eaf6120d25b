// Where the kernels look for the operands of nodes that were joined with others: see backend/join_nodes.h.
#pragma once

namespace whisper_hip {

// Of a product: places among its sources, and among the parameters of the operation.
constexpr int kBias = 2, kResidual = 3, kGelu = 8;
// Of a norm.
constexpr int kNormWeight = 1, kNormBias = 2;

// Of both, among the parameters: the type of the weights of the products that alone read the results, plus 1,
// where they are written as activations of these products. And of these products: that they read such.
constexpr int kWritesQuantized = 9, kReadsQuantized = 10;

// Keys of an attention that are read many times are stored turned: f16 [padded_keys / 16, size, 16] of each
// head. Their values are stored head by head: f16 [padded_keys, size]. Among the parameters of the copy that
// writes the keys, of the attention that reads both, and of what brings the keys of one head back into rows
// (which has the number of the head in the next place): the number of heads, 0 = rows of all heads side by
// side. And the same among those of the copy that writes the values.
constexpr int kTurnedHeads = 11, kTurnedHead = 12, kValueHeads = 13;

// Name of the buffers with packed weights.
constexpr const char* kPackedName = "CPU_PACKED";

} // namespace whisper_hip
