#include "engine/device.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>

#include "backend/gpu_state.h"
#include "backend/gpu_watch.h"
#include "support/error.h"
#include "support/log.h"

namespace whisper_hip {

namespace {

bool is_of_gpu(ggml_backend_dev_t device) {
  return device != nullptr && ggml_backend_dev_type(device) != GGML_BACKEND_DEVICE_TYPE_CPU;
}

ggml_backend_dev_t find_gpu(int place) {
  for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    const auto type = ggml_backend_dev_type(device);
    if ((type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU) && place-- == 0)
      return device;
  }
  throw Error("ERR_BACKEND_UNAVAILABLE", "The GPU could not be started: HIP does not show it",
              "HIP_INIT_FAILED");
}

ggml_backend_t start_backend(ggml_backend_dev_t device) {
  const GpuScope waiting(is_of_gpu(device));
  ggml_backend_t backend = ggml_backend_dev_init(device, nullptr);
  if (backend != nullptr)
    return backend;
  const std::string said = logged_errors();
  throw Error("ERR_BACKEND_UNAVAILABLE",
              std::string("The device ") + ggml_backend_dev_name(device) + " could not be started" +
                  (said.empty() ? "" : ": " + said),
              "HIP_INIT_FAILED");
}

// What a limit of the process (ulimit -v) leaves.
size_t free_address_space(size_t page) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return SIZE_MAX;
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const size_t used = pages * page;
  return limit.rlim_cur > used ? limit.rlim_cur - used : 0;
}

} // namespace

void FreeBuffer::operator()(ggml_backend_buffer_t buffer) const {
  free_of_device(is_of_gpu(ggml_backend_buft_get_device(ggml_backend_buffer_get_type(buffer))),
                 [buffer] { ggml_backend_buffer_free(buffer); });
}

Tensors describe_tensors(size_t count, size_t more_bytes) {
  Tensors tensors(ggml_init({count * ggml_tensor_overhead() + more_bytes, nullptr, /*no_alloc*/ true}));
  if (!tensors)
    throw Error("ERR_OUT_OF_MEMORY", "The description of a graph could not be allocated");
  return tensors;
}

Device::Device(int gpu) : gpu_(gpu), is_gpu_(gpu >= 0) {
  start();
}

Device::~Device() {
  for (ggml_backend_t backend : backends_)
    free_of_device(!is_cpu(backend), [backend] { ggml_backend_free(backend); });
}

void Device::start() {
  if (is_gpu_)
    backends_.push_back(start_backend(find_gpu(gpu_)));
  ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  if (cpu == nullptr)
    throw Error("ERR_NATIVE_MISSING", "No CPU module is loaded");
  backends_.push_back(start_backend(cpu));
  name_ = ggml_backend_dev_name(ggml_backend_get_device(backends_.front()));
}

void Device::restart() {
  // A GPU's backend holds streams and memory of the driver, and is sound: what fails in it poisons the
  // process.
  if (is_gpu_ && gpu_failure().empty()) {
    const GpuScope waiting(true);
    ggml_backend_free(backends_.front());
  }
  backends_.clear();
  start();
}

std::string Device::description() const {
  return ggml_backend_dev_description(ggml_backend_get_device(backends_.front()));
}

Buffer Device::allocate(ggml_context* tensors, const char* what) const {
  const GpuScope waiting(is_gpu_);
  Buffer buffer(ggml_backend_alloc_ctx_tensors(tensors, backends_.front()));
  if (!buffer)
    throw Error("ERR_OUT_OF_MEMORY",
                std::string("Memory of ") + name_ + " for " + what + " could not be allocated",
                "OUT_OF_MEMORY");
  return buffer;
}

size_t Device::free_memory() const {
  if (!is_gpu_) {
    const long pages = sysconf(_SC_AVPHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    const size_t free = pages > 0 && size > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(size) : 0;
    return std::min(free, free_address_space(static_cast<size_t>(size)));
  }
  size_t free = 0, total = 0;
  const GpuScope waiting(true);
  ggml_backend_dev_memory(ggml_backend_get_device(backends_.front()), &free, &total);
  return free;
}

} // namespace whisper_hip
