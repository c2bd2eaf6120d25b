// A model in memory: weights that all jobs share, and the idle states of past jobs that the next ones reuse.
#pragma once

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "model/load_plan.h"
#include "model/whisper_unit.h"

namespace whisper_hip {

class LoadedModel {
 public:
  // Loads the weights. `progress` gets 0..1; a set `cancelled` makes it throw Error(ERR_CANCELLED).
  LoadedModel(const LoadPlan& plan, ContextOptions options, size_t idle_states,
              const std::atomic<bool>& cancelled, std::function<void(double)> progress);
  ~LoadedModel();

  // To be used by the holder of a lease.
  whisper_context& context() const { return *context_; }
  const Hyperparameters& hparams() const { return hparams_; }
  const std::map<std::string, size_t>& weight_bytes() const { return weight_bytes_; }
  const std::string& device() const { return device_; }
  bool on_gpu() const { return on_gpu_; }
  bool gpu_only() const { return gpu_only_; }
  const std::vector<AttentionHead>& alignment_heads() const { return alignment_heads_; }

  // A state for one job, and the right to use context(); goes back to the pool (or is freed) when the lease
  // ends.
  class Lease {
   public:
    Lease(LoadedModel& model, State state) : model_(model), state_(std::move(state)) {}
    ~Lease() { model_.give_back(std::move(state_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    whisper_state& state() { return *state_; }
    // Calls `work` with the state. A state that an exception came out of is not used again; when ggml gave up
    // on the GPU, neither is the GPU.
    template <typename Work> auto use(Work work) {
      try {
        return work(*state_);
      } catch (...) {
        const std::exception_ptr failure = model_.failure();
        discard();
        std::rethrow_exception(failure);
      }
    }
    // Calls `work`, which leaves the state as it was when an exception comes out of it.
    template <typename Work> void prepare(Work work) {
      try {
        work(*state_);
      } catch (...) {
        const std::exception_ptr failure = model_.failure();
        if (model_.is_poisoned())
          discard();
        std::rethrow_exception(failure);
      }
    }
    // After whisper_full() returned -7 whisper.cpp has already freed the state.
    void abandon();

   private:
    void discard();
    LoadedModel& model_;
    State state_;
  };
  // Throws Error(ERR_DISPOSED | ERR_OUT_OF_MEMORY | ERR_BACKEND_UNAVAILABLE).
  std::unique_ptr<Lease> lease();

  // Refuses new jobs, waits for the running ones and frees everything. Not on the JS thread. Throws
  // Error(ERR_INTERNAL, CONTEXT_POISONED) when the GPU fails meanwhile.
  void dispose();

 private:
  void give_back(State state);
  // What the exception that is being handled means for this model's device.
  std::exception_ptr failure() const;
  bool is_poisoned() const;
  void free_all();
  void load(const LoadPlan& plan, const ContextOptions& options, const std::atomic<bool>& cancelled,
            std::function<void(double)> progress);

  Hyperparameters hparams_;
  Context context_;
  std::map<std::string, size_t> weight_bytes_;
  std::string device_;
  std::vector<AttentionHead> alignment_heads_;
  bool on_gpu_;
  bool gpu_only_;
  size_t idle_states_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<State> idle_;
  size_t leased_ = 0;
  bool disposed_ = false;
  bool freed_ = false;
};

// Live objects of the process, for leak tests.
struct LiveCounts {
  std::atomic<int> models{0};
  std::atomic<int> states{0};
};
LiveCounts& live_counts();

} // namespace whisper_hip
