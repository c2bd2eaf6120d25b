// How packed weights lie in memory: sixteen rows (output channels) side by side, so that a register holds the
// same place of sixteen channels and each channel's sum is made in one lane, in the order of the columns.
//
// A group of sixteen rows of quantised weights, K columns:
//   low    K/32 strips of low_bits * 64 bytes
//   high   K/32 strips of high_bits * 64 bytes
//   scales one for each span of 16 or 32 columns, and channel
//   mins   likewise, where the type has them
//   sums   of values of eight bits taken as signed: i16, one for each span and channel
//   super  f16 that scales (and mins) of K-quants are multiplied with, one for each 256 columns and channel
// A strip is 32 columns: eight steps of four columns for each of the sixteen channels, 64 values, of which
// the planes hold some bits of several: see unpack.h.
// A group of float weights: K times sixteen values.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ggml.h"

namespace whisper_hip {

constexpr int kGroup = 16; // rows that lie side by side
constexpr int kStrip = 32; // columns of a strip, and of a block of activations

struct PackedType {
  ggml_type type;
  int low_bits; // of a value; 0 for float weights
  int high_bits;
  int zero;           // what stands for 0; of types without minima
  int span;           // columns that share a scale
  bool has_mins;      // value * scale + min instead of (value - zero) * scale
  bool is_super;      // scales and minima are bytes, multiplied with an f16 of their 256 columns
  bool signed_scales; // whether these bytes are signed

  bool is_float() const { return low_bits == 0; }
};

inline constexpr PackedType kPackedTypes[] = {
    // type, low and high bits, zero, span, minima, super, signed
    {GGML_TYPE_Q8_0, 8, 0, 128, 32, false, false, false}, {GGML_TYPE_Q4_0, 4, 0, 8, 32, false, false, false},
    {GGML_TYPE_Q4_1, 4, 0, 0, 32, true, false, false},    {GGML_TYPE_Q5_0, 4, 1, 16, 32, false, false, false},
    {GGML_TYPE_Q5_1, 4, 1, 0, 32, true, false, false},    {GGML_TYPE_Q2_K, 2, 0, 0, 16, true, true, false},
    {GGML_TYPE_Q3_K, 2, 1, 4, 16, false, true, true},     {GGML_TYPE_Q4_K, 4, 0, 0, 32, true, true, false},
    {GGML_TYPE_Q5_K, 4, 1, 0, 32, true, true, false},     {GGML_TYPE_Q6_K, 4, 2, 32, 16, false, true, true},
    {GGML_TYPE_F16, 0, 0, 0, 0, false, false, false},     {GGML_TYPE_BF16, 0, 0, 0, 0, false, false, false},
    {GGML_TYPE_F32, 0, 0, 0, 0, false, false, false},
};

// Null for a type that is not packed.
inline const PackedType* packed_type(ggml_type type) {
  for (const PackedType& known : kPackedTypes) {
    if (known.type == type)
      return &known;
  }
  return nullptr;
}

// Where the parts of a group begin, in bytes.
struct GroupLayout {
  size_t high, scales, mins, sums, super, super_mins;
  size_t size; // a multiple of 64
};
GroupLayout group_layout(const PackedType& type, int64_t columns);

// Bytes of a packed matrix.
size_t packed_size(const PackedType& type, int64_t columns, int64_t rows);

// Packs `rows` rows of ggml's blocks. Missing rows of the last group are zero.
void pack(const PackedType& type, const void* from, int64_t columns, int64_t rows, uint8_t* to);

} // namespace whisper_hip
