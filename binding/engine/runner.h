// The computations of the engine: windows, prompts, steps and alignments, with the caches that they work on.
// Of one thread.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "engine/active_search.h"
#include "engine/cache/sequences.h"
#include "engine/cache/windows.h"
#include "engine/graph/decoder.h"
#include "engine/pass.h"
#include "engine/request.h"
#include "engine/search/search.h"
#include "engine/sequence_copier.h"
#include "engine/weights.h"

namespace whisper_hip {

constexpr int kMostParts = 64; // searches that a pass may be of

struct EngineOptions {
  int gpu = -1;                // its place among those of the HIP module; -1 for the CPU
  bool gpu_only = false;       // refuse to compute what would need the CPU beside the GPU
  bool flash_attention = true; // fused
};

class Runner {
 public:
  Runner(const ModelWeights& weights, const SpecialTokens& tokens, const EngineOptions& options);

  const Device& device() const { return device_; }
  // Windows that may be encoded at a time.
  int most_windows() const { return most_windows_; }
  int windows() const { return windows_->count(); }

  // False where memory must be given back by others first.
  bool encode(Request& request);
  // The search of a request that is about to begin; null where there is no room.
  std::unique_ptr<ActiveSearch> begin(const std::shared_ptr<Request>& request);
  // Reads prompts of the same length, kMostParts at most. Like step() it lets the searches choose what comes
  // next, or end.
  void read_prompts(const std::vector<ActiveSearch*>& searches);
  // One more token for each sequence of the searches, kMostParts at most.
  void step(const std::vector<ActiveSearch*>& searches);
  bool align(Request& request);

  // After an exception from one of these.
  void recover();

 private:
  using Requests = std::vector<Request*>;

  GraphBuilder builder(ggml_context* context, ggml_cgraph* graph) const;
  void reserve();
  void prepare_encoder(const EncodedWindow& window);
  void prepare_prompt(const DecoderShape& shape);
  void prepare_step(const DecoderShape& shape);
  bool compute(Pass& pass, const Requests& requests, double PassSeconds::*phase);
  void fill(Pass& pass, const DecoderGraph& graph, const std::vector<ActiveSearch*>& searches,
            const DecoderShape& shape);
  void advance(ActiveSearch& search, const std::vector<float*>& rows);
  void copy_sequences(const std::vector<ActiveSearch*>& searches);
  int padded_keys(int count) const;
  ggml_tensor* scratch(const DecoderShape& shape);

  const ModelWeights& weights_;
  const SpecialTokens tokens_;
  const EngineOptions options_;
  Device device_;
  std::shared_ptr<WindowCache> windows_;
  SequenceCache sequences_;
  SequenceCopier copier_;
  int most_windows_;
  bool turned_keys_; // of windows: see graph/layers.h
  std::optional<Pass> encoder_, prompt_, step_;
  ggml_tensor* mel_ = nullptr;
  DecoderGraph prompt_graph_, step_graph_;
  Tensors scratch_tensors_;
  Buffer scratch_buffer_;
  ggml_tensor* scratch_ = nullptr;
  std::vector<float> logits_;
  std::vector<SequenceCopy> waiting_copies_;
};

} // namespace whisper_hip
