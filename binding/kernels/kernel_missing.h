// Where a call ends that would need a kernel which this module was built without.
#pragma once

#include "ggml.h"

[[noreturn]] inline void kernel_missing(const char* name) {
  GGML_ABORT("this HIP module was built without the kernel %s, because Whisper does not run it; "
             "WHISPER_HIP_ALL_KERNELS=ON builds all kernels",
             name);
}
