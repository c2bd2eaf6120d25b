// What computes: a GPU with the CPU for what it does not support, or the CPU alone. To be used by one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "backend/compute.h"
#include "ggml-backend.h"
#include "ggml.h"

namespace whisper_hip {

struct FreeBuffer {
  void operator()(ggml_backend_buffer_t buffer) const;
};
using Buffer = std::unique_ptr<ggml_backend_buffer, FreeBuffer>;

struct FreeTensors {
  void operator()(ggml_context* tensors) const { ggml_free(tensors); }
};
using Tensors = std::unique_ptr<ggml_context, FreeTensors>;

// A context for the description of at most `count` tensors, whose data lies elsewhere. Throws
// Error(ERR_OUT_OF_MEMORY).
Tensors describe_tensors(size_t count, size_t more_bytes = 0);

class Device {
 public:
  // `gpu`: its place among those that the HIP module shows; -1 for the CPU. Throws
  // Error(ERR_BACKEND_UNAVAILABLE) for a GPU that cannot be started.
  explicit Device(int gpu);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const std::string& name() const { return name_; } // "CPU", "ROCm0"
  bool is_gpu() const { return is_gpu_; }
  // The GPU as its driver describes it.
  std::string description() const;
  // The one that computes what it can first.
  const std::vector<ggml_backend_t>& backends() const { return backends_; }

  // Memory for all tensors of the context. Throws Error(ERR_OUT_OF_MEMORY) that names `what`.
  Buffer allocate(ggml_context* tensors, const char* what) const;
  // Bytes that may still be had.
  size_t free_memory() const;

  // Starts anew after an exception has come out of a computation: the old backends are given up, since a CPU
  // backend that failed to enlarge its working memory would free it again. Passes must be made again.
  void restart();

 private:
  void start();

  int gpu_;
  bool is_gpu_;
  std::string name_;
  std::vector<ggml_backend_t> backends_;
};

} // namespace whisper_hip
