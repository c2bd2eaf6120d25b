// One kind of computation of the engine: a graph with its compute buffers. A graph stays as long as the same
// shapes are asked for, so that nothing is built, placed or allocated for each token.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/device.h"

namespace whisper_hip {

// What a graph is built for: equal keys mean equal graphs.
using PassKey = std::vector<int64_t>;

class Pass {
 public:
  explicit Pass(Device& device) : device_(device) {}
  ~Pass();
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

  // Makes the graph of `key` the current one: `build` makes it anew, of `most_nodes` at most, unless it is
  // already. Throws Error(ERR_OUT_OF_MEMORY | ERR_GPU_NOT_USED).
  void prepare(const PassKey& key, size_t most_nodes,
               const std::function<void(ggml_context*, ggml_cgraph*)>& build);
  // No graph is the current one any more.
  void forget() { graph_ = nullptr; }
  // Bytes of an input of the current graph (ggml_set_input). They go to the device with the next compute().
  void set(ggml_tensor* input, const void* data, size_t size);
  // Computes the current graph for `job`. Returns false when the job was cancelled meanwhile.
  bool compute(ComputeJob& job);
  // Values of a result: where they lie, or in `copy` where they lie on a GPU.
  float* read(ggml_tensor* result, std::vector<float>& copy);
  // Bytes of the compute buffers.
  size_t memory() const;

 private:
  void place_inputs();
  void require_support(ggml_cgraph* graph) const;
  void make_scheduler(size_t capacity);
  void free_scheduler();

  Device& device_;
  ggml_backend_sched_t scheduler_ = nullptr;
  size_t capacity_ = 0; // nodes and leafs of a graph that the scheduler has room for
  // Inputs lie side by side in memory of the device. A scheduler would keep them in that of the host, and
  // copy each of them, and each view of one, with a wait of its own.
  Tensors input_tensors_;
  Buffer input_buffer_;
  ggml_tensor* inputs_ = nullptr; // i8: all of them
  std::vector<char> input_bytes_; // of the host
  Tensors tensors_;
  ggml_cgraph* graph_ = nullptr;
  PassKey key_;
};

} // namespace whisper_hip
