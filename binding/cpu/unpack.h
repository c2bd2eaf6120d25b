// From the planes of packed weights (packed_layout.h) to what the tiles read. Included by kernels_*.cpp.
#pragma once

#include <cstring>

#include "cpu/packed_layout.h"

namespace whisper_hip {
namespace {

// What a tile reads of a group of quantised weights.
struct IntGroup {
  const uint8_t* values; // [K / 4, 16 channels, 4]
  const float* scales;   // [K / span, 16]
  const float* mins;     // likewise, or null
  // What the sum of a span begins with, as activations have an offset: [K / span, 16], or null.
  const int32_t* starts;
};

// Whether values of eight bits, which are stored as unsigned, are taken as signed: then they have no zero
// point.
inline bool takes_as_signed(const PackedType& type) {
  return kSignedWeights && type.low_bits == 8;
}

// One step of a strip from a plane of BITS bits.
template <int BITS> inline Bytes read_plane(const uint8_t* plane, int step) {
  constexpr int kApart = BITS; // steps that are as far apart share bytes
  return shifted_right(load_bytes(plane + step % kApart * 64), step / kApart * BITS, (1 << BITS) - 1);
}

template <int LOW, int HIGH>
inline void unpack_values(const uint8_t* group, const GroupLayout& layout, int64_t strips, uint8_t* to) {
  const uint8_t* low = group;
  const uint8_t* high = group + layout.high;
  for (int64_t strip = 0; strip < strips; ++strip, low += LOW * 64, high += HIGH * 64) {
#pragma GCC unroll 8
    for (int step = 0; step < 8; ++step, to += 64) {
      Bytes values = read_plane<LOW>(low, step);
      if constexpr (HIGH > 0)
        values = joined(values, read_plane<HIGH>(high, step), LOW);
      store_bytes(to, values);
    }
  }
}

inline void unpack_scales(const PackedType& type, const uint8_t* group, size_t scales, size_t super,
                          float sign, int64_t columns, float* to) {
  const int64_t spans = columns / type.span;
  if (!type.is_super) {
    const auto* halves = reinterpret_cast<const uint16_t*>(group + scales);
    for (int64_t span = 0; span < spans; ++span)
      store(to + span * kGroup, broadcast(sign) * load_f16(halves + span * kGroup));
    return;
  }
  const auto* halves = reinterpret_cast<const uint16_t*>(group + super);
  for (int64_t span = 0; span < spans; ++span) {
    const uint8_t* bytes = group + scales + span * kGroup;
    const Lanes factors = type.signed_scales ? load_i8(bytes) : load_u8(bytes);
    const Lanes whole = load_f16(halves + span * type.span / 256 * kGroup);
    store(to + span * kGroup, broadcast(sign) * (whole * factors));
  }
}

// SIGNED: taken as signed.
template <bool SIGNED> inline Bytes weights_at(const IntGroup& group, int64_t step) {
  const Bytes bytes = load_bytes(group.values + step * 64);
  if constexpr (SIGNED)
    return less_128(bytes);
  return bytes;
}

// The sums of the weights of each span, times the offset that the activations have too much.
inline void take_sums(const int16_t* sums, int64_t spans, int32_t* starts) {
  for (int64_t at = 0; at < spans * kGroup; at += kGroup)
    store(starts + at, load_i16(sums + at) * broadcast(-kActivationOffset));
}
inline void sum_weights(const IntGroup& group, int64_t columns, int span, int32_t* starts) {
  constexpr Quad kOnes = 0x01010101;
  const Ints none = broadcast(0);
  for (int64_t at = 0; at < columns / span; ++at) {
    Ints sum = none;
    for (int step = 0; step < span / 4; ++step)
      sum = dot(sum, weights_at<false>(group, at * (span / 4) + step), &kOnes);
    store(starts + at * kGroup, sum * broadcast(-kActivationOffset));
  }
}

// Unpacks what is packed: into `scratch`, of which columns * 16 * 3 bytes are used.
inline IntGroup unpack_group(const PackedType& type, const GroupLayout& layout, const uint8_t* group,
                             int64_t columns, uint8_t* scratch) {
  const int64_t strips = columns / kStrip;
  auto* scales = reinterpret_cast<float*>(scratch);
  float* mins = scales + columns / type.span * kGroup;
  auto* starts = reinterpret_cast<int32_t*>(mins + (type.has_mins ? columns / type.span * kGroup : 0));
  auto* values =
      reinterpret_cast<uint8_t*>(starts + (kActivationOffset != 0 ? columns / type.span * kGroup : 0));
  unpack_scales(type, group, layout.scales, layout.super, 1.0f, columns, scales);
  // The minima of K-quants are subtracted.
  if (type.has_mins)
    unpack_scales(type, group, layout.mins, layout.super_mins, type.is_super ? -1.0f : 1.0f, columns, mins);
  IntGroup unpacked = {values, scales, type.has_mins ? mins : nullptr, nullptr};
  switch (type.low_bits * 10 + type.high_bits) {
  case 80:
    unpacked.values = group;
    break;
  case 40:
    unpack_values<4, 0>(group, layout, strips, values);
    break;
  case 41:
    unpack_values<4, 1>(group, layout, strips, values);
    break;
  case 42:
    unpack_values<4, 2>(group, layout, strips, values);
    break;
  case 20:
    unpack_values<2, 0>(group, layout, strips, values);
    break;
  default:
    unpack_values<2, 1>(group, layout, strips, values);
    break;
  }
  if constexpr (kActivationOffset != 0) {
    if (takes_as_signed(type))
      take_sums(reinterpret_cast<const int16_t*>(group + layout.sums), strips, starts);
    else
      sum_weights(unpacked, columns, type.span, starts);
    unpacked.starts = starts;
  }
  return unpacked;
}

// Float weights as f32, [K, 16].
inline void unpack_floats(const PackedType& type, const uint8_t* group, int64_t columns, float* to) {
  if (type.type == GGML_TYPE_F32) {
    std::memcpy(to, group, static_cast<size_t>(columns) * kGroup * sizeof(float));
    return;
  }
  const auto* halves = reinterpret_cast<const uint16_t*>(group);
  if (type.type == GGML_TYPE_F16) {
    for (int64_t column = 0; column < columns; ++column)
      store(to + column * kGroup, load_f16(halves + column * kGroup));
  } else {
    for (int64_t column = 0; column < columns; ++column)
      store(to + column * kGroup, load_bf16(halves + column * kGroup));
  }
}

} // namespace
} // namespace whisper_hip
