// One value of a block of K-quantised weights: d * scale * quant - dmin * min. Without anything of HIP, so
// that the CPU can compare it with ggml's own conversion.
#pragma once

#include <cstdint>

#ifdef __HIP__
#define WHISPER_HIP_EVERYWHERE __host__ __device__ inline
#else
#define WHISPER_HIP_EVERYWHERE inline
#endif

struct KQuant {
  int scale;
  int min;
  int quant;
};

// i: position within the block, 0 to 255.
WHISPER_HIP_EVERYWHERE KQuant k_quant(const block_q2_K& block, int i) {
  const int half = i / 128, shift = i % 128 / 32 * 2, l = i % 32;
  const int scale = block.scales[i / 16];
  return {scale & 15, scale >> 4, block.qs[32 * half + l] >> shift & 3};
}

WHISPER_HIP_EVERYWHERE KQuant k_quant(const block_q3_K& block, int i) {
  const int half = i / 128, shift = i % 128 / 32 * 2, l = i % 32, k = i / 16;
  const int low = k < 8 ? block.scales[k] & 15 : block.scales[k - 8] >> 4;
  const int high = block.scales[8 + k % 4] >> k / 4 * 2 & 3;
  const int quant = block.qs[32 * half + l] >> shift & 3;
  return {(low | high << 4) - 32, 0, block.hmask[l] >> i / 32 & 1 ? quant : quant - 4};
}

// The 6-bit scales and minima of q4_K and q5_K.
WHISPER_HIP_EVERYWHERE int k_scale(const uint8_t* scales, int k) {
  return k < 4 ? scales[k] & 63 : (scales[k + 4] & 15) | scales[k - 4] >> 6 << 4;
}

WHISPER_HIP_EVERYWHERE int k_min(const uint8_t* scales, int k) {
  return k < 4 ? scales[k + 4] & 63 : scales[k + 4] >> 4 | scales[k] >> 6 << 4;
}

WHISPER_HIP_EVERYWHERE KQuant k_quant(const block_q4_K& block, int i) {
  const int k = i / 32;
  const int quant = block.qs[32 * (k / 2) + i % 32] >> k % 2 * 4 & 15;
  return {k_scale(block.scales, k), k_min(block.scales, k), quant};
}

WHISPER_HIP_EVERYWHERE KQuant k_quant(const block_q5_K& block, int i) {
  const int k = i / 32;
  const int low = block.qs[32 * (k / 2) + i % 32] >> k % 2 * 4 & 15;
  const int high = block.qh[i % 32] >> k & 1;
  return {k_scale(block.scales, k), k_min(block.scales, k), low | high << 4};
}

WHISPER_HIP_EVERYWHERE KQuant k_quant(const block_q6_K& block, int i) {
  const int half = i / 128, l = i % 32, part = i % 128 / 32;
  const int low = block.ql[64 * half + part % 2 * 32 + l] >> part / 2 * 4 & 15;
  const int high = block.qh[32 * half + l] >> part * 2 & 3;
  return {block.scales[i / 16], 0, (low | high << 4) - 32};
}
