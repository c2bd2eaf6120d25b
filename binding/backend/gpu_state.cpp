#include "backend/gpu_state.h"

#include <mutex>

#include "support/error.h"

namespace whisper_hip {

namespace {
std::mutex mutex;
std::string first_failure;
} // namespace

void poison_gpu(const std::string& failure) {
  std::lock_guard<std::mutex> lock(mutex);
  if (first_failure.empty())
    first_failure = failure;
}

std::string gpu_failure() {
  std::lock_guard<std::mutex> lock(mutex);
  return first_failure;
}

void require_sound_gpu() {
  const std::string failure = gpu_failure();
  if (failure.empty())
    return;
  throw Error("ERR_BACKEND_UNAVAILABLE",
              "An earlier failure left the GPU unusable for this process: " + failure, "CONTEXT_POISONED");
}

} // namespace whisper_hip
