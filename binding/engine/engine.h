// One decoder for everything that a model is asked for at the same time: windows of files, of live streams,
// detection of languages, alignment of words. Whoever asks waits; one thread for each model takes what waits
// and computes it together, and a place that becomes free is filled at once.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "engine/request.h"
#include "engine/runner.h"

namespace whisper_hip {

// Who asks. Several threads may ask for one client.
class Client {
 public:
  // `threads`: of the CPU. What is live goes first.
  Client(const std::atomic<bool>& cancelled, int threads, bool live)
      : cancelled(cancelled), threads(threads), live(live) {}
  // The same, as far as fairness and results go, but for what cancels it.
  Client(const Client& other, const std::atomic<bool>& cancelled)
      : cancelled(cancelled), threads(other.threads), live(other.live), record_(other.record_) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const std::atomic<bool>& cancelled;
  const int threads;
  const bool live;

  PassSeconds seconds() const;
  NodeCounts counts() const;

 private:
  friend class Engine;
  std::shared_ptr<ClientRecord> record_ = std::make_shared<ClientRecord>();
};

using Window = std::shared_ptr<const EncodedWindow>;

// What comes before a text.
struct Prompt {
  std::vector<Token> tokens;
  int start = 0; // place of <|startoftranscript|> among them
};

class Engine {
 public:
  // Starts the thread. The weights must outlive it. Throws Error(ERR_BACKEND_UNAVAILABLE |
  // ERR_OUT_OF_MEMORY).
  Engine(const ModelWeights& weights, const SpecialTokens& tokens, const EngineOptions& options);
  // Nobody may be waiting. A thread that hangs in the driver of a GPU is left alone, with what it uses.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const std::string& device() const; // "CPU", "ROCm0"
  const SpecialTokens& tokens() const { return tokens_; }
  // Windows that are best worked at together, as far as memory goes.
  int batch_windows() const;
  // Each of these waits for its result. Throws Error(ERR_CANCELLED) soon after the client is cancelled, or
  // what the computation threw.

  // `mel`: f32 [mels, 2 * positions] row-major; 1..audio_positions positions of 20 ms. What lies beyond them
  // does not exist for the decoder.
  Window encode(Client& client, std::vector<float> mel, int positions);
  // Lets the search go on to its end. Returns the probability of <|nospeech|> after the start.
  float decode(Client& client, const Window& window, const Prompt& prompt, Search& search);
  // The cross-attention of `heads` while `tokens` are read: softmax over the positions of the window,
  // [heads, tokens, positions].
  std::vector<float> align(Client& client, const Window& window, const std::vector<Token>& tokens,
                           const std::vector<AttentionHead>& heads);

  // For NaN or infinity where the model has to give numbers: throws Error(ERR_MODEL_CORRUPT) of weights that
  // are damaged, or where a GPU computes Error(ERR_INTERNAL, GPU_RESULT_INVALID).
  [[noreturn]] void throw_not_numbers() const;

 private:
  struct Shared;

  std::shared_ptr<Request> request_of(Client& client, Request::Kind kind) const;
  void answer(Client& client, const std::shared_ptr<Request>& request);

  SpecialTokens tokens_;
  bool on_gpu_;
  std::shared_ptr<Shared> shared_; // with the thread
};

} // namespace whisper_hip
