#include "vad/linear.h"

namespace whisper_hip {

namespace {

// Sixteen bytes are in the baseline of every processor that this library runs on.
namespace baseline {
#define KERNEL_TARGET
#define KERNEL_LANES 4
#define KERNEL_VECTORS 2
#include "vad/linear_kernel.h"
#undef KERNEL_TARGET
#undef KERNEL_LANES
#undef KERNEL_VECTORS
} // namespace baseline

#if defined(__x86_64__)

namespace avx2 {
#define KERNEL_TARGET __attribute__((target("avx2,fma")))
#define KERNEL_LANES 8
#define KERNEL_VECTORS 2
#include "vad/linear_kernel.h"
#undef KERNEL_TARGET
#undef KERNEL_LANES
#undef KERNEL_VECTORS
} // namespace avx2

namespace avx512 {
#define KERNEL_TARGET __attribute__((target("avx512f,avx2,fma")))
#define KERNEL_LANES 16
#define KERNEL_VECTORS 4
#include "vad/linear_kernel.h"
#undef KERNEL_TARGET
#undef KERNEL_LANES
#undef KERNEL_VECTORS
} // namespace avx512

#endif

template <void (*kernel)(const Matrix&, const float*, const Column*, size_t)>
void linear(const Matrix& matrix, const Column* columns, size_t count) {
  kernel(matrix, matrix.weights.data(), columns, count);
}

Arithmetic choose() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f"))
    return {linear<avx512::linear>, avx512::lstm};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {linear<avx2::linear>, avx2::lstm};
#endif
  return {linear<baseline::linear>, baseline::lstm};
}

} // namespace

const Arithmetic& arithmetic() {
  static const Arithmetic best = choose();
  return best;
}

} // namespace whisper_hip
