// Sixteen numbers side by side, in one AVX-512 register.
//
// Included by one kernels_*.cpp, which is compiled for its instruction set.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace whisper_hip {
namespace {

struct Lanes {
  __m512 v;
};
struct Ints {
  __m512i v;
};

inline Lanes zero() {
  return {_mm512_setzero_ps()};
}
inline Lanes broadcast(float x) {
  return {_mm512_set1_ps(x)};
}
inline Lanes load(const float* from) {
  return {_mm512_loadu_ps(from)};
}
inline Lanes load_f16(const uint16_t* from) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)))};
}
inline Lanes load_bf16(const uint16_t* from) {
  const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16))};
}
inline Lanes load_i8(const uint8_t* from) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes))};
}
inline Lanes load_u8(const uint8_t* from) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return {_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes))};
}
inline Ints load_i16(const int16_t* from) {
  return {_mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)))};
}
inline void store(float* to, Lanes x) {
  _mm512_storeu_ps(to, x.v);
}
inline void store_f16(uint16_t* to, Lanes x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                      _mm512_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
inline Lanes operator+(Lanes a, Lanes b) {
  return {_mm512_add_ps(a.v, b.v)};
}
inline Lanes operator-(Lanes a, Lanes b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
inline Lanes operator*(Lanes a, Lanes b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
inline Lanes operator/(Lanes a, Lanes b) {
  return {_mm512_div_ps(a.v, b.v)};
}
// a * b + c, rounded once.
inline Lanes fma(Lanes a, Lanes b, Lanes c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
// The second where one of them is not a number, as the instruction does.
inline Lanes max(Lanes a, Lanes b) {
  return {_mm512_max_ps(a.v, b.v)};
}
inline Lanes min(Lanes a, Lanes b) {
  return {_mm512_min_ps(a.v, b.v)};
}
inline Lanes magnitude(Lanes a) {
  return {_mm512_abs_ps(a.v)};
}
// To the nearest, halves to even.
inline Ints round_to_ints(Lanes a) {
  return {_mm512_cvtps_epi32(a.v)};
}
inline Lanes to_floats(Ints a) {
  return {_mm512_cvtepi32_ps(a.v)};
}
// `yes` where a < b, else `no`, also where one of them is not a number.
inline Lanes where_less(Lanes a, Lanes b, Lanes yes, Lanes no) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), no.v, yes.v)};
}
// a * 2^n for normal results.
inline Lanes times_power_of_2(Lanes a, Ints n) {
  return {_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a.v), _mm512_slli_epi32(n.v, 23)))};
}

// Turns 16 by 16 numbers.
inline void transpose(Lanes* rows) {
  __m512 pairs[16];
  for (int i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(rows[i].v, rows[i + 1].v);
    pairs[i + 1] = _mm512_unpackhi_ps(rows[i].v, rows[i + 1].v);
  }
  // fours[4 * i + j]: of rows 4 * i to 4 * i + 3, the numbers j, j + 4, j + 8 and j + 12
  __m512 fours[16];
  for (int i = 0; i < 16; i += 4) {
    const auto half = [&pairs](int from) { return _mm512_castps_pd(pairs[from]); };
    fours[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(half(i), half(i + 2)));
    fours[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(half(i), half(i + 2)));
    fours[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(half(i + 1), half(i + 3)));
    fours[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(half(i + 1), half(i + 3)));
  }
  for (int j = 0; j < 4; ++j) {
    const __m512 low = _mm512_shuffle_f32x4(fours[j], fours[4 + j], 0x88);
    const __m512 high = _mm512_shuffle_f32x4(fours[8 + j], fours[12 + j], 0x88);
    const __m512 low_odd = _mm512_shuffle_f32x4(fours[j], fours[4 + j], 0xdd);
    const __m512 high_odd = _mm512_shuffle_f32x4(fours[8 + j], fours[12 + j], 0xdd);
    rows[j].v = _mm512_shuffle_f32x4(low, high, 0x88);
    rows[8 + j].v = _mm512_shuffle_f32x4(low, high, 0xdd);
    rows[4 + j].v = _mm512_shuffle_f32x4(low_odd, high_odd, 0x88);
    rows[12 + j].v = _mm512_shuffle_f32x4(low_odd, high_odd, 0xdd);
  }
}

