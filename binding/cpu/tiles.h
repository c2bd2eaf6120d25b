// Products of a few rows of activations and one or two groups of weights, in registers. Included by
// kernels_*.cpp after their lanes.
#pragma once

#include "cpu/kernels.h"
#include "cpu/unpack.h"
#include "cpu/vector_math.h"

namespace whisper_hip {
namespace {

// Where a tile of results begins, and what is done to them before they are stored: see Product.
struct Output {
  float* first;
  int64_t stride; // between rows
  const float* bias = nullptr;
  const float* residual = nullptr; // with the same stride
  bool gelu = false;

  // The same for rows or channels further on.
  Output at(int64_t row, int64_t channel) const {
    Output moved = *this;
    moved.first += row * stride + channel;
    if (bias != nullptr)
      moved.bias += channel;
    if (residual != nullptr)
      moved.residual += row * stride + channel;
    return moved;
  }
};

inline Lanes load_channels(const float* from, int64_t count) {
  if (count >= kGroup)
    return load(from);
  float lanes[kGroup] = {};
  for (int64_t i = 0; i < count; ++i)
    lanes[i] = from[i];
  return load(lanes);
}

// Of one row and group: `offset` from the first result, `channel` from the first channel.
inline void store_result(const Output& output, int64_t offset, int64_t channel, Lanes x, int64_t count) {
  if (output.bias != nullptr)
    x = x + load_channels(output.bias + channel, count);
  if (output.gelu)
    x = gelu_of(x);
  if (output.residual != nullptr)
    x = x + load_channels(output.residual + offset, count);
  if (count >= kGroup)
    return store(output.first + offset, x);
  float lanes[kGroup];
  store(lanes, x);
  for (int64_t i = 0; i < count; ++i)
    output.first[offset + i] = lanes[i];
}

template <int ROWS, int GROUPS>
inline void store_results(const Output& output, const Lanes (&results)[ROWS][GROUPS], int64_t channels) {
  const bool as_they_are = output.bias == nullptr && output.residual == nullptr && !output.gelu;
  if (as_they_are && channels >= GROUPS * kGroup) {
#pragma GCC unroll 16
    for (int row = 0; row < ROWS; ++row)
      for (int group = 0; group < GROUPS; ++group)
        store(output.first + row * output.stride + group * kGroup, results[row][group]);
    return;
  }
  for (int row = 0; row < ROWS; ++row)
    for (int group = 0; group < GROUPS; ++group)
      store_result(output, row * output.stride + group * kGroup, group * kGroup, results[row][group],
                   channels - group * kGroup);
}

// How the weights of a float tile are stored.
struct Single {
  static constexpr bool kFromMemory = false; // else they come from the caches
  using Stored = float;
  static Lanes read(const float* from) { return load(from); }
};
struct Half {
  static constexpr bool kFromMemory = true;
  using Stored = uint16_t;
  static Lanes read(const uint16_t* from) { return load_f16(from); }
};
struct Brain {
  static constexpr bool kFromMemory = true;
  using Stored = uint16_t;
  static Lanes read(const uint16_t* from) { return load_bf16(from); }
};

// Up to sixteen rows that lie one after the other, turned into [columns, 16]; those that do not exist are
// zero. `columns` is a multiple of 16.
template <typename Weight>
inline void turn_rows(const uint8_t* rows, size_t stride, int64_t count, int64_t columns, float* to) {
  for (int64_t at = 0; at < columns; at += 16) {
    Lanes block[16];
    for (int i = 0; i < 16; ++i)
      __builtin_prefetch(rows + (16 + i) * stride + at * sizeof(typename Weight::Stored));
    for (int i = 0; i < 16; ++i)
      block[i] = i < count
                     ? Weight::read(reinterpret_cast<const typename Weight::Stored*>(rows + i * stride) + at)
                     : zero();
    transpose(block);
    for (int i = 0; i < 16; ++i)
      store(to + (at + i) * kGroup, block[i]);
  }
}

// Where they lie: of group g and column k at first + g * group_step + k * column_step.
template <typename Weight> struct FloatWeights {
  const typename Weight::Stored* first;
  int64_t group_step;
  int64_t column_step;
};

constexpr int kAhead = 1024; // values that are fetched ahead, of each group

// output[row, channel] (+)= sum over k of input[row, k] * weights[k, channel], for ROWS rows and GROUPS
// groups, of which `channels` channels are stored.
template <int ROWS, int GROUPS, bool ADD, typename Weight>
inline void float_tile(const float* input, int64_t input_stride, FloatWeights<Weight> weights,
                       int64_t columns, const Output& output, int64_t channels) {
  Lanes sums[ROWS][GROUPS];
  for (int row = 0; row < ROWS; ++row)
    for (int group = 0; group < GROUPS; ++group)
      sums[row][group] = ADD ? load(output.first + row * output.stride + group * kGroup) : zero();
  const typename Weight::Stored* weight = weights.first;
  for (int64_t k = 0; k < columns; ++k, weight += weights.column_step) {
    if constexpr (Weight::kFromMemory) {
#pragma GCC unroll 4
      for (int group = 0; group < GROUPS; ++group)
        __builtin_prefetch(weight + group * weights.group_step + kAhead);
    }
    Lanes of_groups[GROUPS];
    for (int group = 0; group < GROUPS; ++group)
      of_groups[group] = Weight::read(weight + group * weights.group_step);
#pragma GCC unroll 16
    for (int row = 0; row < ROWS; ++row) {
      const Lanes activation = broadcast(input[row * input_stride + k]);
#pragma GCC unroll 4
      for (int group = 0; group < GROUPS; ++group)
        sums[row][group] = fma(activation, of_groups[group], sums[row][group]);
    }
  }
  store_results<ROWS, GROUPS>(output, sums, channels);
}

template <int GROUPS, bool ADD, typename Weight, int ROWS = kFloatRows>
inline void float_rows(int64_t rows, const float* input, int64_t input_stride, FloatWeights<Weight> weights,
                       int64_t columns, Output output, int64_t channels) {
  while (rows >= ROWS) {
    float_tile<ROWS, GROUPS, ADD, Weight>(input, input_stride, weights, columns, output, channels);
    input += ROWS * input_stride;
    output = output.at(ROWS, 0);
    rows -= ROWS;
  }
  if constexpr (ROWS > 1) {
    if (rows > 0)
      float_rows<GROUPS, ADD, Weight, (ROWS > 6 ? 6 : ROWS - 1)>(rows, input, input_stride, weights, columns,
                                                                 output, channels);
  }
}

// Packed weights that come after those of a tile, to be fetched while it is computed.
struct NextWeights {
  const uint8_t* first; // or null
  size_t bytes;         // for each span
};

// The rows of one panel and one or two groups. SIGNED: see takes_as_signed().
template <int ROWS, int GROUPS, int SPAN, bool MINS, bool SIGNED>
inline void int_tile(const QuantizedRows& rows, int64_t panel, const IntGroup* groups, int64_t columns,
                     const Output& output, int64_t channels, NextWeights next) {
  const int64_t spans = columns / SPAN;
  constexpr int kSpans = kStrip / SPAN; // of a strip
  const Quad* quads = rows.quads + panel * kIntRows * (columns / 4);
  const float* scales = rows.scales + panel * kIntRows * (columns / kStrip);
  const auto* starts = static_cast<const int32_t*>(rows.starts) + panel * kIntRows * spans;
  const auto* sums = static_cast<const float*>(rows.starts) + panel * kIntRows * spans;
  Lanes totals[ROWS][GROUPS];
  for (int row = 0; row < ROWS; ++row)
    for (int group = 0; group < GROUPS; ++group)
      totals[row][group] = zero();
  for (int64_t span = 0; span < spans; ++span) {
    for (size_t at = 0; at < next.bytes; at += 64)
      __builtin_prefetch(next.first + span * next.bytes + at, 0, 2); // into the second cache
    Ints dots[ROWS][GROUPS];
    for (int row = 0; row < ROWS; ++row) {
      const Ints start = broadcast(MINS || SIGNED ? 0 : starts[span * kIntRows + row]);
      for (int group = 0; group < GROUPS; ++group) {
        dots[row][group] = start;
        if constexpr (kActivationOffset != 0)
          dots[row][group] = start + load_ints(groups[group].starts + span * kGroup);
      }
    }
    const Quad* activations = quads + span * (SPAN / 4) * kIntRows;
#pragma GCC unroll 8
    for (int step = 0; step < SPAN / 4; ++step) {
      Bytes weights[GROUPS];
      for (int group = 0; group < GROUPS; ++group)
        weights[group] = weights_at<SIGNED>(groups[group], span * (SPAN / 4) + step);
#pragma GCC unroll 16
      for (int row = 0; row < ROWS; ++row)
#pragma GCC unroll 4
        for (int group = 0; group < GROUPS; ++group)
          dots[row][group] = dot(dots[row][group], weights[group], activations + step * kIntRows + row);
    }
#pragma GCC unroll 4
    for (int group = 0; group < GROUPS; ++group) {
      const Lanes scale = load(groups[group].scales + span * kGroup);
#pragma GCC unroll 16
      for (int row = 0; row < ROWS; ++row) {
        Lanes& total = totals[row][group];
        total = fma(to_floats(dots[row][group]) * scale, broadcast(scales[span / kSpans * kIntRows + row]),
                    total);
        if constexpr (MINS)
          total =
              fma(load(groups[group].mins + span * kGroup), broadcast(sums[span * kIntRows + row]), total);
      }
    }
  }
  store_results<ROWS, GROUPS>(output, totals, channels);
}

template <int GROUPS, int SPAN, bool MINS, bool SIGNED = false, int ROWS = kIntRows>
inline void int_rows(int64_t count, const QuantizedRows& rows, int64_t panel, const IntGroup* groups,
                     int64_t columns, Output output, int64_t channels, NextWeights next) {
  for (; count >= ROWS; count -= ROWS, ++panel) {
    int_tile<ROWS, GROUPS, SPAN, MINS, SIGNED>(rows, panel, groups, columns, output, channels, next);
    next = {}; // once
    output = output.at(ROWS, 0);
  }
  if constexpr (ROWS > 1) {
    if (count > 0) // of the last panel
      int_rows<GROUPS, SPAN, MINS, SIGNED, ROWS - 1>(count, rows, panel, groups, columns, output, channels,
                                                     next);
  }
}

} // namespace
} // namespace whisper_hip
