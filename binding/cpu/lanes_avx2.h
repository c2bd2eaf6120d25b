// Sixteen numbers side by side, in two registers of AVX2 (with FMA and F16C, which all such processors have).
//
// Included by one kernels_*.cpp, which is compiled for its instruction set.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace whisper_hip {
namespace {

struct Lanes {
  __m256 a, b;
};
struct Ints {
  __m256i a, b;
};

inline Lanes zero() {
  return {_mm256_setzero_ps(), _mm256_setzero_ps()};
}
inline Lanes broadcast(float x) {
  const __m256 all = _mm256_set1_ps(x);
  return {all, all};
}
inline Lanes load(const float* from) {
  return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)};
}
inline Lanes load_f16(const uint16_t* from) {
  const auto* halves = reinterpret_cast<const __m128i*>(from);
  return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
}
inline Lanes load_bf16(const uint16_t* from) {
  const auto* halves = reinterpret_cast<const __m128i*>(from);
  const auto widen = [](__m128i half) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
  };
  return {widen(_mm_loadu_si128(halves)), widen(_mm_loadu_si128(halves + 1))};
}
inline Lanes load_i8(const uint8_t* from) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)))};
}
inline Lanes load_u8(const uint8_t* from) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)),
          _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)))};
}
inline Ints load_i16(const int16_t* from) {
  const auto* halves = reinterpret_cast<const __m128i*>(from);
  return {_mm256_cvtepi16_epi32(_mm_loadu_si128(halves)), _mm256_cvtepi16_epi32(_mm_loadu_si128(halves + 1))};
}
inline void store(float* to, Lanes x) {
  _mm256_storeu_ps(to, x.a);
  _mm256_storeu_ps(to + 8, x.b);
}
inline void store_f16(uint16_t* to, Lanes x) {
  constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm256_cvtps_ph(x.a, kNearest));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to) + 1, _mm256_cvtps_ph(x.b, kNearest));
}
inline Lanes operator+(Lanes x, Lanes y) {
  return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}
inline Lanes operator-(Lanes x, Lanes y) {
  return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}
inline Lanes operator*(Lanes x, Lanes y) {
  return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}
inline Lanes operator/(Lanes x, Lanes y) {
  return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
}
// x * y + z, rounded once.
inline Lanes fma(Lanes x, Lanes y, Lanes z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
// The second where one of them is not a number, as the instruction does.
inline Lanes max(Lanes x, Lanes y) {
  return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
}
inline Lanes min(Lanes x, Lanes y) {
  return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)};
}
inline Lanes magnitude(Lanes x) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
}
// To the nearest, halves to even.
inline Ints round_to_ints(Lanes x) {
  return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)};
}
inline Lanes to_floats(Ints x) {
  return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)};
}
// `yes` where x < y, else `no`, also where one of them is not a number.
inline Lanes where_less(Lanes x, Lanes y, Lanes yes, Lanes no) {
  return {_mm256_blendv_ps(no.a, yes.a, _mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ)),
          _mm256_blendv_ps(no.b, yes.b, _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ))};
}
// x * 2^n for normal results.
inline Lanes times_power_of_2(Lanes x, Ints n) {
  const auto scaled = [](__m256 value, __m256i exponent) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(value), _mm256_slli_epi32(exponent, 23)));
  };
  return {scaled(x.a, n.a), scaled(x.b, n.b)};
}

// Turns 8 by 8 numbers.
inline void transpose_8(__m256* rows) {
  __m256 pairs[8], fours[8];
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    fours[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
    fours[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
    fours[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
    fours[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
  }
  for (int j = 0; j < 4; ++j) {
    rows[j] = _mm256_permute2f128_ps(fours[j], fours[4 + j], 0x20);
    rows[4 + j] = _mm256_permute2f128_ps(fours[j], fours[4 + j], 0x31);
  }
}
// Turns 16 by 16 numbers.
inline void transpose(Lanes* rows) {
  __m256 quarters[4][8];
  for (int i = 0; i < 8; ++i) {
    quarters[0][i] = rows[i].a;
    quarters[1][i] = rows[i].b;
    quarters[2][i] = rows[i + 8].a;
    quarters[3][i] = rows[i + 8].b;
  }
  for (auto& quarter : quarters)
    transpose_8(quarter);
  for (int i = 0; i < 8; ++i) {
    rows[i] = {quarters[0][i], quarters[2][i]};
    rows[i + 8] = {quarters[1][i], quarters[3][i]};
  }
}

inline Ints bits_of(Lanes x) {
  return {_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)};
}
inline Lanes of_bits(Ints x) {
  return {_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)};
}
inline Ints max(Ints x, Ints y) {
  return {_mm256_max_epi32(x.a, y.a), _mm256_max_epi32(x.b, y.b)};
}
inline float largest(Lanes x) {
  const __m256 eight = _mm256_max_ps(x.a, x.b);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}
inline Ints broadcast(int32_t x) {
  const __m256i all = _mm256_set1_epi32(x);
  return {all, all};
}
inline Ints operator*(Ints x, Ints y) {
  return {_mm256_mullo_epi32(x.a, y.a), _mm256_mullo_epi32(x.b, y.b)};
}
inline Ints operator+(Ints x, Ints y) {
  return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)};
}

