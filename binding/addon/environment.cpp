#include "addon/environment.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "addon/js_error.h"
#include "backend/gpu_watch.h"
#include "support/abort.h"
#include "support/error.h"
#include "support/log.h"

namespace whisper_hip {

namespace {

using Call = std::function<void(Napi::Env)>;

std::atomic<int> task_count{0};

// The last stop of a posted call. Without an environment it is only freed.
void run_call(napi_env env, napi_value, void*, void* data) {
  const std::unique_ptr<Call> call(static_cast<Call*>(data));
  if (env == nullptr)
    return;
  try {
    with_js_errors(env, [&] { (*call)(Napi::Env(env)); });
  } catch (const Napi::Error& error) {
    error.ThrowAsJavaScriptException();
  }
}

} // namespace

struct Environment::Task {
  Task(Napi::Env env, Work work) : work(std::move(work)), deferred(Napi::Promise::Deferred::New(env)) {
    task_count++;
  }
  ~Task() { task_count--; }

  // Waits until the thread has ended or was given up.
  void wait() {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait(lock, [this] { return ended; });
    if (thread.joinable())
      lost ? thread.detach() : thread.join();
  }

  // The outcome is an error. What there is no memory for stays unsaid.
  void fail(const char* error, const char* why, const char* sentence, const char* detail = "") noexcept {
    try {
      std::string texts[] = {error, why, std::string(sentence) + detail};
      code.swap(texts[0]);
      reason.swap(texts[1]);
      message.swap(texts[2]);
    } catch (const std::bad_alloc&) {
    }
  }

  void end(bool given_up) {
    std::lock_guard<std::mutex> lock(mutex);
    ended = true;
    lost = given_up;
    changed.notify_all();
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false; // nothing of the thread touches this library any more
  bool lost = false;  // it waits for a GPU that does not answer
  std::atomic<bool> cancelled{false};
  Work work;
  bool needs_thread = true; // else it may be done on the JS thread
  std::thread thread;
  // Settles the promise; made before the work begins, which may leave no memory for it. Whoever ends the task
  // posts it.
  std::unique_ptr<Call> done;
  Napi::Promise::Deferred deferred;
  std::shared_ptr<TaskCallbacks> callbacks;
  // The outcome: a value to make, or an error.
  Settle settle;
  // Until something else is known: what can be said without memory.
  std::string code = "ERR_OUT_OF_MEMORY";
  std::string message = "Memory could not be allocated";
  std::string reason;
};

int Environment::live_tasks() {
  return task_count;
}

Environment& Environment::create(Napi::Env env) {
  auto* environment = new Environment(env);
  env.SetInstanceData<Environment>(environment);
  return *environment;
}

Environment& Environment::of(Napi::Env env) {
  return *env.GetInstanceData<Environment>();
}

Environment::Environment(Napi::Env env) {
  const napi_status status =
      napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "whisper-hip"), 0, 1,
                                      nullptr, nullptr, nullptr, run_call, &queue_);
  if (status != napi_ok)
    throw Napi::Error::New(env, "whisper-hip: the queue to JavaScript cannot be created");
  napi_unref_threadsafe_function(env, queue_);
  // Hooks run in the reverse order of their registration: after the queue's own was added, so before it is
  // closed.
  env.AddCleanupHook([](Environment* self) { self->close(); }, this);
  // process.exit() and an uncaught exception leave the main thread without running the hooks, and then
  // destroy what the threads use.
  const auto process = env.Global().Get("process").As<Napi::Object>();
  const auto on_exit = Napi::Function::New(env, [this](const Napi::CallbackInfo& info) {
    // A worker's end is not that of the process.
    std::optional<ExitScope> limit;
    if (syscall(SYS_gettid) == getpid())
      limit.emplace(info[0].ToNumber().Int32Value());
    close();
  });
  process.Get("on").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), on_exit});
}

Environment::~Environment() {
  close();
}

void Environment::close() {
  if (std::exchange(closed_, true))
    return;
  for (const auto& task : tasks_)
    task->cancelled = true;
  for (const auto& task : tasks_)
    task->wait();
  tasks_.clear();
  log_sink_.reset();
}

