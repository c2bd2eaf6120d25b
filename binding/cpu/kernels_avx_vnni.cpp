#include "cpu/lanes_avx2.h"
// clang-format off: what follows is written in terms of the lanes
#include "cpu/kernel_table.h"
// clang-format on

namespace whisper_hip {

const Kernels& avx_vnni_kernels() {
  static constexpr Kernels kKernels = kernel_table("avx-vnni");
  return kKernels;
}

} // namespace whisper_hip
