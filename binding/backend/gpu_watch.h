// Watches over work on the GPU. A driver that hangs cannot be interrupted: the thread that waits for it is
// given up, with all that it holds, and whoever waits for the thread is told. The GPU is not used again.
//
// The watch waits for one answer as long as WHISPER_HIP_WATCH_SECONDS says: 1 to 86400, default 30. So a
// thread may hold no lock that others need while it is in a GpuScope.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace whisper_hip {

// The signs of life of one thread that may work on the GPU.
class Pulse {
 public:
  // Watches the current thread until the object is destroyed by it. `on_lost` is called once, on the watching
  // thread, with a sentence, when the GPU has not answered; the current thread then never comes back to its
  // caller.
  explicit Pulse(std::function<void(const std::string&)> on_lost);
  ~Pulse();
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

// The current thread waits for one answer of the GPU while the object lives, if `on_gpu`. Without a Pulse
// nobody watches.
class GpuScope {
 public:
  explicit GpuScope(bool on_gpu);
  ~GpuScope();
  GpuScope(const GpuScope&) = delete;
  GpuScope& operator=(const GpuScope&) = delete;

 private:
  Pulse::State* state_;
};

// Inside a GpuScope: while the object lives the thread works on the CPU, and the clock stands still.
class CpuScope {
 public:
  CpuScope();
  ~CpuScope();
  CpuScope(const CpuScope&) = delete;
  CpuScope& operator=(const CpuScope&) = delete;

 private:
  Pulse::State* state_;
};

// Frees something, on a GPU under the watch. After a failure of the GPU, freeing its memory may end the
// process or hang: it is left to the driver. As a failure counts also one to free.
void free_of_device(bool on_gpu, const std::function<void()>& free);

// For what a given-up thread might do inside a GpuScope before it notices: never returns to it.
void stay_away_if_lost();

// Does `work` on a thread with a Pulse, this one if it has one, and waits until it ends or is given up. What
// `work` uses must stay valid when it is given up. It must not throw.
void do_watched(std::function<void()> work);

// The process is ending with this code: ends it where what is done in the life of the object takes longer
// than the watch waits for the GPU. When the object has gone, the same holds for all that is done after the
// call of exit(), such as the closing of the driver's library. Does nothing where no GPU was in use.
class ExitScope {
 public:
  explicit ExitScope(int code);
  ~ExitScope();
  ExitScope(const ExitScope&) = delete;
  ExitScope& operator=(const ExitScope&) = delete;
};

} // namespace whisper_hip
