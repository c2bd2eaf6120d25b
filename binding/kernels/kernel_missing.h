// Where a call ends that would need a kernel which this module was built without.
#pragma once

#include "ggml.h"

// Not GGML_ABORT: clang finds this file by a path that its maps of prefixes leave as it is, so that the
// module would depend on where it was built.
[[noreturn]] inline void kernel_missing(const char* name) {
  ggml_abort("binding/kernels/kernel_missing.h", __LINE__,
             "this HIP module was built without the kernel %s, because Whisper does not run it; "
             "WHISPER_HIP_ALL_KERNELS=ON builds all kernels",
             name);
}
