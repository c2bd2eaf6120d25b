// The arithmetic of the CPU, compiled once for each instruction set: see kernels_*.cpp.
//
// Every number of a result is summed in one lane, in the order of the columns, whatever the number of rows
// that are computed together. So a row's numbers depend neither on their number nor on its neighbours; and as
// integers are exact and products are rounded once, they are the same on each instruction set, with one
// exception: without VNNI activations beside quantised weights have seven bits and not eight.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cpu/packed_layout.h"

namespace whisper_hip {

// Activations of a product with quantised weights: blocks of 32, each of bytes and a scale. Some rows,
// as many as a tile has, form a panel, in which the same block of all rows lies together.
struct QuantizedRows {
  int32_t* quads; // four bytes of each row of a panel: [panels, columns / 4, rows]
  float* scales;  // [panels, columns / 32, rows]
  // Of types without minima -zero * (sum of the bytes), as int32_t; of those with minima
  // scale * (sum of the bytes), as float: [panels, columns / span, rows]
  void* starts;
};

// Weights [rows / 16 groups] times activations, for some rows and groups of the result.
struct Product {
  const PackedType* type;
  const uint8_t* weights; // of group 0
  size_t row_bytes;       // 0 = packed, else between rows of f16 or f32 weights as ggml has them
  int64_t columns;        // of the weights and the activations
  int64_t channels;       // rows of the weights
  const float* input;     // [rows, columns], of float weights
  QuantizedRows rows;     // of quantised weights
  float* output;          // [rows, channels]
  // What is done to a result before it is stored, in this order.
  const float* bias;     // [channels] to add, or null
  bool gelu;             // or not
  const float* residual; // [rows, channels] to add, or null; may be the output itself
  // Where results go instead if the only thing that reads them is a product with weights of this type; or
  // null. Then `channels` is a multiple of 32.
  const PackedType* next_type;
  QuantizedRows next;
};

// Attention of one head: softmax(scale * Q K^T + mask) V.
struct Attention {
  int size; // of a head, a multiple of 16
  int keys;
  float scale;                // above 0
  const uint8_t* query;       // f32, `queries` rows
  size_t query_stride;        // bytes between rows
  const uint8_t* key;         // f16, `keys` rows
  size_t key_stride;          // bytes
  const uint16_t* turned_key; // f16 [padded_keys() / 16, size, 16] in place of the rows, or null
  const uint8_t* value;       // f16, `keys` rows
  size_t value_stride;        // bytes
  const uint8_t* mask;        // f16, [queries, keys], or null
  size_t mask_stride;         // bytes
  float* output;              // f32, `queries` rows
  size_t output_stride;       // floats
  uint8_t* packed;            // both as pack_head() writes them, or null
};

struct Kernels {
  const char* name;
  int panel_rows;
  int most_activation; // what the largest magnitude of a block of activations becomes

  // One row of activations.
  void (*quantize_row)(const PackedType& type, const float* from, int64_t columns, int64_t row,
                       const QuantizedRows& to);
  // Rows first_row, a multiple of kRowTile, to end_row of the groups first_group to end_group; `scratch` of
  // product_scratch() bytes.
  void (*multiply)(const Product& product, int64_t first_row, int64_t end_row, int64_t first_group,
                   int64_t end_group, uint8_t* scratch);
  // The values of one row of packed weights.
  void (*unpack_row)(const PackedType& type, const uint8_t* weights, int64_t columns, int64_t row, float* to,
                     uint8_t* scratch);

  // Writes keys and values of a head without a mask, whose size is kMostWordSize at most, as words to
  // `head.packed`: packed_head_size() bytes.
  void (*pack_head)(const Attention& head);
  // Some queries of a head; `scratch` of attention_scratch() bytes.
  void (*attend)(const Attention& head, int first_query, int end_query, uint8_t* scratch);

  void (*gelu)(const float* from, float* to, int64_t count);
  // e^x of each.
  void (*exponentials)(const float* from, float* to, int64_t count);
  // (x - mean) / sqrt(variance + epsilon); `count` is a multiple of 16.
  // Times `weight` plus `bias` of the same length, where they are not null.
  void (*normalize)(const float* from, float* to, int64_t count, float epsilon, const float* weight,
                    const float* bias);
  // from + `term`.
  void (*add_to_each)(const float* from, float term, float* to, int64_t count);
  void (*to_halves)(const float* from, uint16_t* to, int64_t count);
  void (*from_halves)(const uint16_t* from, float* to, int64_t count);

  // The `wanted` tokens (64 at most) with the largest logits, best first, of equal ones the lower; and
  // log(sum(exp(logits))). A logit of -infinity is that of a token that is not allowed. Returns the number
  // of tokens found, or -1 if a logit is no number or infinity.
  int (*select)(const float* logits, int count, int wanted, int32_t* tokens, float* log_sum);
};

// Rows that are best computed together.
constexpr int kRowTile = 12;
// Queries that attend() takes at a time.
constexpr int kQueryBlock = 24;
constexpr int kKeyTile = 32;
// Keys whose values stay in the first cache for all channels.
constexpr int kValueTile = 64;

constexpr int padded_keys(int keys) {
  return (keys + kKeyTile - 1) / kKeyTile * kKeyTile;
}
inline size_t attention_scratch(int keys, int size) {
  return sizeof(float) * (static_cast<size_t>(kQueryBlock) * padded_keys(keys) +
                          static_cast<size_t>(kKeyTile) * size + 2 * static_cast<size_t>(kQueryBlock) * size);
}
// Largest size of a head whose attention is computed with words.
constexpr int kMostWordSize = 128;
inline size_t packed_head_size(int keys, int size) {
  const size_t padded = padded_keys(keys), tiles = (padded + kValueTile - 1) / kValueTile;
  return sizeof(int32_t) * (padded * size + padded + tiles * size);
}
// Most rows of one call of multiply().
constexpr int kMostRows = 32 * kRowTile;
// Two groups of weights, unpacked: bytes or floats, and scales and minima of spans of 16; and results of two
// groups.
inline size_t product_scratch(int64_t columns) {
  return (static_cast<size_t>(columns) + kMostRows) * 2 * kGroup * sizeof(float) + 64;
}

// Bytes of the panels of some rows, and where their parts lie in memory from `base` on.
inline size_t quantized_size(const Kernels& kernels, const PackedType& type, int64_t columns, int64_t rows) {
  const int64_t padded = (rows + kernels.panel_rows - 1) / kernels.panel_rows * kernels.panel_rows;
  return static_cast<size_t>(padded) * (columns + columns / kStrip * 4 + columns / type.span * 4);
}
inline QuantizedRows quantized_at(const Kernels& kernels, int64_t columns, int64_t rows, void* base) {
  const int64_t padded = (rows + kernels.panel_rows - 1) / kernels.panel_rows * kernels.panel_rows;
  auto* quads = static_cast<int32_t*>(base);
  auto* scales = reinterpret_cast<float*>(quads + padded * (columns / 4));
  return {quads, scales, scales + padded * (columns / kStrip)};
}

// Those that this processor can run, the slowest first.
std::vector<const Kernels*> usable_kernels();

// Those that are used; null for none. Chosen once, by whisper_hip_use_kernels().
const Kernels* chosen_kernels();

// A module has those of the processors that it is for.
__attribute__((weak)) const Kernels& avx2_kernels();
__attribute__((weak)) const Kernels& avx_vnni_kernels();
__attribute__((weak)) const Kernels& avx512_kernels();
__attribute__((weak)) const Kernels& avx512_vnni_kernels();

} // namespace whisper_hip
