#include "engine/request.h"

#include "support/cancellation.h"

namespace whisper_hip {

namespace {

// How soon a client sees that it is cancelled.
constexpr std::chrono::milliseconds kLook{10};

} // namespace

void Request::finish(std::exception_ptr failure) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (done_)
    return;
  failure_ = std::move(failure);
  done_ = true;
  changed_.notify_all();
}

void Request::wait(const std::atomic<bool>& cancelled) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!done_) {
    if (cancelled.load(std::memory_order_relaxed)) {
      abandoned = true;
      lock.unlock();
      // Until the engine has let go of the search.
      const std::lock_guard<std::mutex> idle(searching);
      check(cancelled);
    }
    changed_.wait_for(lock, kLook);
  }
  if (failure_)
    std::rethrow_exception(failure_);
}

void RequestQueue::add(const std::shared_ptr<Request>& request) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (failure_)
    std::rethrow_exception(failure_);
  request->asked = std::chrono::steady_clock::now();
  waiting_.push_back(request);
  changed_.notify_all();
}

bool RequestQueue::take(std::vector<std::shared_ptr<Request>>& requests, bool wait) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (wait)
    changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
  requests.insert(requests.end(), waiting_.begin(), waiting_.end());
  waiting_.clear();
  return !closed_;
}

void RequestQueue::close() {
  std::lock_guard<std::mutex> lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void RequestQueue::fail(const std::exception_ptr& failure) {
  std::lock_guard<std::mutex> lock(mutex_);
  failure_ = failure;
  for (const auto& request : waiting_)
    request->finish(failure);
  waiting_.clear();
}

} // namespace whisper_hip
