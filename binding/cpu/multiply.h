// Products of whole matrices, by tiles. Included by kernels_*.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

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

// Where a block of one row goes in panels of `columns` columns.
struct BlockPlace {
  Quad* quads;
  float* scale;
  int32_t* starts;

  BlockPlace() = default;
  BlockPlace(const QuantizedRows& rows, const PackedType& type, int64_t columns, int64_t row, int64_t block) {
    const int64_t panel = row / kIntRows, place = row % kIntRows;
    const auto at = [&](int64_t count, int64_t index) { return (panel * count + index) * kIntRows + place; };
    quads = rows.quads + at(columns / 4, block * 8);
    scale = rows.scales + at(columns / kStrip, block);
    starts = static_cast<int32_t*>(rows.starts) + at(columns / type.span, block * (kStrip / type.span));
  }
};

// Up to sixteen blocks of 32, which begin at from + i * step, to bytes: the largest magnitude becomes
// kMostActivation. A block with a value that is not finite gets a scale that is no number, and with it all
// results.
inline void quantize_blocks(const PackedType& type, const float* from, int64_t step, int count,
                            const BlockPlace* to) {
  // Weights that are taken as signed have no zero point.
  const int zero_point = takes_as_signed(type) ? 0 : type.zero;
  Ints most[16];
  for (int i = 0; i < 16; ++i)
    most[i] = i < count
                  ? larger_magnitude(bits_of(magnitude(load(from + i * step))), load(from + i * step + 16))
                  : broadcast(0);
  const Lanes top = of_bits(reduce_each(most, [](Ints a, Ints b) { return max(a, b); }));
  const Scales scales = scales_for(top, kMostActivation);
  float inverses[16], scale_of[16];
  store(inverses, scales.inverse);
  store(scale_of, scales.scale);

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
    const Ints low = usable ? round_to_ints(load(from + i * step) * inverse) : broadcast(0);
    const Ints high = usable ? round_to_ints(load(from + i * step + 16) * inverse) : broadcast(0);
    Quad eight[8];
    store_quads(eight, low);
    store_quads(eight + 4, high);
    for (int j = 0; j < 8; ++j)
      to[i].quads[j * kIntRows] = eight[j];
    low_sums[i] = spans == 1 ? low + high : low;
    high_sums[i] = high;
    *to[i].scale = scale_of[i];
  }
  const auto add = [](Ints a, Ints b) { return a + b; };
  for (int half = 0; half < spans; ++half) {
    const Lanes sums = to_floats(reduce_each(half == 0 ? low_sums : high_sums, add));
    float values[16];
    store(values, type.has_mins ? sums * load(scale_of) : sums * broadcast(static_cast<float>(-zero_point)));
    for (int i = 0; i < count; ++i) {
      // Integers are below 2^24, so exact.
      const auto start = static_cast<int32_t>(type.has_mins ? 0.0f : values[i]);
      std::memcpy(to[i].starts + half * kIntRows,
                  type.has_mins ? static_cast<const void*>(&values[i]) : static_cast<const void*>(&start), 4);
    }
  }
}

inline void quantize_row(const PackedType& type, const float* from, int64_t columns, int64_t row,
                         const QuantizedRows& to) {
  for (int64_t first = 0; first < columns / kStrip; first += 16) {
    const auto count = static_cast<int>(std::min<int64_t>(columns / kStrip - first, 16));
    BlockPlace places[16];
    for (int i = 0; i < count; ++i)
      places[i] = BlockPlace(to, type, columns, row, first + i);
    quantize_blocks(type, from + first * kStrip, kStrip, count, places);
  }
}

// Results of two groups, [rows, 32], as block `block` of the activations of the next product.
inline void quantize_results(const Product& product, const float* results, int64_t first_row, int64_t end_row,
                             int64_t block) {
  for (int64_t row = first_row; row < end_row; row += 16) {
    const auto count = static_cast<int>(std::min<int64_t>(end_row - row, 16));
    BlockPlace places[16];
    for (int i = 0; i < count; ++i)
      places[i] = BlockPlace(product.next, *product.next_type, product.channels, row + i, block);
    quantize_blocks(*product.next_type, results + (row - first_row) * kStrip, kStrip, count, places);
  }
}

template <int GROUPS>
inline void multiply_quantized(const Product& product, int64_t first_row, int64_t end_row,
                               const IntGroup* groups, const Output& output, int64_t channels,
                               NextWeights next) {
  const int64_t count = end_row - first_row;
  const PackedType& type = *product.type;
  if constexpr (kSignedWeights) {
    if (takes_as_signed(type))
      return int_rows<GROUPS, 32, false, true>(count, product.rows, first_row / kIntRows, groups,
                                               product.columns, output, channels, next);
  }
  if (type.span == 32 && !type.has_mins)
    int_rows<GROUPS, 32, false>(count, product.rows, first_row / kIntRows, groups, product.columns, output,
                                channels, next);
  else if (type.span == 32)
    int_rows<GROUPS, 32, true>(count, product.rows, first_row / kIntRows, groups, product.columns, output,
                               channels, next);
  else if (!type.has_mins)
    int_rows<GROUPS, 16, false>(count, product.rows, first_row / kIntRows, groups, product.columns, output,
                                channels, next);
  else
    int_rows<GROUPS, 16, true>(count, product.rows, first_row / kIntRows, groups, product.columns, output,
                               channels, next);
}

