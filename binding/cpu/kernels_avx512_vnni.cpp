#include "cpu/lanes_avx512.h"
// clang-format off: what follows is written in terms of the lanes
#include "cpu/kernel_table.h"
// clang-format on

namespace whisper_hip {

const Kernels& avx512_vnni_kernels() {
  static constexpr Kernels kKernels = kernel_table("avx512-vnni");
  return kKernels;
}

} // namespace whisper_hip