// 64 unsigned bytes: four for each of sixteen channels.
struct Bytes {
  __m256i a, b;
};
inline Bytes load_bytes(const uint8_t* from) {
  const auto* halves = reinterpret_cast<const __m256i*>(from);
  return {_mm256_loadu_si256(halves), _mm256_loadu_si256(halves + 1)};
}
inline void store_bytes(uint8_t* to, Bytes x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x.a);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to) + 1, x.b);
}
// The bits of `mask` of each byte, after a shift to the right.
inline Bytes shifted_right(Bytes x, int count, int mask) {
  const __m128i by = _mm_cvtsi32_si128(count);
  const __m256i bits = _mm256_set1_epi8(static_cast<char>(mask));
  return {_mm256_and_si256(_mm256_srl_epi16(x.a, by), bits),
          _mm256_and_si256(_mm256_srl_epi16(x.b, by), bits)};
}
// x | y << count, where no bit leaves its byte.
inline Bytes joined(Bytes x, Bytes y, int count) {
  const __m128i by = _mm_cvtsi32_si128(count);
  return {_mm256_or_si256(x.a, _mm256_sll_epi16(y.a, by)), _mm256_or_si256(x.b, _mm256_sll_epi16(y.b, by))};
}
// Sixteen words.
inline __m256i to_words(Ints x) {
  return _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8);
}

inline void store_words(int16_t* to, Ints x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), to_words(x));
}
// Two words each, the first in the lower half.
inline Ints pairs_of(Ints low, Ints high) {
  return {_mm256_blend_epi16(low.a, _mm256_slli_epi32(high.a, 16), 0xaa),
          _mm256_blend_epi16(low.b, _mm256_slli_epi32(high.b, 16), 0xaa)};
}

inline void store(int32_t* to, Ints x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x.a);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to) + 1, x.b);
}
inline Ints load_ints(const int32_t* from) {
  const auto* halves = reinterpret_cast<const __m256i*>(from);
  return {_mm256_loadu_si256(halves), _mm256_loadu_si256(halves + 1)};
}
// Each less 128, from unsigned to signed.
inline Bytes less_128(Bytes x) {
  const __m256i sign = _mm256_set1_epi8(-128);
  return {_mm256_xor_si256(x.a, sign), _mm256_xor_si256(x.b, sign)};
}

// Four activations of a row.
using Quad = int32_t;

#ifdef __AVXVNNI__
// Activations are signed bytes.
constexpr int kMostActivation = 127, kActivationOffset = 0;
constexpr bool kSignedWeights = false;
inline void store_quads(Quad* to, Ints x) {
  const __m256i words = to_words(x);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}
inline Ints dot(Ints sum, Bytes weights, const Quad* activations) {
  const __m256i all = _mm256_set1_epi32(*activations);
  return {_mm256_dpbusd_avx_epi32(sum.a, weights.a, all), _mm256_dpbusd_avx_epi32(sum.b, weights.b, all)};
}
// sum + both products of each pair and `pair`.
inline Ints dot_words(Ints sum, Ints pairs, int32_t pair) {
  const __m256i all = _mm256_set1_epi32(pair);
  return {_mm256_dpwssd_avx_epi32(sum.a, pairs.a, all), _mm256_dpwssd_avx_epi32(sum.b, pairs.b, all)};
}
#else
// The instruction that multiplies bytes adds two products in 16 bits. So activations have seven bits, as
// unsigned bytes with an offset, and weights are signed.
constexpr int kMostActivation = 63, kActivationOffset = 64;
constexpr bool kSignedWeights = true;
inline void store_quads(Quad* to, Ints x) {
  const Ints offset = broadcast(kActivationOffset);
  const __m256i words = to_words(x + offset);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}
inline Ints dot(Ints sum, Bytes weights, const Quad* activations) {
  const __m256i all = _mm256_set1_epi32(*activations), one = _mm256_set1_epi16(1);
  const __m256i a = _mm256_madd_epi16(_mm256_maddubs_epi16(all, weights.a), one);
  const __m256i b = _mm256_madd_epi16(_mm256_maddubs_epi16(all, weights.b), one);
  sum = {_mm256_add_epi32(sum.a, a), _mm256_add_epi32(sum.b, b)};
  __asm__("" : "+x"(sum.a), "+x"(sum.b)); // else GCC keeps many products in memory before it adds them up
  return sum;
}
inline Ints dot_words(Ints sum, Ints pairs, int32_t pair) {
  const __m256i all = _mm256_set1_epi32(pair);
  return {_mm256_add_epi32(sum.a, _mm256_madd_epi16(pairs.a, all)),
          _mm256_add_epi32(sum.b, _mm256_madd_epi16(pairs.b, all))};
}
#endif

// Sizes of the tiles that fit into 16 registers of 8 lanes.
constexpr int kFloatRows = 6, kFloatGroups = 1;
constexpr int kValueGroups = 1; // of attention to few queries
constexpr int kIntRows = 4, kIntGroups = 1;

} // namespace
} // namespace whisper_hip
