#include "backend/gpu_watch.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "backend/gpu_state.h"
#include "support/abort.h"

namespace whisper_hip {

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// Half a minute is what the trial allows for one stage: no graph of Whisper takes a working GPU a tenth of
// it.
double patience_of(const char* variable) {
  constexpr double kDefault = 30, kMost = 86400;
  char* end = nullptr;
  const double seconds = variable != nullptr ? std::strtod(variable, &end) : kDefault;
  const bool is_number = end != variable && (end == nullptr || *end == '\0');
  return is_number && seconds >= 1 && seconds <= kMost ? seconds : kDefault;
}

// Read once, when the watch begins.
Seconds patience() {
  static const Seconds seconds(patience_of(std::getenv("WHISPER_HIP_WATCH_SECONDS")));
  return seconds;
}

// For the library of a driver that has failed already.
Seconds patience_at_exit() {
  return gpu_failure().empty() ? patience() : std::min(patience(), Seconds(5));
}

// Ticks of Clock, or one of these.
constexpr int64_t kIdle = 0;
constexpr int64_t kLost = -1;

int64_t now() {
  return Clock::now().time_since_epoch().count();
}

bool is_over(int64_t since, Seconds limit) {
  return Clock::duration(now() - since) > limit;
}

std::string in_words(Seconds seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", seconds.count());
  return text;
}

} // namespace

struct Pulse::State {
  std::function<void(const std::string&)> on_lost;
  // Since when the thread waits for the GPU. Only the thread changes kIdle; of another value either the
  // thread makes kIdle or the watch makes kLost, whichever comes first: that decides.
  std::atomic<int64_t> since{kIdle};

  void begin() { since = now(); }

  // A thread that was given up must not touch what others have freed since.
  void end() {
    int64_t begun = since;
    if (begun == kLost || !since.compare_exchange_strong(begun, kIdle))
      stay_away();
  }

  bool give_up_after(Seconds limit) {
    int64_t begun = since;
    return begun != kIdle && begun != kLost && is_over(begun, limit) &&
           since.compare_exchange_strong(begun, kLost);
  }

  [[noreturn]] static void stay_away() {
    while (true)
      pause();
  }
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

  // Without a thread, or memory for one, nobody watches; the next work tries again.
  void start() {
    try {
      std::call_once(started_, [this] {
        patience();
        limit_exit();
        std::thread([this] { run(); }).detach();
        is_running_ = true;
      });
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {
    }
  }

  bool is_running() const { return is_running_; }

  // Unless it has ended by itself. The time counts from the first call on.
  void end_process_later(int code) {
    exit_code_ = code;
    int64_t none = kIdle;
    exit_since_.compare_exchange_strong(none, now());
  }
  void let_process_be() { exit_since_ = kIdle; }

  // What is called by exit() is called in the reverse order of its registration: so before the functions of
  // libraries that are in use by now.
  static void limit_exit() {
#ifdef __GLIBC__
    on_exit([](int code, void*) { watch().end_process_later(code); }, nullptr);
#endif
  }

  // Never destroyed: its thread may still run while the process exits.
  static Watch& watch() {
    static auto* watch = new Watch;
    return *watch;
  }

 private:
  [[noreturn]] void run() {
    const Seconds interval = std::min(patience() / 10, Seconds(0.5));
    while (true) {
      std::this_thread::sleep_for(interval);
      const int64_t exit_since = exit_since_;
      if (exit_since != kIdle && is_over(exit_since, patience_at_exit()))
        end_process();
      look_after_threads();
    }
  }

  void look_after_threads() {
    std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = states_.begin(); it != states_.end();) {
      const std::shared_ptr<Pulse::State> state = *it;
      if (!state->give_up_after(patience())) {
        ++it;
        continue;
      }
      it = states_.erase(it);
      const std::string failure = "The GPU has not answered for " + in_words(patience()) + " s";
      poison_gpu(failure);
      state->on_lost(failure);
    }
  }

  [[noreturn]] void end_process() {
    std::fputs("whisper-hip: the GPU's driver does not let this process end; it is ended without it\n",
               stderr);
    _exit(exit_code_);
  }

  std::mutex mutex_;
  std::set<std::shared_ptr<Pulse::State>> states_;
  std::once_flag started_;
  std::atomic<bool> is_running_{false};
  std::atomic<int> exit_code_{0};
  std::atomic<int64_t> exit_since_{kIdle};
};

Watch& watch() {
  return Watch::watch();
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
}

GpuScope::GpuScope(bool on_gpu)
    : state_(on_gpu && current != nullptr && current->since == kIdle ? current : nullptr) {
  if (state_ == nullptr)
    return;
  watch().start();
  state_->begin();
}

GpuScope::~GpuScope() {
  if (state_ != nullptr)
    state_->end();
}

CpuScope::CpuScope() : state_(current != nullptr && current->since != kIdle ? current : nullptr) {
  if (state_ != nullptr)
    state_->end();
}

CpuScope::~CpuScope() {
  if (state_ != nullptr)
    state_->begin();
}

void free_of_device(bool on_gpu, const std::function<void()>& free) {
  if (!on_gpu)
    return free();
  if (!gpu_failure().empty())
    return;
  try {
    const GpuScope waiting(true);
    free();
  } catch (...) {
    (void)note_gpu_failure();
  }
}

void stay_away_if_lost() {
  if (current != nullptr && current->since == kLost)
    Pulse::State::stay_away();
}

void do_watched(std::function<void()> work) {
  if (current != nullptr)
    return work();
  struct Ending {
    std::mutex mutex;
    std::condition_variable changed;
    bool come = false;
    void tell() {
      std::lock_guard<std::mutex> lock(mutex);
      come = true;
      changed.notify_all();
    }
  };
  std::shared_ptr<Ending> ending;
  try {
    ending = std::make_shared<Ending>();
    std::thread([ending, work] {
      {
        const AbortScope abort;
        std::optional<Pulse> pulse;
        try {
          pulse.emplace([ending](const std::string&) { ending->tell(); });
        } catch (const std::bad_alloc&) {
          // Nobody watches.
        }
        work();
      }
      ending->tell();
    }).detach();
  } catch (const std::system_error&) {
    return work();
  } catch (const std::bad_alloc&) {
    return work();
  }
  std::unique_lock<std::mutex> lock(ending->mutex);
  ending->changed.wait(lock, [&ending] { return ending->come; });
}

ExitScope::ExitScope(int code) {
  if (watch().is_running())
    watch().end_process_later(code);
}

ExitScope::~ExitScope() {
  if (!watch().is_running())
    return;
  watch().let_process_be();
  Watch::limit_exit();
}

} // namespace whisper_hip
