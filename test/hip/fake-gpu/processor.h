// What computes in the place of a GPU: the CPU module of the same build.
#pragma once

#include "ggml-backend-impl.h"

namespace fake_gpu {

// The device of the CPU module that is loaded already, else of the best one beside ggml's library. Ends the
// process when there is none: a fake GPU that cannot compute is a broken test, not a fault to be tested.
ggml_backend_dev_t cpu_device();

// A stream of the CPU module with the threads of the fake GPU. Computations must not overlap.
ggml_backend_t new_cpu_stream();

} // namespace fake_gpu
