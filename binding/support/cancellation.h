// The end of a job that nobody wants any more.
#pragma once

#include <atomic>

#include "support/error.h"

namespace whisper_hip {

// Throws Error(ERR_CANCELLED) when it is set.
inline void check(const std::atomic<bool>& cancelled) {
  if (cancelled.load(std::memory_order_relaxed))
    throw Error("ERR_CANCELLED", "The job was cancelled");
}

} // namespace whisper_hip
