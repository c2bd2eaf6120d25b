// What the engine is asked for, and where it waits.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/compute.h"
#include "engine/cache/windows.h"
#include "engine/graph/decoder.h"
#include "engine/search/search.h"

namespace whisper_hip {

struct PassSeconds { // a pass that several share counts in equal parts
  double encode = 0, prompt = 0, sample = 0;
};

// What was done for one client. It may outlive the client, which leaves when it is cancelled.
struct ClientRecord {
  std::mutex mutex;
  PassSeconds seconds;
  NodeCounts counts;   // of all graphs that the client had a part in
  int64_t served = -1; // when it was last given a window; of the engine's thread
};

struct Request {
  enum class Kind { encode, decode, align };

  Kind kind;
  std::shared_ptr<ClientRecord> client;
  int threads = 1;
  bool live = false; // goes first

  // To encode.
  std::vector<float> mel;
  int positions = 0;
  // To decode or align.
  std::shared_ptr<const EncodedWindow> window;
  std::vector<Token> tokens;
  int start = 0;            // place of <|startoftranscript|>
  Search* search = nullptr; // of the client: to be used with `searching` locked, unless it is abandoned
  int width = 1;            // of the search
  std::vector<AttentionHead> heads;

  // Results.
  std::shared_ptr<const EncodedWindow> encoded;
  float no_speech = 0;
  std::vector<float> attention;

  // Nobody waits any more.
  std::atomic<bool> abandoned{false};
  std::mutex searching;
  std::chrono::steady_clock::time_point asked;

  // By the engine: the results are there, or an exception in their place.
  void finish(std::exception_ptr failure = nullptr);
  // By the client. Throws the exception, or Error(ERR_CANCELLED) when `cancelled` is set.
  void wait(const std::atomic<bool>& cancelled);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::exception_ptr failure_;
};

// Requests that nobody has begun. Any thread may add one.
class RequestQueue {
 public:
  // Throws the failure that has ended the engine.
  void add(const std::shared_ptr<Request>& request);
  // Moves what has come to the end of `requests`. Waits until something has come if `wait`. Returns false
  // when the engine shall end.
  bool take(std::vector<std::shared_ptr<Request>>& requests, bool wait);
  // Nobody asks any more.
  void close();
  // The engine does not answer any more: what waits, and all that comes, fails.
  void fail(const std::exception_ptr& failure);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Request>> waiting_;
  bool closed_ = false;
  std::exception_ptr failure_;
};

} // namespace whisper_hip
