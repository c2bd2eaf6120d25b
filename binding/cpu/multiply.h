// Products of whole matrices, by tiles. Included by kernels_*.cpp.
#pragma once

#include <algorithm>
#include <cmath>

#include "cpu/tiles.h"

namespace whisper_hip {
namespace {

// The sum or maximum of the lanes of each of sixteen vectors.
template <typename Join> inline Ints reduce_each(Ints* vectors, Join join) {
  Lanes turned[16];
  for (int i = 0; i < 16; ++i)
    turned[i] = of_bits(vectors[i]);
  transpose(turned);
  Ints all = bits_of(turned[0]);
  for (int i = 1; i < 16; ++i)
    all = join(all, bits_of(turned[i]));
  return all;
}

// Up to sixteen blocks of 32 to bytes: the largest magnitude becomes kMostActivation. A block with a value that is
// not finite gets a scale that is no number, and with it all results.
inline void quantize_blocks(const PackedType& type, const float* from, int count, Quad* quads, float* scales,
                            void* starts) {
  constexpr float kMost = kMostActivation;
  // Weights that are taken as signed have no zero point.
  const int zero_point = kSignedWeights && type.low_bits == 8 ? 0 : type.zero;
  // As bits, infinities and what is not a number are larger than all magnitudes.
  Ints most[16];
  for (int i = 0; i < 16; ++i)
    most[i] = i < count ? max(bits_of(magnitude(load(from + i * kStrip))),
                              bits_of(magnitude(load(from + i * kStrip + 16))))
                        : broadcast(0);
  const Lanes top = of_bits(reduce_each(most, [](Ints a, Ints b) { return max(a, b); }));
  const Lanes limit = broadcast(INFINITY), least = broadcast(1e-35f);
  // Comparisons with NaN are false.
  const Lanes finite = where_less(top, limit, top, broadcast(NAN));
  float inverses[16], scale_of[16];
  store(inverses, where_less(least, finite, broadcast(kMost) / top, zero()));
  store(scale_of, where_less(finite, least, zero(), finite / broadcast(kMost)));

  const int spans = kStrip / type.span;
  Ints low_sums[16], high_sums[16];
  for (int i = 0; i < 16; ++i) {
    if (i >= count) {
      low_sums[i] = high_sums[i] = broadcast(0);
      continue;
    }
    const Lanes inverse = broadcast(inverses[i]);
    // 0 times what is not finite is not a number, which would not become 0.
    const bool usable = inverses[i] != 0;
    const Ints low = usable ? round_to_ints(load(from + i * kStrip) * inverse) : broadcast(0);
    const Ints high = usable ? round_to_ints(load(from + i * kStrip + 16) * inverse) : broadcast(0);
    Quad eight[8];
    store_quads(eight, low);
    store_quads(eight + 4, high);
    for (int j = 0; j < 8; ++j)
      quads[(i * 8 + j) * kIntRows] = eight[j];
    low_sums[i] = spans == 1 ? low + high : low;
    high_sums[i] = high;
    scales[i * kIntRows] = scale_of[i];
  }
  const auto add = [](Ints a, Ints b) { return a + b; };
  for (int half = 0; half < spans; ++half) {
    const Lanes sums = to_floats(reduce_each(half == 0 ? low_sums : high_sums, add));
    float values[16];
    store(values, type.has_mins ? sums * load(scale_of) : sums * broadcast(static_cast<float>(-zero_point)));
    for (int i = 0; i < count; ++i) {
      const int64_t place = static_cast<int64_t>(i * spans + half) * kIntRows;
      if (type.has_mins)
        static_cast<float*>(starts)[place] = values[i];
      else
        static_cast<int32_t*>(starts)[place] = static_cast<int32_t>(values[i]); // below 2^24, so exact
    }
  }
}

inline void quantize_row(const PackedType& type, const float* from, int64_t columns, int64_t row,
                         const QuantizedRows& to) {
  const int64_t panel = row / kIntRows, place = row % kIntRows;
  auto* quads = static_cast<Quad*>(to.quads) + panel * kIntRows * (columns / 4) + place;
  float* scales = to.scales + panel * kIntRows * (columns / kStrip) + place;
  auto* starts = static_cast<int32_t*>(to.starts) + panel * kIntRows * (columns / type.span) + place;
  const int64_t blocks = columns / kStrip;
  for (int64_t block = 0; block < blocks; block += 16) {
    const int count = static_cast<int>(blocks - block < 16 ? blocks - block : 16);
    quantize_blocks(type, from + block * kStrip, count, quads + block * 8 * kIntRows,
                    scales + block * kIntRows, starts + block * (kStrip / type.span) * kIntRows);
  }
}

template <int GROUPS>
inline void multiply_quantized(const Product& product, int64_t first_row, int64_t end_row,
                               const IntGroup* groups, const Output& output, int64_t channels) {
  const int64_t count = end_row - first_row;
  const PackedType& type = *product.type;
  if (type.span == 32 && !type.has_mins)
    int_rows<GROUPS, 32, false>(count, product.rows, first_row / kIntRows, groups, product.columns, output,
                           channels);
  else if (type.span == 32)
    int_rows<GROUPS, 32, true>(count, product.rows, first_row / kIntRows, groups, product.columns, output,
                           channels);
  else if (!type.has_mins)
    int_rows<GROUPS, 16, false>(count, product.rows, first_row / kIntRows, groups, product.columns, output,
                           channels);
  else
    int_rows<GROUPS, 16, true>(count, product.rows, first_row / kIntRows, groups, product.columns, output,
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