inline Ints bits_of(Lanes x) {
  return {_mm512_castps_si512(x.v)};
}
inline Lanes of_bits(Ints x) {
  return {_mm512_castsi512_ps(x.v)};
}
inline Ints max(Ints a, Ints b) {
  return {_mm512_max_epi32(a.v, b.v)};
}
inline float largest(Lanes x) {
  return _mm512_reduce_max_ps(x.v);
}
inline Ints broadcast(int32_t x) {
  return {_mm512_set1_epi32(x)};
}
inline Ints operator*(Ints a, Ints b) {
  return {_mm512_mullo_epi32(a.v, b.v)};
}
inline Ints operator+(Ints a, Ints b) {
  return {_mm512_add_epi32(a.v, b.v)};
}

// 64 unsigned bytes: four for each of sixteen channels.
struct Bytes {
  __m512i v;
};
inline Bytes load_bytes(const uint8_t* from) {
  return {_mm512_loadu_si512(from)};
}
inline void store_bytes(uint8_t* to, Bytes x) {
  _mm512_storeu_si512(to, x.v);
}
// The bits of `mask` of each byte, after a shift to the right.
inline Bytes shifted_right(Bytes x, int count, int mask) {
  return {_mm512_and_si512(_mm512_srl_epi16(x.v, _mm_cvtsi32_si128(count)),
                           _mm512_set1_epi8(static_cast<char>(mask)))};
}
// x | y << count, where no bit leaves its byte.
inline Bytes joined(Bytes x, Bytes y, int count) {
  return {_mm512_or_si512(x.v, _mm512_sll_epi16(y.v, _mm_cvtsi32_si128(count)))};
}

// Sixteen words.
inline void store_words(int16_t* to, Ints x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(x.v));
}
// Two words each, the first in the lower half.
inline Ints pairs_of(Ints low, Ints high) {
  return {_mm512_mask_blend_epi16(0xaaaaaaaa, low.v, _mm512_slli_epi32(high.v, 16))};
}

inline void store(int32_t* to, Ints x) {
  _mm512_storeu_si512(to, x.v);
}
inline Ints load_ints(const int32_t* from) {
  return {_mm512_loadu_si512(from)};
}
// Each less 128, from unsigned to signed.
inline Bytes less_128(Bytes x) {
  const __m512i sign = _mm512_set1_epi8(-128);
  return {_mm512_xor_si512(x.v, sign)};
}

// Four activations of a row.
using Quad = int32_t;

#ifdef __AVX512VNNI__
// Activations are signed bytes.
constexpr int kMostActivation = 127, kActivationOffset = 0;
constexpr bool kSignedWeights = false;
inline void store_quads(Quad* to, Ints x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(x.v));
}
inline Ints dot(Ints sum, Bytes weights, const Quad* activations) {
  return {_mm512_dpbusd_epi32(sum.v, weights.v, _mm512_set1_epi32(*activations))};
}
// sum + both products of each pair and `pair`.
inline Ints dot_words(Ints sum, Ints pairs, int32_t pair) {
  return {_mm512_dpwssd_epi32(sum.v, pairs.v, _mm512_set1_epi32(pair))};
}
#else
// The instruction that multiplies bytes adds two products in 16 bits. So activations have seven bits, as
// unsigned bytes with an offset, and weights are signed.
constexpr int kMostActivation = 63, kActivationOffset = 64;
constexpr bool kSignedWeights = true;
inline void store_quads(Quad* to, Ints x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm512_cvtepi32_epi8(_mm512_add_epi32(x.v, _mm512_set1_epi32(kActivationOffset))));
}
inline Ints dot(Ints sum, Bytes weights, const Quad* activations) {
  const __m512i pairs = _mm512_maddubs_epi16(_mm512_set1_epi32(*activations), weights.v);
  sum.v = _mm512_add_epi32(sum.v, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
  __asm__("" : "+v"(sum.v)); // else GCC keeps many products in memory before it adds them up
  return sum;
}
inline Ints dot_words(Ints sum, Ints pairs, int32_t pair) {
  return {_mm512_add_epi32(sum.v, _mm512_madd_epi16(pairs.v, _mm512_set1_epi32(pair)))};
}
#endif

// Sizes of the tiles that fit into 32 registers of 16 lanes.
constexpr int kFloatRows = 12, kFloatGroups = 2;
constexpr int kValueGroups = 4; // of attention to few queries
constexpr int kIntRows = 6, kIntGroups = 2;

} // namespace
} // namespace whisper_hip