template <int GROUPS, typename Weight>
inline void multiply_floats(const Product& product, int64_t first_row, int64_t end_row, const void* weights,
                            size_t group_bytes, const Output& output, int64_t channels) {
  using Stored = typename Weight::Stored;
  float_rows<GROUPS, false, Weight>(
      end_row - first_row, product.input + first_row * product.columns, product.columns,
      {static_cast<const Stored*>(weights), static_cast<int64_t>(group_bytes / sizeof(Stored)), kGroup},
      product.columns, output, channels);
}

// Weights that are not packed: [columns, 16] for each group.
template <int GROUPS>
inline void turn_weights(const Product& product, int64_t group, int64_t channels, float* to) {
  for (int i = 0; i < GROUPS; ++i, to += product.columns * kGroup) {
    const uint8_t* rows = product.weights + (group + i) * kGroup * product.row_bytes;
    const int64_t count = channels - i * kGroup;
    if (product.type->type == GGML_TYPE_F16)
      turn_rows<Half>(rows, product.row_bytes, count, product.columns, to);
    else
      turn_rows<Single>(rows, product.row_bytes, count, product.columns, to);
  }
}

template <int GROUPS>
inline void multiply_groups(const Product& product, const GroupLayout& layout, int64_t first_row,
                            int64_t end_row, int64_t group, const Output& output, uint8_t* scratch) {
  const int64_t channels = std::min<int64_t>(GROUPS * kGroup, product.channels - group * kGroup);
  const uint8_t* weights = product.weights + group * layout.size;
  const auto floats = [&](auto weight, const void* from, size_t group_bytes) {
    multiply_floats<GROUPS, decltype(weight)>(product, first_row, end_row, from, group_bytes, output,
                                              channels);
  };
  auto* widened = reinterpret_cast<float*>(scratch);
  const size_t widened_bytes = product.columns * kGroup * sizeof(float);
  if (product.row_bytes > 0) {
    turn_weights<GROUPS>(product, group, channels, widened);
    return floats(Single{}, widened, widened_bytes);
  }
  if (product.type->type == GGML_TYPE_F32)
    return floats(Single{}, weights, layout.size);
  if (product.type->is_float()) {
    // Widened once for many rows, and as they are read for few.
    if (end_row - first_row > kFloatRows) {
      for (int i = 0; i < GROUPS; ++i)
        unpack_floats(*product.type, weights + i * layout.size, product.columns,
                      widened + i * product.columns * kGroup);
      return floats(Single{}, widened, widened_bytes);
    }
    return product.type->type == GGML_TYPE_F16 ? floats(Half{}, weights, layout.size)
                                               : floats(Brain{}, weights, layout.size);
  }
  IntGroup groups[GROUPS];
  for (int i = 0; i < GROUPS; ++i)
    groups[i] = unpack_group(*product.type, layout, weights + i * layout.size, product.columns,
                             scratch + i * product.columns * kGroup * 3);
  const NextWeights next = {weights + GROUPS * layout.size,
                            GROUPS * layout.size / static_cast<size_t>(product.columns / product.type->span)};
  multiply_quantized<GROUPS>(product, first_row, end_row, groups, output, channels, next);
}

inline void multiply(const Product& product, int64_t first_row, int64_t end_row, int64_t first_group,
                     int64_t end_group, uint8_t* scratch) {
  static_assert(kIntGroups == kFloatGroups, "one walk over the groups serves both");
  const GroupLayout layout = group_layout(*product.type, product.columns);
  const auto take = [&](int64_t group, int64_t count, const Output& output) {
    int64_t done = 0;
    for (; done + kIntGroups <= count; done += kIntGroups)
      multiply_groups<kIntGroups>(product, layout, first_row, end_row, group + done,
                                  output.at(0, done * kGroup), scratch);
    for (; done < count; ++done)
      multiply_groups<1>(product, layout, first_row, end_row, group + done, output.at(0, done * kGroup),
                         scratch);
  };
  if (product.next_type == nullptr) {
    const Output whole = {product.output, product.channels, product.bias, product.residual, product.gelu};
    return take(first_group, end_group - first_group, whole.at(first_row, first_group * kGroup));
  }
  auto* results = reinterpret_cast<float*>(scratch);
  scratch += static_cast<size_t>(kMostRows) * 2 * kGroup * sizeof(float);
  for (int64_t group = first_group; group < end_group; group += 2) {
    const float* bias = product.bias != nullptr ? product.bias + group * kGroup : nullptr;
    take(group, 2, {results, 2 * kGroup, bias, nullptr, product.gelu});
    quantize_results(product, results, first_row, end_row, group / 2);
  }
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
