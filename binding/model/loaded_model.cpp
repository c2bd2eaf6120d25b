#include "model/loaded_model.h"

#include <chrono>
#include <utility>

#include "backend/compute.h"
#include "backend/gpu_state.h"
#include "backend/gpu_watch.h"
#include "model/plan_stream.h"
#include "support/error.h"
#include "support/log.h"

namespace whisper_hip {

LiveCounts& live_counts() {
  static LiveCounts counts;
  return counts;
}

LoadedModel::LoadedModel(const LoadPlan& plan, ContextOptions options, size_t idle_states,
                         const std::atomic<bool>& cancelled, std::function<void(double)> progress)
    : hparams_(plan.hparams), on_gpu_(options.use_gpu), gpu_only_(options.gpu_only),
      idle_states_(idle_states) {
  validate(plan);
  options.weight_bytes = plan.weight_bytes();
  if (on_gpu_)
    require_sound_gpu();
  try {
    load(plan, options, cancelled, std::move(progress));
  } catch (...) {
    std::rethrow_exception(failure());
  }
}

void LoadedModel::load(const LoadPlan& plan, const ContextOptions& options,
                       const std::atomic<bool>& cancelled, std::function<void(double)> progress) {
  PlanStream stream(plan, cancelled, std::move(progress));
  whisper_model_loader loader = stream.loader();
  context_ = load_context(loader, options);
  weight_bytes_ = weight_buffers(*context_);
  alignment_heads_ =
      options.alignment_heads.empty() ? known_alignment_heads(*context_) : options.alignment_heads;
  // The first state is made now: what it needs is part of what loading promises, and it knows the device.
  LogScope log;
  State state = create_state(*context_);
  device_ = compute_device(*state);
  // whisper.cpp goes on without a GPU that cannot be started, and dies later of the weights that lie on it.
  if (on_gpu_ && !computes_on_gpu(*state))
    throw Error("ERR_BACKEND_UNAVAILABLE", "The GPU could not be started: " + logged_errors(),
                "HIP_INIT_FAILED");
  live_counts().models++;
  live_counts().states++;
  idle_.push_back(std::move(state));
}

std::exception_ptr LoadedModel::failure() const {
  return on_gpu_ ? note_gpu_failure() : std::current_exception();
}

bool LoadedModel::is_poisoned() const {
  return on_gpu_ && !gpu_failure().empty();
}

// By whoever lets go of the model last, perhaps the JS thread.
LoadedModel::~LoadedModel() {
  if (disposed_)
    return;
  on_gpu_ ? do_watched([this] { free_all(); }) : free_all();
}

void LoadedModel::Lease::abandon() {
  (void)state_.release();
  live_counts().states--;
}

void LoadedModel::Lease::discard() {
  if (compute_is_broken() || model_.is_poisoned())
    return abandon(); // threads or the GPU may still read and write it
  free_interrupted_state(std::move(state_));
  live_counts().states--;
}

std::unique_ptr<LoadedModel::Lease> LoadedModel::lease() {
  if (on_gpu_)
    require_sound_gpu();
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
    const std::exception_ptr cause = failure();
    give_back(std::move(state));
    std::rethrow_exception(cause);
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
  const bool was_poisoned = is_poisoned();
  {
    std::unique_lock<std::mutex> lock(mutex_);
    const bool is_first = !std::exchange(disposed_, true);
    // A thread that waits for a GPU that hangs neither gives its lease back nor comes to the end of freeing.
    while ((is_first ? leased_ != 0 : !freed_) && !is_poisoned())
      changed_.wait_for(lock, std::chrono::milliseconds(100));
    if (!is_first)
      return;
  }
  free_all();
  if (!was_poisoned && is_poisoned())
    throw Error("ERR_INTERNAL", gpu_failure(), "CONTEXT_POISONED");
}

// Frees without the lock, since a GPU may hang.
void LoadedModel::free_all() {
  std::vector<State> states;
  Context context;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    states.swap(idle_);
    // Jobs that a failure of the GPU leaves unfinished may still look at the context.
    if (leased_ == 0)
      context = std::move(context_);
  }
  live_counts().states -= static_cast<int>(states.size());
  live_counts().models--;
  states.clear();
  context.reset();
  std::lock_guard<std::mutex> lock(mutex_);
  freed_ = true;
  changed_.notify_all();
}

} // namespace whisper_hip
