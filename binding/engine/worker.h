// The thread of an engine: takes the requests that wait, decides what is computed next, and computes it.
#pragma once

#include <exception>
#include <memory>
#include <vector>

#include "engine/request.h"
#include "engine/runner.h"

namespace whisper_hip {

class Worker {
 public:
  Worker(const ModelWeights& weights, const SpecialTokens& tokens, const EngineOptions& options,
         RequestQueue& queue);

  const Runner& runner() const { return runner_; }
  // Until the queue is closed.
  void run();

 private:
  using Searches = std::vector<ActiveSearch*>;

  void drop_abandoned();
  // Each does one thing at most, and tells whether it has done something.
  bool encode_next();
  bool align_next();
  bool begin_waiting();
  bool step_all();

  std::shared_ptr<Request> next_to_encode() const;
  void read_prompts(const Searches& searches);
  void step(const Searches& searches);
  // What the exception that is being handled means for the device.
  bool is_lost() const;
  std::exception_ptr failure() const;
  // Fails everything after a failure that nothing can be computed after.
  bool end_if_lost();
  // Removes the request from those that wait.
  void take(const std::shared_ptr<Request>& request);
  // What the exception that is being handled means: the searches fail with it, unless there was too little
  // memory for several, which are then tried by halves.
  void recover(const Searches& searches);
  void finish_ended();

  RequestQueue& queue_;
  Runner runner_;
  std::vector<std::shared_ptr<Request>> waiting_;
  std::vector<std::unique_ptr<ActiveSearch>> active_;
  int most_rows_;
  int64_t served_ = 0;
};

} // namespace whisper_hip
