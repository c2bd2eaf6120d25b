// Attention of queries that all attend to all keys, as in the encoder. Its products are of words, of which a
// processor multiplies twice as many at a time as of floats. Included by kernels_*.cpp.
//
// Each query and each key has a scale of its own, values have one for each channel of a tile of keys. Sums
// are exact: the largest words are such that none overflows.
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "cpu/attend.h"

namespace whisper_hip {
namespace {

// Largest magnitudes: of queries and keys, of the weights that softmax gives, of values.
constexpr float kMostOfRow = 4095, kMostWeight = 32767, kMostValue = 1023;
static_assert(kMostOfRow * kMostOfRow * kMostWordSize < 2147483648.0f, "scores overflow");
static_assert(kMostWeight * kMostValue * kValueTile < 2147483648.0f, "sums of values overflow");

// The parts of a head that pack_head() has written. A pair is two words, the first in the lower half.
struct PackedHead {
  int32_t* keys;       // pairs of columns: [padded_keys / 16, size / 2, 16 keys]
  int32_t* values;     // pairs of keys: [padded_keys / 2, size]
  float* key_scales;   // [padded_keys]
  float* value_scales; // [tiles, size]

  explicit PackedHead(const Attention& head) {
    const int64_t padded = padded_keys(head.keys), pairs = padded * head.size / 2;
    keys = reinterpret_cast<int32_t*>(head.packed);
    values = keys + pairs;
    key_scales = reinterpret_cast<float*>(values + pairs);
    value_scales = key_scales + padded;
  }
};

inline void pack_keys(const Attention& head, const PackedHead& to) {
  float group[kMostWordSize * kGroup];
  for (int first = 0; first < padded_keys(head.keys); first += kGroup) {
    turn_keys(head, first, group);
    Ints most = broadcast(0);
    for (int i = 0; i < head.size; ++i)
      most = larger_magnitude(most, load(group + i * kGroup));
    const Scales scales = scales_for(of_bits(most), kMostOfRow);
    store(to.key_scales + first, scales.scale);
    int32_t* pairs = to.keys + static_cast<int64_t>(first) * head.size / 2;
    const auto word = [&](int i) { return round_to_ints(load(group + i * kGroup) * scales.inverse); };
    for (int i = 0; i < head.size; i += 2)
      store(pairs + i / 2 * kGroup, pairs_of(word(i), word(i + 1)));
  }
}

inline void pack_values(const Attention& head, const PackedHead& to) {
  const int padded = padded_keys(head.keys);
  for (int first = 0; first < padded; first += kValueTile) {
    for (int channel = 0; channel < head.size; channel += 16) {
      const auto value = [&](int key) {
        if (key >= head.keys)
          return zero();
        return load_f16(reinterpret_cast<const uint16_t*>(head.value + key * head.value_stride) + channel);
      };
      const int end = std::min(first + kValueTile, padded);
      Ints most = broadcast(0);
      for (int key = first; key < end; ++key)
        most = larger_magnitude(most, value(key));
      const Scales scales = scales_for(of_bits(most), kMostValue);
      store(to.value_scales + first / kValueTile * head.size + channel, scales.scale);
      const auto word = [&](int key) { return round_to_ints(value(key) * scales.inverse); };
      for (int key = first; key < end; key += 2)
        store(to.values + static_cast<int64_t>(key) / 2 * head.size + channel,
              pairs_of(word(key), word(key + 1)));
    }
  }
}

inline void pack_head(const Attention& head) {
  const PackedHead packed(head);
  pack_keys(head, packed);
  pack_values(head, packed);
}

// The words of a query, and the scale of its scores as exponents of 2.
inline float pack_query(const Attention& head, const float* query, int16_t* to) {
  Ints most = broadcast(0);
  for (int i = 0; i < head.size; i += 16)
    most = larger_magnitude(most, load(query + i));
  const Scales scales = scales_for(of_bits(broadcast(largest(most))), kMostOfRow);
  for (int i = 0; i < head.size; i += 16)
    store_words(to + i, round_to_ints(load(query + i) * scales.inverse));
  constexpr float kLog2E = 1.44269504f;
  float scale[16];
  store(scale, scales.scale);
  return scale[0] * head.scale * kLog2E;
}

// Pairs of some rows, `row_step` apart, times those of one or two groups of lanes: finish(row, group, sum).
template <int ROWS, int GROUPS, typename Finish>
inline void word_tile(const int32_t* rows, int64_t row_step, const int32_t* groups, int64_t group_step,
                      int64_t pair_step, int64_t pairs, const Finish& finish) {
  Ints sums[ROWS][GROUPS];
  for (int row = 0; row < ROWS; ++row)
    for (int group = 0; group < GROUPS; ++group)
      sums[row][group] = broadcast(0);
  for (int64_t pair = 0; pair < pairs; ++pair) {
    Ints of_groups[GROUPS];
    for (int group = 0; group < GROUPS; ++group)
      of_groups[group] = load_ints(groups + pair * pair_step + group * group_step);
#pragma GCC unroll 16
    for (int row = 0; row < ROWS; ++row)
#pragma GCC unroll 4
      for (int group = 0; group < GROUPS; ++group)
        sums[row][group] = dot_words(sums[row][group], of_groups[group], rows[row * row_step + pair]);
  }
  // What comes after would take the registers of the loop.
  int32_t results[ROWS][GROUPS][kGroup];
#pragma GCC unroll 16
  for (int row = 0; row < ROWS; ++row)
#pragma GCC unroll 4
    for (int group = 0; group < GROUPS; ++group)
      store(results[row][group], sums[row][group]);
  for (int row = 0; row < ROWS; ++row)
    for (int group = 0; group < GROUPS; ++group)
      finish(row, group, load_ints(results[row][group]));
}

template <int GROUPS, int ROWS = kFloatRows, typename Finish>
inline void word_rows(int count, const int32_t* rows, int64_t row_step, const int32_t* groups,
                      int64_t group_step, int64_t pair_step, int64_t pairs, const Finish& finish,
                      int first = 0) {
  for (; count - first >= ROWS; first += ROWS)
    word_tile<ROWS, GROUPS>(rows + first * row_step, row_step, groups, group_step, pair_step, pairs,
                            [&](int row, int group, Ints sum) { finish(first + row, group, sum); });
  if constexpr (ROWS > 1) {
    if (first < count)
      word_rows<GROUPS, (ROWS > 6 ? 6 : ROWS - 1)>(count, rows, row_step, groups, group_step, pair_step,
                                                   pairs, finish, first);
  }
}

// Exponents of 2 to weights as words, at the beginning of their own memory: the largest becomes kMostWeight.
// Returns the sum of the weights.
inline float soften_to_words(int keys, int padded, float* scores) {
  constexpr float kLog2OfMost = 14.9999559f;
  const Lanes subtract = broadcast(largest_score(keys, padded, scores) - kLog2OfMost);
  auto* words = reinterpret_cast<int16_t*>(scores);
  Lanes sum = zero();
  for (int key = 0; key < padded; key += 16) {
    const Lanes weight = power_of_2_for_words(load(scores + key) - subtract);
    store_words(words + key, round_to_ints(weight));
    sum = sum + weight;
  }
  return sum_of(sum);
}

inline void attend_words(const Attention& head, int first_query, int end_query, uint8_t* scratch) {
  const PackedHead packed(head);
  const int padded = padded_keys(head.keys), pairs = head.size / 2;
  auto* scores = reinterpret_cast<float*>(scratch);
  float* result = scores + static_cast<int64_t>(kQueryBlock) * padded;
  auto* words = reinterpret_cast<int16_t*>(result + static_cast<int64_t>(kQueryBlock) * head.size);
  const auto* weights = reinterpret_cast<const int32_t*>(scores);
  for (int first = first_query; first < end_query; first += kQueryBlock) {
    const int queries = std::min(end_query - first, kQueryBlock);
    float query_scales[kQueryBlock], factors[kQueryBlock];
    for (int i = 0; i < queries; ++i)
      query_scales[i] =
          pack_query(head, reinterpret_cast<const float*>(head.query + (first + i) * head.query_stride),
                     words + static_cast<int64_t>(i) * head.size);
    for (int key = 0; key < padded; key += kFloatGroups * kGroup)
      word_rows<kFloatGroups>(
          queries, reinterpret_cast<const int32_t*>(words), pairs,
          packed.keys + static_cast<int64_t>(key) * pairs, static_cast<int64_t>(kGroup) * pairs, kGroup,
          pairs, [&](int row, int group, Ints sum) {
            const int at = key + group * kGroup;
            const Lanes scale = load(packed.key_scales + at) * broadcast(query_scales[row]);
            store(scores + static_cast<int64_t>(row) * padded + at, to_floats(sum) * scale);
          });
    for (int i = 0; i < queries; ++i)
      factors[i] = 1.0f / soften_to_words(head.keys, padded, scores + static_cast<int64_t>(i) * padded);
    std::fill_n(result, static_cast<int64_t>(queries) * head.size, 0.0f);
    for (int key = 0; key < padded; key += kValueTile) {
      const float* scales = packed.value_scales + key / kValueTile * head.size;
      const int32_t* values = packed.values + static_cast<int64_t>(key) * pairs;
      const auto sum_channels = [&](auto groups, int channel) {
        word_rows<groups()>(queries, weights + key / 2, padded, values + channel, kGroup, head.size,
                            std::min(kValueTile, padded - key) / 2, [&](int row, int group, Ints sum) {
                              const int at = channel + group * kGroup;
                              float* to = result + static_cast<int64_t>(row) * head.size + at;
                              store(to, fma(to_floats(sum), load(scales + at), load(to)));
                            });
      };
      int channel = 0;
      for (; channel + kFloatGroups * kGroup <= head.size; channel += kFloatGroups * kGroup)
        sum_channels(std::integral_constant<int, kFloatGroups>{}, channel);
      for (; channel < head.size; channel += kGroup)
        sum_channels(std::integral_constant<int, 1>{}, channel);
    }
    store_scaled(head, first, queries, result, factors);
  }
}

} // namespace
} // namespace whisper_hip
