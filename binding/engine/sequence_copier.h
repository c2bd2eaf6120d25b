// Copies what sequences of a cache have read to others.
#pragma once

#include <optional>
#include <vector>

#include "engine/cache/sequences.h"
#include "engine/pass.h"

namespace whisper_hip {

class SequenceCopier {
 public:
  // `gpu_only`: refuse to compute what would need the CPU beside the GPU.
  SequenceCopier(Device& device, const ModelWeights& weights, const SequenceCache& cache, bool gpu_only)
      : device_(device), weights_(weights), cache_(cache), gpu_only_(gpu_only) {}

  // Makes the graph of a chunk and its memory on a GPU, before the first copy needs them.
  void prepare(const SequenceChunk& chunk);
  // No copy reads what another one writes.
  void copy(const std::vector<SequenceCopy>& copies);
  // After the device was started anew.
  void restart() { pass_.reset(); }

 private:
  void copy_by_graph(const SequenceChunk& chunk, const std::vector<SequenceCopy>& copies);

  Device& device_;
  const ModelWeights& weights_;
  const SequenceCache& cache_;
  const bool gpu_only_;
  std::optional<Pass> pass_;
  ggml_tensor* from_ = nullptr; // i32 [rows], of a chunk
  ggml_tensor* to_ = nullptr;   // i64 [rows]
};

} // namespace whisper_hip
