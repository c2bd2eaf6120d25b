// What a kernel does that a chip has no code for, and is never launched on: what all of ggml's GPU sources
// are compiled with (-include). Upstream prints a line to stdout first, which takes 19 kB of every source's
// code object and chip; supports_op (module.cpp) and the choice among kernels keep such kernels from being
// called.
#pragma once

#include "ggml-cuda/common.cuh"

#ifdef __HIP_DEVICE_COMPILE__
#undef NO_DEVICE_CODE
#define NO_DEVICE_CODE __builtin_trap()
#endif
