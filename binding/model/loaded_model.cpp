#include "model/loaded_model.h"

#include <utility>

#include "backend/compute.h"
#include "model/plan_stream.h"
#include "support/error.h"

namespace whisper_hip {

LiveCounts& live_counts() {
  static LiveCounts counts;
  return counts;
}

LoadedModel::LoadedModel(const LoadPlan& plan, ContextOptions options, size_t idle_states,
                         const std::atomic<bool>& cancelled, std::function<void(double)> progress)
    : hparams_(plan.hparams), idle_states_(idle_states) {
  validate(plan);
  options.weight_bytes = plan.weight_bytes();
  PlanStream stream(plan, cancelled, std::move(progress));
  whisper_model_loader loader = stream.loader();
  context_ = load_context(loader, options);
  weight_bytes_ = weight_buffers(*context_);
  // The first state is made now: what it needs is part of what loading promises, and it knows the device.
  State state = create_state(*context_);
  device_ = compute_device(*state);
  on_gpu_ = computes_on_gpu(*state);
  live_counts().models++;
  live_counts().states++;
  idle_.push_back(std::move(state));
}

LoadedModel::~LoadedModel() {
  dispose();
}

void LoadedModel::Lease::abandon() {
  (void)state_.release();
  live_counts().states--;
}

void LoadedModel::Lease::discard() {
  if (compute_is_broken())
    return abandon(); // threads may still read and write it
  free_interrupted_state(std::move(state_));
  live_counts().states--;
}

std::unique_ptr<LoadedModel::Lease> LoadedModel::lease() {
  State state;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (disposed_)
      throw Error("ERR_DISPOSED", "The model has been disposed");
    leased_++;
    if (!idle_.empty()) {
      state = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  try {
    if (!state) {
      state = create_state(*context_);
      live_counts().states++;
    }
    reset_state(*state);
    return std::make_unique<Lease>(*this, std::move(state));
  } catch (...) {
    give_back(std::move(state));
    throw;
  }
}

void LoadedModel::give_back(State state) {
  State surplus;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (state && !disposed_ && idle_.size() < idle_states_) {
      idle_.push_back(std::move(state));
    } else {
      surplus = std::move(state);
    }
  }
  if (surplus) {
    surplus.reset();
    live_counts().states--;
  }
  // Last of all: dispose() frees the weights as soon as nobody holds a lease.
  std::lock_guard<std::mutex> lock(mutex_);
  leased_--;
  changed_.notify_all();
}

void LoadedModel::dispose() {
  std::unique_lock<std::mutex> lock(mutex_);
  if (std::exchange(disposed_, true)) {
    changed_.wait(lock, [this] { return !context_; });
    return;
  }
  changed_.wait(lock, [this] { return leased_ == 0; });
  live_counts().states -= static_cast<int>(idle_.size());
  idle_.clear();
  if (context_)
    live_counts().models--;
  context_.reset();
  changed_.notify_all();
}

} // namespace whisper_hip
