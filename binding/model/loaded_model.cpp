#include "model/loaded_model.h"

#include <chrono>
#include <utility>

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

LoadedModel::LoadedModel(const LoadPlan& plan, ContextOptions options, const std::atomic<bool>& cancelled,
                         std::function<void(double)> progress)
    : hparams_(plan.hparams), on_gpu_(options.use_gpu) {
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
  weights_ = model_weights(*context_);
  weight_bytes_ = weight_buffers(*context_);
  alignment_heads_ =
      options.alignment_heads.empty() ? known_alignment_heads(*context_) : options.alignment_heads;
  EngineOptions engine;
  engine.gpu = options.use_gpu ? options.gpu_device : -1;
  engine.gpu_only = options.gpu_only;
  engine.flash_attention = options.flash_attention;
  engine_ = std::make_unique<Engine>(weights_, special_tokens(*context_), engine);
  device_ = engine_->device();
  live_counts().models++;
}

std::exception_ptr LoadedModel::failure() const {
  return on_gpu_ ? note_gpu_failure() : std::current_exception();
}

bool LoadedModel::is_poisoned() const {
  return on_gpu_ && !gpu_failure().empty();
}

// By whoever lets go of the model last, perhaps the JS thread.
LoadedModel::~LoadedModel() {
  if (disposed_ || !engine_)
    return;
  on_gpu_ ? do_watched([this] { free_all(); }) : free_all();
}

std::unique_ptr<LoadedModel::Lease> LoadedModel::lease() {
  if (on_gpu_)
    require_sound_gpu();
  std::lock_guard<std::mutex> lock(mutex_);
  if (disposed_)
    throw Error("ERR_DISPOSED", "The model has been disposed");
  auto lease = std::make_unique<Lease>(*this);
  leased_++;
  return lease;
}

void LoadedModel::give_back() {
  std::lock_guard<std::mutex> lock(mutex_);
  leased_--;
  changed_.notify_all();
}

void LoadedModel::dispose() {
  const bool was_poisoned = is_poisoned();
  {
    std::unique_lock<std::mutex> lock(mutex_);
    const bool is_first = !std::exchange(disposed_, true);
    // A thread that waits for a GPU that hangs does not come to the end of freeing.
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
  std::unique_ptr<Engine> engine;
  Context context;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    // Jobs that a failure of the GPU leaves unfinished may still look at both: the last of them frees them.
    if (leased_ == 0) {
      engine = std::move(engine_);
      context = std::move(context_);
    }
  }
  live_counts().models--;
  engine.reset();
  context.reset();
  std::lock_guard<std::mutex> lock(mutex_);
  freed_ = true;
  changed_.notify_all();
}

} // namespace whisper_hip
