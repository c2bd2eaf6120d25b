// State of one Node environment (the main thread or a worker): its tasks, its log sink, its way back to JS.
//
// When the environment ends (process.exit(), an uncaught exception, worker.terminate()), every task is
// cancelled and its thread joined before anything is freed; only a thread that waits for a GPU that does not
// answer is left behind (gpu_watch.h).
#pragma once

#include <napi.h>

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <thread>

namespace whisper_hip {

// Makes the JS value of a finished task, on the JS thread.
using Settle = std::function<Napi::Value(Napi::Env)>;
// The work of a task, on its own thread. May throw; Error(ERR_CANCELLED) once `cancelled` is set.
using Work = std::function<Settle(const std::atomic<bool>& cancelled)>;

// JS functions that a task calls. Created, called and destroyed on the JS thread.
struct TaskCallbacks {
  Napi::FunctionReference on_segments;
  Napi::FunctionReference on_progress;
};

class Environment {
 public:
  // Creates the environment's state as instance data.
  static Environment& create(Napi::Env env);
  static Environment& of(Napi::Env env);
  ~Environment();

  // Runs `call` on the JS thread, in the order of posting; dropped when the environment has ended. Any
  // thread.
  void post(std::function<void(Napi::Env)> call);

  // Starts a thread for `work`. Returns { result: Promise, cancel() }. JS thread.
  Napi::Object run(Napi::Env env, Work work, std::shared_ptr<TaskCallbacks> callbacks = nullptr);

  // The same for work that frees memory: without memory for a thread it is done before this returns.
  Napi::Object run_at_any_cost(Napi::Env env, Work work);

  // A function (level, text), or anything else for none.
  void set_log_sink(Napi::Value sink);

  static int live_tasks();

  Napi::FunctionReference model_constructor;
  Napi::FunctionReference byte_store_constructor;

 private:
  struct Task;
  explicit Environment(Napi::Env env);
  void post(std::unique_ptr<std::function<void(Napi::Env)>> call);
  Napi::Object start(Napi::Env env, const std::shared_ptr<Task>& task);
  void execute(const std::shared_ptr<Task>& task) noexcept;
  void give_up(const std::shared_ptr<Task>& task, const std::string& failure);
  void settle(Napi::Env env, const std::shared_ptr<Task>& task);
  void log(int level, const char* text);
  void close();

  napi_threadsafe_function queue_ = nullptr;
  std::set<std::shared_ptr<Task>> tasks_;
  std::shared_ptr<Napi::FunctionReference> log_sink_; // JS thread only
  std::atomic<bool> logging_{false};
  bool closed_ = false;
};

} // namespace whisper_hip
