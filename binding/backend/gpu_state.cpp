#include "backend/gpu_state.h"

#include <mutex>
#include <new>

#include "support/error.h"

namespace whisper_hip {

namespace {
std::mutex mutex;
// Never destroyed: the watch asks for it while the process exits.
std::string& first_failure = *new std::string;
} // namespace

void poison_gpu(const std::string& failure) {
  std::lock_guard<std::mutex> lock(mutex);
  if (first_failure.empty())
    first_failure = failure;
}

std::exception_ptr note_gpu_failure() {
  const auto poison = [](const char* code, const std::string& failure) {
    poison_gpu(failure);
    return std::make_exception_ptr(Error(code, failure, "CONTEXT_POISONED"));
  };
  try {
    throw;
  } catch (const Abort& abort) {
    return poison(abort.code, abort.what());
  } catch (const Error&) {
    return std::current_exception();
  } catch (const std::bad_alloc&) {
    return std::current_exception();
  } catch (const std::exception& error) {
    return poison("ERR_INTERNAL", std::string("The GPU backend failed: ") + error.what());
  }
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
