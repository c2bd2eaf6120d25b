#include "engine/engine.h"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "backend/gpu_state.h"
#include "backend/gpu_watch.h"
#include "engine/worker.h"
#include "support/abort.h"
#include "support/error.h"
#include "support/log.h"

namespace whisper_hip {

PassSeconds Client::seconds() const {
  std::lock_guard<std::mutex> lock(record_->mutex);
  return record_->seconds;
}

NodeCounts Client::counts() const {
  std::lock_guard<std::mutex> lock(record_->mutex);
  return record_->counts;
}

// What the thread and the engine know of each other. A thread that was given up keeps it.
struct Engine::Shared {
  RequestQueue queue;
  std::thread thread;

  std::mutex mutex;
  std::condition_variable changed;
  bool started = false; // or failed
  bool ended = false;
  bool lost = false; // the thread waits for a GPU that does not answer
  std::exception_ptr failure;
  std::string device, description;
  int batch_windows = 1;
  // Requests that the thread has taken; told when it is given up.
  std::vector<std::weak_ptr<Request>> asked;

  void give_up(const std::string& sentence) {
    const auto failure = std::make_exception_ptr(Error("ERR_INTERNAL", sentence, "CONTEXT_POISONED"));
    queue.fail(failure);
    std::lock_guard<std::mutex> lock(mutex);
    for (const auto& weak : asked) {
      if (const auto request = weak.lock())
        request->finish(failure);
    }
    this->failure = failure;
    lost = ended = started = true;
    changed.notify_all();
  }

  void run(const ModelWeights& weights, const SpecialTokens& tokens, const EngineOptions& options) {
    const AbortScope abort;
    try {
      const LogScope log;
      Worker worker(weights, tokens, options, queue);
      {
        std::lock_guard<std::mutex> lock(mutex);
        device = worker.runner().device().name();
        description = worker.runner().device().description();
        batch_windows = worker.runner().most_windows();
        started = true;
        changed.notify_all();
      }
      worker.run();
    } catch (...) {
      const std::exception_ptr end = options.gpu >= 0 ? note_gpu_failure() : std::current_exception();
      queue.fail(end);
      std::lock_guard<std::mutex> lock(mutex);
      failure = end;
      for (const auto& weak : asked) {
        if (const auto request = weak.lock())
          request->finish(end);
      }
    }
    std::lock_guard<std::mutex> lock(mutex);
    started = ended = true;
    changed.notify_all();
  }
};

Engine::Engine(const ModelWeights& weights, const SpecialTokens& tokens, const EngineOptions& options)
    : tokens_(tokens), on_gpu_(options.gpu >= 0), shared_(std::make_shared<Shared>()) {
  try {
    shared_->thread = std::thread([shared = shared_, &weights, tokens, options] {
      std::optional<Pulse> pulse;
      if (options.gpu >= 0)
        pulse.emplace([weak = std::weak_ptr<Shared>(shared)](const std::string& sentence) {
          if (const auto alive = weak.lock())
            alive->give_up(sentence);
        });
      shared->run(weights, tokens, options);
    });
  } catch (const std::system_error& error) {
    throw Error("ERR_OUT_OF_MEMORY",
                std::string("The thread of a model could not be started: ") + error.what());
  }
  std::unique_lock<std::mutex> lock(shared_->mutex);
  shared_->changed.wait(lock, [this] { return shared_->started; });
  if (!shared_->failure)
    return;
  const std::exception_ptr failure = shared_->failure;
  const bool lost = shared_->lost;
  lock.unlock();
  lost ? shared_->thread.detach() : shared_->thread.join();
  std::rethrow_exception(failure);
}

Engine::~Engine() {
  shared_->queue.close();
  std::unique_lock<std::mutex> lock(shared_->mutex);
  shared_->changed.wait(lock, [this] { return shared_->ended; });
  const bool lost = shared_->lost;
  lock.unlock();
  lost ? shared_->thread.detach() : shared_->thread.join();
}

const std::string& Engine::device() const {
  return shared_->device;
}

int Engine::batch_windows() const {
  return shared_->batch_windows;
}

std::shared_ptr<Request> Engine::request_of(Client& client, Request::Kind kind) const {
  auto request = std::make_shared<Request>();
  request->kind = kind;
  request->client = client.record_;
  request->threads = client.threads;
  request->live = client.live;
  return request;
}

void Engine::answer(Client& client, const std::shared_ptr<Request>& request) {
  if (on_gpu_)
    require_sound_gpu();
  {
    std::lock_guard<std::mutex> lock(shared_->mutex);
    auto& asked = shared_->asked;
    asked.erase(std::remove_if(asked.begin(), asked.end(), [](const auto& weak) { return weak.expired(); }),
                asked.end());
    asked.push_back(request);
    if (shared_->failure)
      std::rethrow_exception(shared_->failure);
  }
  shared_->queue.add(request);
  try {
    request->wait(client.cancelled);
  } catch (const Error& error) {
    if (std::strcmp(error.code, "ERR_MODEL_CORRUPT") == 0)
      throw_not_numbers();
    throw;
  }
}

Window Engine::encode(Client& client, std::vector<float> mel, int positions) {
  const auto request = request_of(client, Request::Kind::encode);
  request->mel = std::move(mel);
  request->positions = positions;
  answer(client, request);
  return request->encoded;
}

float Engine::decode(Client& client, const Window& window, const Prompt& prompt, Search& search) {
  const auto request = request_of(client, Request::Kind::decode);
  request->window = window;
  request->tokens = prompt.tokens;
  request->start = prompt.start;
  request->search = &search;
  request->width = search.width();
  answer(client, request);
  return request->no_speech;
}

std::vector<float> Engine::align(Client& client, const Window& window, const std::vector<Token>& tokens,
                                 const std::vector<AttentionHead>& heads) {
  const auto request = request_of(client, Request::Kind::align);
  request->window = window;
  request->tokens = tokens;
  request->heads = heads;
  answer(client, request);
  if (!std::all_of(request->attention.begin(), request->attention.end(),
                   [](float weight) { return std::isfinite(weight); }))
    throw_not_numbers();
  return std::move(request->attention);
}

void Engine::throw_not_numbers() const {
  if (!on_gpu_)
    throw Error("ERR_MODEL_CORRUPT",
                "The model computes values that are not numbers: its weights are damaged");
  throw Error("ERR_INTERNAL",
              "The GPU (" + shared_->device + ", " + shared_->description +
                  ") gave values that are not numbers: it computes wrongly, or the weights are damaged",
              "GPU_RESULT_INVALID");
}

} // namespace whisper_hip
