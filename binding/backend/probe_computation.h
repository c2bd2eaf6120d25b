// What a trial computes on a GPU, and compares with the CPU.
#pragma once

#include <memory>
#include <vector>

#include "backend/probe_operations.h"
#include "backend/probe_reporter.h"
#include "ggml-backend.h"

namespace whisper_hip {

struct FreeGgml {
  void operator()(ggml_context* context) const { ggml_free(context); }
  void operator()(ggml_backend_buffer* buffer) const { ggml_backend_buffer_free(buffer); }
  void operator()(ggml_backend* backend) const { ggml_backend_free(backend); }
};
using ContextPointer = std::unique_ptr<ggml_context, FreeGgml>;
using BufferPointer = std::unique_ptr<ggml_backend_buffer, FreeGgml>;
using BackendPointer = std::unique_ptr<ggml_backend, FreeGgml>;

// Computes all shapes of an operation that the GPU offers.
ProbeOutcome compare_with_cpu(const ProbeOperation& operation, ggml_backend_t gpu, ggml_backend_t cpu);

// Memory of the device with a pattern, which must come back as it was written: at once, and when all
// operations have been computed beside it.
class ProbePattern {
 public:
  // Throws Error(ERR_OUT_OF_MEMORY).
  explicit ProbePattern(ggml_backend_t gpu);

  bool is_intact() const;

 private:
  ContextPointer context_;
  ggml_tensor* tensor_;
  BufferPointer buffer_;
  std::vector<char> bytes_;
};

} // namespace whisper_hip
