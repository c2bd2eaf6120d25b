// Attention of one head for some queries, with keys and values as they are stored: all scores of a query,
// their softmax, and the weighted values. Included by kernels_*.cpp.
#pragma once

#include <algorithm>
#include <cmath>

#include "cpu/tiles.h"
#include "cpu/vector_math.h"

namespace whisper_hip {
namespace {

// Sixteen keys from `first` on, turned into [size, 16].
inline void turn_keys(const Attention& head, int first, float* to) {
  turn_rows<Half>(head.key + first * head.key_stride, head.key_stride, head.keys - first, head.size, to);
}

constexpr uint16_t kMinusInfinity = 0xfc00; // f16

// Whether all queries ignore all keys of a tile.
inline bool is_masked(const Attention& head, int first_query, int end_query, int first_key, int end_key) {
  if (head.mask == nullptr)
    return false;
  for (int query = first_query; query < end_query; ++query) {
    const auto* mask = reinterpret_cast<const uint16_t*>(head.mask + query * head.mask_stride);
    for (int key = first_key; key < end_key; ++key) {
      if (mask[key] != kMinusInfinity)
        return false;
    }
  }
  return true;
}

// The scores of a query times the scale, plus the mask.
inline void apply_mask(const Attention& head, int query, float* scores) {
  const Lanes scale = broadcast(head.scale);
  const auto* mask = reinterpret_cast<const uint16_t*>(head.mask + query * head.mask_stride);
  int key = 0;
  for (; key + 16 <= head.keys; key += 16)
    store(scores + key, fma(load(scores + key), scale, load_f16(mask + key)));
  if (key < head.keys) {
    uint16_t rest[16] = {};
    std::memcpy(rest, mask + key, static_cast<size_t>(head.keys - key) * 2);
    store(scores + key, fma(load(scores + key), scale, load_f16(rest)));
  }
}

// Also makes the scores of keys that do not exist the least.
inline float largest_score(int keys, int padded, float* scores) {
  std::fill(scores + keys, scores + padded, -INFINITY);
  Lanes most = load(scores);
  for (int key = 16; key < padded; key += 16)
    most = max(most, load(scores + key));
  return largest(most);
}

// Scores to weights, in place; returns 1 / their sum, or 0 if no key is attended to.
inline float soften(const Attention& head, int query, int padded, float* scores) {
  float scale = head.scale;
  if (head.mask != nullptr) {
    apply_mask(head, query, scores);
    scale = 1.0f;
  }
  const float top = largest_score(head.keys, padded, scores);
  if (top == -INFINITY) {
    // Only of keys that are masked or not a number.
    bool any = false;
    for (int key = 0; key < head.keys; ++key)
      any = any || scores[key] != -INFINITY;
    if (!any) {
      std::fill(scores, scores + padded, 0.0f);
      return 0.0f;
    }
  }
  constexpr float kLog2E = 1.44269504f;
  const Lanes subtract = broadcast(top), factor = broadcast(scale * kLog2E);
  Lanes sum = zero();
  for (int key = 0; key < padded; key += 16) {
    const Lanes weight = power_of_2((load(scores + key) - subtract) * factor);
    store(scores + key, weight);
    sum = sum + weight;
  }
  return 1.0f / sum_of(sum);
}

// Adds values, each times the query's weight, to the sums [queries, size].
inline void add_values(const Attention& head, int first_key, int end_key, int queries, const float* weights,
                       int64_t weights_stride, float* sums) {
  constexpr int kRows = kFloatRows * kFloatGroups / kValueGroups;
  const auto* values = reinterpret_cast<const uint16_t*>(head.value + first_key * head.value_stride);
  const auto column_step = static_cast<int64_t>(head.value_stride / 2); // between two keys
  const int keys = end_key - first_key;
  int at = 0;
  for (; at + kValueGroups * kGroup <= head.size; at += kValueGroups * kGroup)
    float_rows<kValueGroups, true, Half, kRows>(queries, weights + first_key, weights_stride,
                                                {values + at, kGroup, column_step}, keys,
                                                {sums + at, head.size}, kValueGroups * kGroup);
  for (; at < head.size; at += kGroup)
    float_rows<1, true, Half>(queries, weights + first_key, weights_stride,
                              {values + at, kGroup, column_step}, keys, {sums + at, head.size}, kGroup);
}

// Adds all values but those of tiles that all queries ignore.
inline void sum_halves(const Attention& head, int first_query, int end_query, const float* weights,
                       int64_t weights_stride, float* output) {
  for (int key = 0; key < head.keys;) {
    int end = key;
    while (end < std::min(key + kValueTile, head.keys) &&
           !is_masked(head, first_query, end_query, end, std::min(end + kKeyTile, head.keys)))
      end = std::min(end + kKeyTile, head.keys);
    if (end > key)
      add_values(head, key, end, end_query - first_query, weights, weights_stride, output);
    // Where nothing was cut off at the size of a tile, the next keys are masked.
    key = end > key && end - key == kValueTile ? end : end + kKeyTile;
  }
}

// Sums of values [queries, size] times a factor for each query, to its place.
inline void store_scaled(const Attention& head, int first, int queries, const float* sums,
                         const float* factors) {
  for (int i = 0; i < queries; ++i) {
    float* output = head.output + (first + i) * head.output_stride;
    for (int at = 0; at < head.size; at += 16)
      store(output + at, load(sums + static_cast<int64_t>(i) * head.size + at) * broadcast(factors[i]));
  }
}

inline void attend_halves(const Attention& head, int first_query, int end_query, uint8_t* scratch) {
  const int padded = padded_keys(head.keys);
  auto* scores = reinterpret_cast<float*>(scratch);
  float* tile = scores + static_cast<int64_t>(kQueryBlock) * padded;
  float* result = tile + static_cast<int64_t>(kKeyTile) * head.size;
  // Side by side: rows that are a power of 2 apart push each other out of the cache.
  float* query = result + static_cast<int64_t>(kQueryBlock) * head.size;
  for (int first = first_query; first < end_query; first += kQueryBlock) {
    const int end = std::min(first + kQueryBlock, end_query);
    const int queries = end - first;
    for (int i = 0; i < queries; ++i)
      std::memcpy(query + static_cast<int64_t>(i) * head.size, head.query + (first + i) * head.query_stride,
                  static_cast<size_t>(head.size) * sizeof(float));
    for (int key = 0; key < padded; key += kKeyTile) {
      if (is_masked(head, first, end, key, std::min(key + kKeyTile, head.keys))) {
        for (int i = 0; i < queries; ++i)
          std::fill_n(scores + static_cast<int64_t>(i) * padded + key, kKeyTile, 0.0f); // and the mask
        continue;
      }
      if (head.turned_key != nullptr) {
        float_rows<kFloatGroups, false, Half>(queries, query, head.size,
                                              {head.turned_key + static_cast<int64_t>(key) * head.size,
                                               static_cast<int64_t>(kGroup) * head.size, kGroup},
                                              head.size, {scores + key, padded}, kFloatGroups * kGroup);
        if constexpr (kFloatGroups == 1)
          float_rows<1, false, Half>(
              queries, query, head.size,
              {head.turned_key + static_cast<int64_t>(key + kGroup) * head.size, 0, kGroup}, head.size,
              {scores + key + kGroup, padded}, kGroup);
        continue;
      }
      turn_keys(head, key, tile);
      turn_keys(head, key + kGroup, tile + static_cast<int64_t>(kGroup) * head.size);
      const FloatWeights<Single> weights = {tile, static_cast<int64_t>(kGroup) * head.size, kGroup};
      if constexpr (kFloatGroups == 2) {
        float_rows<2, false, Single>(queries, query, head.size, weights, head.size, {scores + key, padded},
                                     kKeyTile);
      } else {
        for (int group = 0; group < kKeyTile / kGroup; ++group)
          float_rows<1, false, Single>(queries, query, head.size,
                                       {tile + group * weights.group_step, 0, kGroup}, head.size,
                                       {scores + key + group * kGroup, padded}, kGroup);
      }
    }
    float factors[kQueryBlock];
    for (int i = 0; i < queries; ++i)
      factors[i] = soften(head, first + i, padded, scores + static_cast<int64_t>(i) * padded);
    std::fill_n(result, static_cast<int64_t>(queries) * head.size, 0.0f);
    sum_halves(head, first, end, scores, padded, result);
    store_scaled(head, first, queries, result, factors);
  }
}

} // namespace
} // namespace whisper_hip
