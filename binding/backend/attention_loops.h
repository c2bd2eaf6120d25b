// Compiled before ggml's operations on the CPU, ops.cpp (see cmake/vendor.cmake).
//
// An eighth of an encoder pass went into two loops of its flash attention that no compiler makes vectors of:
// the maximum of a row, each step of which waits for the one before, and f16 values that ggml's core, which
// is built for any processor, widens one by one. The results are the same to the last bit.
#pragma once

#define ggml_vec_max_f32 ggml_vec_max_f32_one_by_one
#include "vec.h"
#undef ggml_vec_max_f32

#include "ggml-cpu.h"

// The largest of n values, -INFINITY of none.
inline static void ggml_vec_max_f32(const int n, float* s, const float* x) {
  typedef float Lanes __attribute__((vector_size(64)));
  constexpr int kLanes = sizeof(Lanes) / sizeof(float);
  float most = -INFINITY;
  int i = 0;
  if (n >= kLanes) {
    Lanes all;
    memcpy(&all, x, sizeof(all));
    for (i = kLanes; i + kLanes <= n; i += kLanes) {
      Lanes next;
      memcpy(&next, x + i, sizeof(next));
      all = next > all ? next : all;
    }
    for (int lane = 0; lane < kLanes; ++lane)
      most = all[lane] > most ? all[lane] : most;
  }
  for (; i < n; ++i)
    most = x[i] > most ? x[i] : most;
  *s = most;
}

#define ggml_fp16_to_fp32_row ggml_cpu_fp16_to_fp32
