// The arithmetic of the voice activity network: matrix times vectors and the gates of an LSTM, in the widest
// instructions that this processor has. The addon is compiled for the oldest processor of its architecture,
// so these are compiled several times and chosen at run time.
#pragma once

#include <cstddef>
#include <vector>

namespace whisper_hip {

// One vector of a product: out[m] = bias[m] + sum over k of weights[m][k] * in[k].
struct Column {
  const float* in;
  const float* bias;
  float* out;
};

// Outputs that lie side by side for each input; the number of outputs of a matrix is a multiple of it.
constexpr size_t kTileOutputs = 64;

// A matrix in the order in which it is read: [outputs / kTileOutputs, inputs, kTileOutputs].
struct Matrix {
  size_t inputs = 0;
  size_t outputs = 0;
  std::vector<float> weights;
};

struct Arithmetic {
  // The sum of an output is taken in the same order whatever the number of columns is: equal input, equal
  // bits.
  void (*linear)(const Matrix& matrix, const Column* columns, size_t count);
  // gates: [4, size] sums of the input, forget, cell and output gate. Updates the cell and writes the hidden
  // state. `size` is a multiple of 16.
  void (*lstm)(const float* gates, size_t size, float* cell, float* hidden);
};

// The best one for this processor.
const Arithmetic& arithmetic();

} // namespace whisper_hip
