#include "cpu/lanes_avx2.h"
// clang-format off: what follows is written in terms of the lanes
#include "cpu/kernel_table.h"
// clang-format on

namespace whisper_hip {

const Kernels& avx2_kernels() {
  static constexpr Kernels kKernels = kernel_table("avx2");
  return kKernels;
}

} // namespace whisper_hip
