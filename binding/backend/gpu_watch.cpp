#include "backend/gpu_watch.h"

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <set>
#include <thread>

#include "backend/gpu_state.h"

namespace whisper_hip {

namespace {

using Clock = std::chrono::steady_clock;
// As the probe allows for one stage: no graph of Whisper takes a working GPU a tenth of it.
constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::milliseconds kInterval{500};

int64_t now() {
  return Clock::now().time_since_epoch().count();
}

} // namespace

struct Pulse::State {
  std::function<void(const std::string&)> on_lost;
  std::atomic<int64_t> since{0}; // of Clock; 0 while the thread does not wait for the GPU
  std::atomic<bool> lost{false};
};

namespace {

thread_local Pulse::State* current = nullptr;

// One thread for the process, from the first work on a GPU on.
class Watch {
 public:
  void add(std::shared_ptr<Pulse::State> state) {
    std::lock_guard<std::mutex> lock(mutex_);
    states_.insert(std::move(state));
  }

  void remove(const std::shared_ptr<Pulse::State>& state) {
    std::lock_guard<std::mutex> lock(mutex_);
    states_.erase(state);
  }

  void start() {
    std::call_once(started_, [this] { std::thread([this] { run(); }).detach(); });
  }

  void limit_exit(int code) {
    exit_code_ = code;
    exit_since_ = now();
  }

 private:
  void run() {
    while (true) {
      std::this_thread::sleep_for(kInterval);
      if (exit_since_ != 0 && now() - exit_since_ > Clock::duration(kPatience).count()) {
        std::fputs("whisper-hip: the GPU's driver does not let this process end; it is ended without it\n",
                   stderr);
        _exit(exit_code_);
      }
      std::lock_guard<std::mutex> lock(mutex_);
      for (auto it = states_.begin(); it != states_.end();) {
        const std::shared_ptr<Pulse::State> state = *it;
        const int64_t since = state->since;
        if (since == 0 || now() - since < Clock::duration(kPatience).count()) {
          ++it;
          continue;
        }
        it = states_.erase(it);
        state->lost = true;
        const std::string failure =
            "The GPU has not answered for " + std::to_string(kPatience.count()) + " s";
        poison_gpu(failure);
        state->on_lost(failure);
      }
    }
  }

  std::mutex mutex_;
  std::set<std::shared_ptr<Pulse::State>> states_;
  std::once_flag started_;
  std::atomic<int> exit_code_{0};
  std::atomic<int64_t> exit_since_{0};
};

// Never destroyed: its thread may still run while the process exits.
Watch& watch() {
  static auto* watch = new Watch;
  return *watch;
}

// A thread that was given up must not touch what others have freed since.
void stay_away_if_lost(const Pulse::State& state) {
  while (state.lost)
    pause();
}

} // namespace

Pulse::Pulse(std::function<void(const std::string&)> on_lost) : state_(std::make_shared<State>()) {
  state_->on_lost = std::move(on_lost);
  watch().add(state_);
  current = state_.get();
}

Pulse::~Pulse() {
  current = nullptr;
  watch().remove(state_);
  stay_away_if_lost(*state_);
}

void limit_exit(int code) {
  watch().limit_exit(code);
}

GpuScope::GpuScope(bool on_gpu)
    : state_(on_gpu && current != nullptr && current->since == 0 ? current : nullptr) {
  if (state_ == nullptr)
    return;
  watch().start();
  state_->since = now();
}

GpuScope::~GpuScope() {
  if (state_ == nullptr)
    return;
  state_->since = 0;
  stay_away_if_lost(*state_);
}

} // namespace whisper_hip
