// Products of whole matrices, by tiles. Included by kernels_*.cpp.
#pragma once

#include <algorithm>
#include <cmath>

#include "cpu/tiles.h"

namespace whisper_hip {
namespace {

// Blocks of 32 to signed bytes: the largest magnitude becomes 127. A block with a value that is not finite
// gets a scale that is no number, and with it all results.
inline void quantize_row(const PackedType& type, const float* from, int64_t columns, void* quads,
                         float* scales, void* starts) {
  auto* quad_of = static_cast<Quad*>(quads);
  const int spans = kStrip / type.span;
  for (int64_t strip = 0; strip < columns / kStrip; ++strip, from += kStrip) {
    const Lanes a = load(from), b = load(from + 16);
    const float most = largest(max(magnitude(a), magnitude(b)));
    const bool finite = all_finite(a) && all_finite(b);
    const bool usable = finite && most > 1e-35f;
    const Lanes inverse = broadcast(usable ? 127.0f / most : 0.0f);
    const Ints low = round_to_ints(usable ? a * inverse : zero());
    const Ints high = round_to_ints(usable ? b * inverse : zero());
    store_quads(quad_of, low);
    store_quads(quad_of + 4, high);
    quad_of += 8;
    scales[strip] = !finite ? NAN : usable ? most / 127.0f : 0.0f;
    int32_t sums[2] = {sum_of(low), sum_of(high)};
    if (spans == 1)
      sums[0] += sums[1];
    for (int span = 0; span < spans; ++span) {
      if (type.has_mins)
        static_cast<float*>(starts)[strip * spans + span] = scales[strip] * static_cast<float>(sums[span]);
      else
        static_cast<int32_t*>(starts)[strip * spans + span] = -type.zero * sums[span];
    }
  }
}

template <int GROUPS>
inline void multiply_quantized(const Product& product, int64_t first_row, int64_t end_row,
                               const IntGroup* groups, const Output& output, int64_t channels) {
  const int64_t count = end_row - first_row;
  const PackedType& type = *product.type;
  if (type.span == 32 && !type.has_mins)
    int_rows<GROUPS, 32, false>(count, product.rows, first_row, groups, product.columns, output,
                           channels);
  else if (type.span == 32)
    int_rows<GROUPS, 32, true>(count, product.rows, first_row, groups, product.columns, output,
                           channels);
  else if (!type.has_mins)
    int_rows<GROUPS, 16, false>(count, product.rows, first_row, groups, product.columns, output,
                           channels);
  else
    int_rows<GROUPS, 16, true>(count, product.rows, first_row, groups, product.columns, output,
                           channels);
}

template <int GROUPS, typename Weight>
inline void multiply_floats(const Product& product, const GroupLayout& layout, int64_t first_row,
                            int64_t end_row, const uint8_t* weights, const Output& output, int64_t channels) {
  using Stored = typename Weight::Stored;
  float_rows<GROUPS, false, Weight>(end_row - first_row, product.input + first_row * product.columns,
                                    product.columns,
                                    {reinterpret_cast<const Stored*>(weights),
                                     static_cast<int64_t>(layout.size / sizeof(Stored)), kGroup},
                                    product.columns, output, channels);
}

template <int GROUPS>
inline void multiply_widened(const Product& product, const GroupLayout& layout, int64_t first_row,
                             int64_t end_row, const uint8_t* weights, const Output& output, int64_t channels,
                             float* scratch) {
  const int64_t size = product.columns * kGroup;
  for (int group = 0; group < GROUPS; ++group)
    unpack_floats(*product.type, weights + group * layout.size, product.columns, scratch + group * size);
  float_rows<GROUPS, false, Single>(end_row - first_row, product.input + first_row * product.columns,
                                    product.columns, {scratch, size, kGroup}, product.columns, output, channels);
}

// Weights that are not packed.
template <int GROUPS>
inline void multiply_turned(const Product& product, int64_t first_row, int64_t end_row, int64_t group,
                            const Output& output, int64_t channels, float* scratch) {
  const int64_t size = product.columns * kGroup;
  for (int i = 0; i < GROUPS; ++i) {
    const uint8_t* rows = product.weights + (group + i) * kGroup * product.row_bytes;
    const int64_t count = channels - i * kGroup;
    if (product.type->type == GGML_TYPE_F16)
      turn_rows<Half>(rows, product.row_bytes, count, product.columns, scratch + i * size);
    else
      turn_rows<Single>(rows, product.row_bytes, count, product.columns, scratch + i * size);
  }
  float_rows<GROUPS, false, Single>(end_row - first_row, product.input + first_row * product.columns,
                                    product.columns, {scratch, size, kGroup}, product.columns, output, channels);
}

template <int GROUPS>
inline void multiply_groups(const Product& product, const GroupLayout& layout, int64_t first_row,
                            int64_t end_row, int64_t group, uint8_t* scratch) {
  const int64_t channels = std::min<int64_t>(GROUPS * kGroup, product.channels - group * kGroup);
  const Output whole = {product.output, product.channels, product.bias, product.residual, product.gelu};
  const Output output = whole.at(first_row, group * kGroup);
  if (product.row_bytes > 0) {
    multiply_turned<GROUPS>(product, first_row, end_row, group, output, channels,
                            reinterpret_cast<float*>(scratch));
    return;
  }
  const uint8_t* weights = product.weights + group * layout.size;
  if (product.type->is_float()) {
    // Weights are widened once for many rows, and as they are read for few.
    const bool widen = end_row - first_row > kFloatRows;
    if (product.type->type == GGML_TYPE_F32)
      multiply_floats<GROUPS, Single>(product, layout, first_row, end_row, weights, output, channels);
    else if (widen)
      multiply_widened<GROUPS>(product, layout, first_row, end_row, weights, output, channels,
                               reinterpret_cast<float*>(scratch));
    else if (product.type->type == GGML_TYPE_F16)
      multiply_floats<GROUPS, Half>(product, layout, first_row, end_row, weights, output, channels);
    else
      multiply_floats<GROUPS, Brain>(product, layout, first_row, end_row, weights, output, channels);
    return;
  }
  IntGroup groups[GROUPS];
  for (int i = 0; i < GROUPS; ++i)
    groups[i] = unpack_group(*product.type, layout, weights + i * layout.size, product.columns,
                             scratch + i * product.columns * kGroup * 3);
  multiply_quantized<GROUPS>(product, first_row, end_row, groups, output, channels);
}

inline void multiply(const Product& product, int64_t first_row, int64_t end_row, int64_t first_group,
                     int64_t end_group, uint8_t* scratch) {
  const GroupLayout layout = group_layout(*product.type, product.columns);
  constexpr int kGroups = kIntGroups;
  static_assert(kIntGroups == kFloatGroups, "one walk over the groups serves both");
  int64_t group = first_group;
  for (; group + kGroups <= end_group; group += kGroups)
    multiply_groups<kGroups>(product, layout, first_row, end_row, group, scratch);
  for (; group < end_group; ++group)
    multiply_groups<1>(product, layout, first_row, end_row, group, scratch);
}

inline void unpack_row(const PackedType& type, const uint8_t* weights, int64_t columns, int64_t row,
                       float* to, uint8_t* scratch) {
  const GroupLayout layout = group_layout(type, columns);
  const uint8_t* group = weights + row / kGroup * layout.size;
  const int64_t channel = row % kGroup;
  if (type.is_float()) {
    auto* values = reinterpret_cast<float*>(scratch);
    unpack_floats(type, group, columns, values);
    for (int64_t column = 0; column < columns; ++column)
      to[column] = values[column * kGroup + channel];
    return;
  }
  const IntGroup unpacked = unpack_group(type, layout, group, columns, scratch);
  for (int64_t column = 0; column < columns; ++column) {
    const int64_t span = column / type.span * kGroup + channel;
    const int value = unpacked.values[column / 4 * 64 + channel * 4 + column % 4] - type.zero;
    const float scaled = static_cast<float>(value) * unpacked.scales[span];
    to[column] = type.has_mins ? scaled + unpacked.mins[span] : scaled;
  }
}

} // namespace
} // namespace whisper_hip
