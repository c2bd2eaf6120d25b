// The body of linear.cpp for one set of instructions. It has no include guard: it is included once for each,
// with
//   KERNEL_TARGET   the attribute that allows the instructions, or nothing
//   KERNEL_LANES    floats in a vector
//   KERNEL_VECTORS  vectors of a tile that four columns share; 4 * KERNEL_VECTORS sums stay in registers
// inside a namespace of its own. Nothing here may call an inline function of a header: the linker could keep
// the copy with these instructions for all.

typedef float Vector __attribute__((vector_size(KERNEL_LANES * 4), aligned(4), may_alias));
typedef int Integers __attribute__((vector_size(KERNEL_LANES * 4), aligned(4), may_alias));

template <int columns, int vectors>
KERNEL_TARGET void add_tile(const float* weights, size_t inputs, const Column* column, size_t offset) {
  Vector sums[columns][vectors];
#pragma GCC unroll 8
  for (int c = 0; c < columns; ++c) {
#pragma GCC unroll 16
    for (int v = 0; v < vectors; ++v)
      sums[c][v] = *reinterpret_cast<const Vector*>(column[c].bias + offset + v * KERNEL_LANES);
  }
  const float* in[columns];
#pragma GCC unroll 8
  for (int c = 0; c < columns; ++c)
    in[c] = column[c].in;
  for (size_t k = 0; k < inputs; ++k) {
    const float* row = weights + k * kTileOutputs;
#pragma GCC unroll 8
    for (int c = 0; c < columns; ++c) {
      const float factor = in[c][k];
#pragma GCC unroll 16
      for (int v = 0; v < vectors; ++v)
        sums[c][v] += *reinterpret_cast<const Vector*>(row + v * KERNEL_LANES) * factor;
    }
  }
#pragma GCC unroll 8
  for (int c = 0; c < columns; ++c) {
#pragma GCC unroll 16
    for (int v = 0; v < vectors; ++v)
      *reinterpret_cast<Vector*>(column[c].out + offset + v * KERNEL_LANES) = sums[c][v];
  }
}

KERNEL_TARGET void linear(const Matrix& matrix, const float* weights, const Column* columns, size_t count) {
  constexpr int alone = KERNEL_LANES < 8 ? 8 : static_cast<int>(kTileOutputs) / KERNEL_LANES;
  for (size_t tile = 0; tile < matrix.outputs;
       tile += kTileOutputs, weights += matrix.inputs * kTileOutputs) {
    size_t c = 0;
    for (; c + 4 <= count; c += 4) {
      for (size_t i = 0; i < kTileOutputs; i += KERNEL_VECTORS * KERNEL_LANES)
        add_tile<4, KERNEL_VECTORS>(weights + i, matrix.inputs, columns + c, tile + i);
    }
    for (; c < count; ++c) {
      for (size_t i = 0; i < kTileOutputs; i += alone * KERNEL_LANES)
        add_tile<1, alone>(weights + i, matrix.inputs, columns + c, tile + i);
    }
  }
}

// Replaces x by 1 / (1 + e^-x), beyond |x| = 40 as at 40. e^x is 2^n times a polynomial of the rest, which is
// at most ln(2) / 2 (Cephes, expf): the relative error is below 2e-7. By reference: how vectors are passed
// depends on the target.
KERNEL_TARGET inline void sigmoid(Vector& x) {
  x = x > 40.0f ? Vector{} + 40.0f : x;
  x = x < -40.0f ? Vector{} - 40.0f : x;
  const Vector shifted = x * -1.44269504f + 12582912.0f; // rounds: the low bits hold n
  const Vector whole = shifted - 12582912.0f;
  const Vector rest = -x - whole * 0.693359375f - whole * -2.12194440e-4f;
  Vector sum = rest * 1.9875691500e-4f + 1.3981999507e-3f;
  sum = sum * rest + 8.3334519073e-3f;
  sum = sum * rest + 4.1665795894e-2f;
  sum = sum * rest + 1.6666665459e-1f;
  sum = sum * rest + 5.0000001201e-1f;
  sum = sum * rest * rest + rest + 1.0f;
  const Integers power = (reinterpret_cast<const Integers&>(shifted) << 23) + (127 << 23);
  x = 1.0f / (1.0f + sum * reinterpret_cast<const Vector&>(power));
}

KERNEL_TARGET void lstm(const float* gates, size_t size, float* cell, float* hidden) {
  for (size_t i = 0; i < size; i += KERNEL_LANES) {
    const float* gate = gates + i;
    Vector input = *reinterpret_cast<const Vector*>(gate);
    Vector forget = *reinterpret_cast<const Vector*>(gate + size);
    Vector candidate = *reinterpret_cast<const Vector*>(gate + 2 * size) * 2.0f;
    Vector output = *reinterpret_cast<const Vector*>(gate + 3 * size);
    sigmoid(input);
    sigmoid(forget);
    sigmoid(candidate); // of 2x: tanh(x) is twice that, less one
    sigmoid(output);
    const Vector state =
        forget * *reinterpret_cast<const Vector*>(cell + i) + input * (candidate * 2.0f - 1.0f);
    *reinterpret_cast<Vector*>(cell + i) = state;
    Vector outward = state * 2.0f;
    sigmoid(outward);
    *reinterpret_cast<Vector*>(hidden + i) = output * (outward * 2.0f - 1.0f);
  }
}