void Environment::post(Call call) {
  post(std::make_unique<Call>(std::move(call)));
}

void Environment::post(std::unique_ptr<Call> call) {
  if (napi_call_threadsafe_function(queue_, call.get(), napi_tsfn_nonblocking) == napi_ok)
    (void)call.release();
}

Napi::Object Environment::run(Napi::Env env, Work work, std::shared_ptr<TaskCallbacks> callbacks) {
  return with_js_errors(env, [&] {
    auto task = std::make_shared<Task>(env, std::move(work));
    task->callbacks = std::move(callbacks);
    return start(env, task);
  });
}

Napi::Object Environment::run_at_any_cost(Napi::Env env, Work work) {
  return with_js_errors(env, [&] {
    auto task = std::make_shared<Task>(env, std::move(work));
    task->needs_thread = false;
    return start(env, task);
  });
}

Napi::Object Environment::start(Napi::Env env, const std::shared_ptr<Task>& task) {
  if (closed_)
    throw Error("ERR_DISPOSED", "No work can be started while the process exits");
  Napi::Object handle = Napi::Object::New(env);
  handle.Set("result", task->deferred.Promise());
  const std::weak_ptr<Task> weak = task;
  handle.Set("cancel", Napi::Function::New(env, [weak](const Napi::CallbackInfo&) {
               if (const auto running = weak.lock())
                 running->cancelled = true;
             }));

  tasks_.insert(task);
  // While a task runs the process stays alive.
  if (tasks_.size() == 1)
    napi_ref_threadsafe_function(env, queue_);
  try {
    task->done = std::make_unique<Call>([this, task](Napi::Env after) { settle(after, task); });
    task->thread = std::thread([this, task] {
      execute(task);
      post(std::move(task->done));
      task->end(false);
    });
    return handle;
  } catch (const std::system_error& error) {
    task->fail("ERR_OUT_OF_MEMORY", "", "A thread for the work could not be started: ", error.what());
  } catch (const std::bad_alloc&) {
  }
  if (!task->needs_thread)
    execute(task);
  task->done.reset();
  task->end(false);
  settle(env, task);
  return handle;
}

void Environment::execute(const std::shared_ptr<Task>& task) noexcept {
  try {
    const Pulse pulse([this, task](const std::string& failure) { give_up(task, failure); });
    LogScope log([this](int level, const char* text) {
      stay_away_if_lost(); // from an environment that has ended since
      this->log(level, text);
    });
    AbortScope abort;
    task->settle = std::exchange(task->work, nullptr)(task->cancelled);
  } catch (const Error& error) {
    task->fail(error.code, error.reason, error.what());
  } catch (const std::bad_alloc&) {
  } catch (const std::exception& error) {
    task->fail("ERR_INTERNAL", "", error.what());
  }
}

// On the thread that watches the GPU, while the task's thread hangs.
void Environment::give_up(const std::shared_ptr<Task>& task, const std::string& failure) {
  task->fail("ERR_INTERNAL", "CONTEXT_POISONED", failure.c_str());
  post(std::move(task->done));
  task->end(true);
}

void Environment::settle(Napi::Env env, const std::shared_ptr<Task>& task) {
  task->wait();
  tasks_.erase(task);
  if (tasks_.empty())
    napi_unref_threadsafe_function(env, queue_);
  try {
    if (task->settle)
      return task->deferred.Resolve(with_js_errors(env, [&] { return task->settle(env); }));
    throw js_error(env, task->code, task->message, task->reason);
  } catch (const Napi::Error& error) {
    task->deferred.Reject(error.Value());
  }
}

void Environment::log(int level, const char* text) {
  if (!logging_)
    return;
  post([this, level, line = std::string(text)](Napi::Env env) {
    const auto sink = log_sink_;
    if (sink)
      sink->Call({Napi::Number::New(env, level), Napi::String::New(env, line)});
  });
}

void Environment::set_log_sink(Napi::Value sink) {
  log_sink_ = sink.IsFunction()
                  ? std::make_shared<Napi::FunctionReference>(Napi::Persistent(sink.As<Napi::Function>()))
                  : nullptr;
  logging_ = log_sink_ != nullptr;
}

} // namespace whisper_hip
