// Functions of sixteen numbers. Included by kernels_*.cpp after their lanes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

namespace whisper_hip {
namespace {

// e^x with an error under 1.5 units in the last place; 0 below -87, infinity not reached (x is taken as 88 at
// most), NaN of NaN, exactly 1 of 0. Cody and Waite's reduction by multiples of ln 2, and a polynomial with
// the coefficients of Cephes' expf.
inline Lanes exponential(Lanes x) {
  const Lanes bounded = min(broadcast(88.0f), max(broadcast(-88.0f), x));
  const Ints power = round_to_ints(bounded * broadcast(1.44269504f));
  const Lanes n = to_floats(power);
  const Lanes r = fma(n, broadcast(2.12194440e-4f), fma(n, broadcast(-0.693359375f), bounded));
  Lanes p = broadcast(1.9875691500e-4f);
  p = fma(p, r, broadcast(1.3981999507e-3f));
  p = fma(p, r, broadcast(8.3334519073e-3f));
  p = fma(p, r, broadcast(4.1665795894e-2f));
  p = fma(p, r, broadcast(1.6666665459e-1f));
  p = fma(p, r, broadcast(5.0000001201e-1f));
  p = fma(p, r * r, r + broadcast(1.0f));
  return where_less(x, broadcast(-87.0f), zero(), times_power_of_2(p, power));
}

// 2^x for x up to 0, with an error under 1.5 units in the last place; 0 below -125, NaN of NaN, exactly 1 of
// 0. The coefficients are those of Taylor, which end where they no longer count between -1/2 and 1/2.
inline Lanes power_of_2(Lanes x) {
  const Ints power = round_to_ints(x);
  const Lanes r = x - to_floats(power);
  Lanes p = broadcast(1.5403530e-4f);
  p = fma(p, r, broadcast(1.3333558e-3f));
  p = fma(p, r, broadcast(9.6181291e-3f));
  p = fma(p, r, broadcast(5.5504109e-2f));
  p = fma(p, r, broadcast(2.4022651e-1f));
  p = fma(p, r, broadcast(6.9314718e-1f));
  p = fma(p, r, broadcast(1.0f));
  return where_less(x, broadcast(-125.0f), zero(), times_power_of_2(p, power));
}

// 2^x for x up to 15 to be rounded to words: with an error under 3.5e-6 of it, and 2^-20 for all that is
// less. The coefficients interpolate between -1/2 and 1/2 at Chebyshev's nodes.
inline Lanes power_of_2_for_words(Lanes x) {
  const Lanes bounded = max(broadcast(-20.0f), x);
  const Ints power = round_to_ints(bounded);
  const Lanes r = bounded - to_floats(power);
  Lanes p = broadcast(9.66636852e-3f);
  p = fma(p, r, broadcast(5.59219758e-2f));
  p = fma(p, r, broadcast(2.40223490e-1f));
  p = fma(p, r, broadcast(6.93121045e-1f));
  p = fma(p, r, broadcast(1.0f));
  return times_power_of_2(p, power);
}

// Of magnitudes as bits: infinities and what is not a number are larger than all others.
inline Ints larger_magnitude(Ints most, Lanes x) {
  return max(most, bits_of(magnitude(x)));
}

// What numbers are multiplied with so that the largest magnitude, `top`, becomes `limit`, and what brings
// them back. Both are 0 where all are tiny. A scale is no number where one of the numbers is not finite.
struct Scales {
  Lanes inverse, scale;
};
// `top` is of larger_magnitude().
inline Scales scales_for(Lanes top, float limit) {
  const Lanes most = broadcast(limit), least = broadcast(1e-35f);
  // Comparisons with NaN are false.
  const Lanes finite = where_less(top, broadcast(INFINITY), top, broadcast(NAN));
  return {where_less(least, finite, most / top, zero()), where_less(finite, least, zero(), finite / most)};
}

// x / (1 + e^(-2u)) with u = sqrt(2/pi) (x + 0.044715 x^3): GELU by tanh, as whisper.cpp computes it.
inline Lanes gelu_of(Lanes x) {
  const Lanes cubic = fma(x * x, broadcast(0.044715f), broadcast(1.0f));
  const Lanes exponent = broadcast(-2.0f * 0.79788456080286535587989f) * x * cubic;
  return x / (broadcast(1.0f) + exponential(exponent));
}

template <Lanes (*FUNCTION)(Lanes)> inline void for_each(const float* from, float* to, int64_t count) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16)
    store(to + i, FUNCTION(load(from + i)));
  if (i < count) {
    float rest[16] = {};
    std::memcpy(rest, from + i, static_cast<size_t>(count - i) * sizeof(float));
    store(rest, FUNCTION(load(rest)));
    std::memcpy(to + i, rest, static_cast<size_t>(count - i) * sizeof(float));
  }
}

inline int32_t largest(Ints x) {
  int32_t lanes[16];
  store(lanes, x);
  return *std::max_element(lanes, lanes + 16);
}

// Lane 0 and 8, 1 and 9, …, and so on, on each instruction set.
inline float sum_of(Lanes x) {
  float lanes[16];
  store(lanes, x);
  for (int step = 8; step > 0; step /= 2)
    for (int i = 0; i < step; ++i)
      lanes[i] += lanes[i + step];
  return lanes[0];
}

inline void normalize(const float* from, float* to, int64_t count, float epsilon, const float* weight,
                      const float* bias) {
  Lanes sum = zero(), squares = zero();
  for (int64_t i = 0; i < count; i += 16)
    sum = sum + load(from + i);
  const Lanes mean = broadcast(sum_of(sum) / static_cast<float>(count));
  for (int64_t i = 0; i < count; i += 16) {
    const Lanes apart = load(from + i) - mean;
    squares = fma(apart, apart, squares);
  }
  const Lanes scale = broadcast(1.0f / std::sqrt(sum_of(squares) / static_cast<float>(count) + epsilon));
  for (int64_t i = 0; i < count; i += 16) {
    Lanes x = (load(from + i) - mean) * scale;
    if (weight != nullptr)
      x = x * load(weight + i);
    if (bias != nullptr)
      x = x + load(bias + i);
    store(to + i, x);
  }
}

inline void add_to_each(const float* from, float term, float* to, int64_t count) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16)
    store(to + i, load(from + i) + broadcast(term));
  for (; i < count; ++i)
    to[i] = from[i] + term;
}

inline void to_halves(const float* from, uint16_t* to, int64_t count) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16)
    store_f16(to + i, load(from + i));
  if (i < count) {
    float rest[16] = {};
    uint16_t halves[16];
    std::memcpy(rest, from + i, static_cast<size_t>(count - i) * sizeof(float));
    store_f16(halves, load(rest));
    std::memcpy(to + i, halves, static_cast<size_t>(count - i) * sizeof(uint16_t));
  }
}

inline void from_halves(const uint16_t* from, float* to, int64_t count) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16)
    store(to + i, load_f16(from + i));
  if (i < count) {
    uint16_t halves[16] = {};
    float rest[16];
    std::memcpy(halves, from + i, static_cast<size_t>(count - i) * sizeof(uint16_t));
    store(rest, load_f16(halves));
    std::memcpy(to + i, rest, static_cast<size_t>(count - i) * sizeof(float));
  }
}

} // namespace
} // namespace whisper_hip
