// A model in memory: the weights, and the engine that all jobs share.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "model/load_plan.h"
#include "model/whisper_unit.h"

namespace whisper_hip {

class LoadedModel {
 public:
  // Loads the weights. `progress` gets 0..1; a set `cancelled` makes it throw Error(ERR_CANCELLED).
  LoadedModel(const LoadPlan& plan, ContextOptions options, const std::atomic<bool>& cancelled,
              std::function<void(double)> progress);
  ~LoadedModel();

  const Hyperparameters& hparams() const { return hparams_; }
  const std::map<std::string, size_t>& weight_bytes() const { return weight_bytes_; }
  const std::string& device() const { return device_; }
  bool on_gpu() const { return on_gpu_; }
  const std::vector<AttentionHead>& alignment_heads() const { return alignment_heads_; }

  // The right of one job to use the model, which is not freed meanwhile.
  class Lease {
   public:
    explicit Lease(LoadedModel& model) : model_(model) {}
    ~Lease() { model_.give_back(); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    const whisper_context& context() const { return *model_.context_; }
    Engine& engine() const { return *model_.engine_; }

   private:
    LoadedModel& model_;
  };
  // Throws Error(ERR_DISPOSED | ERR_BACKEND_UNAVAILABLE).
  std::unique_ptr<Lease> lease();

  // Refuses new jobs, waits for the running ones and frees everything. Not on the JS thread. Throws
  // Error(ERR_INTERNAL, CONTEXT_POISONED) when the GPU fails meanwhile.
  void dispose();

 private:
  void give_back();
  // What the exception that is being handled means for this model's device.
  std::exception_ptr failure() const;
  bool is_poisoned() const;
  void free_all();
  void load(const LoadPlan& plan, const ContextOptions& options, const std::atomic<bool>& cancelled,
            std::function<void(double)> progress);

  Hyperparameters hparams_;
  Context context_;
  ModelWeights weights_;
  std::unique_ptr<Engine> engine_; // of the weights
  std::map<std::string, size_t> weight_bytes_;
  std::string device_;
  std::vector<AttentionHead> alignment_heads_;
  bool on_gpu_;

  std::mutex mutex_;
  std::condition_variable changed_;
  size_t leased_ = 0;
  bool disposed_ = false;
  bool freed_ = false;
};

// For tests: what is alive in this process.
struct LiveCounts {
  std::atomic<int> models{0};
};
LiveCounts& live_counts();

} // namespace whisper_hip
