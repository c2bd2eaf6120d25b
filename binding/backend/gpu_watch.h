// Watches over work on the GPU. A driver that hangs cannot be interrupted: the thread that waits for it is
// given up, with all that it holds, and whoever waits for the thread is told. The GPU is not used again.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace whisper_hip {

// The signs of life of one thread that may work on the GPU.
class Pulse {
 public:
  // Watches the current thread until the object is destroyed by it. `on_lost` is called once, on the watching
  // thread, with a sentence, when the GPU has not answered for kGpuPatience; the current thread then never
  // comes back to its caller.
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

// The process is ending with this code. Where a GPU was in use its driver may hang while its library is
// closed: then the process is ended without that.
void limit_exit(int code);

} // namespace whisper_hip
