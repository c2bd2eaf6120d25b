#include "transcribe/batch.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "support/cancellation.h"

namespace whisper_hip {

namespace {

// What a piece has told.
struct Told {
  std::vector<SegmentResult> segments;
  std::vector<Warning> warnings;
  int progress = 0;
  bool done = false;
};

class Batch {
 public:
  Batch(const JobFacts& job, const TextBefore& before, const std::vector<FrameSpan>& pieces)
      : job_(job), before_(before), pieces_(pieces), told_(pieces.size()),
        client_(*job.client, ended_) {}

  void run(int at_once, const ClipDecoder::Events& events) {
    const size_t count = std::min(static_cast<size_t>(at_once), pieces_.size());
    std::vector<std::thread> threads;
    struct Join {
      Batch& batch;
      std::vector<std::thread>& threads;
      ~Join() {
        batch.ended_ = true;
        for (std::thread& thread : threads)
          thread.join();
      }
    } join{*this, threads};
    for (size_t i = 0; i < count; ++i) {
      try {
        threads.emplace_back([this] { work(); });
      } catch (const std::system_error&) {
        if (threads.empty())
          throw;
        break; // with fewer
      }
    }
    report(events);
  }

 private:
  void work() {
    JobFacts facts = job_;
    facts.client = &client_;
    try {
      while (true) {
        const size_t piece = next_++;
        if (piece >= pieces_.size())
          return;
        decode(facts, piece);
      }
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!failure_)
        failure_ = std::current_exception();
      changed_.notify_all();
    }
  }

  void decode(const JobFacts& facts, size_t piece) {
    Told told;
    ClipDecoder::Events events;
    events.segments = [&](std::vector<SegmentResult> segments) {
      told.segments.insert(told.segments.end(), std::make_move_iterator(segments.begin()),
                           std::make_move_iterator(segments.end()));
    };
    events.warning = [&](Warning warning) { told.warnings.push_back(std::move(warning)); };
    events.progress = [&](int frames) {
      std::lock_guard<std::mutex> lock(mutex_);
      told_[piece].progress += frames;
      changed_.notify_all();
    };
    ClipDecoder(facts, piece == 0 ? before_ : TextBefore{}, events)
        .decode(pieces_[piece].first, pieces_[piece].second);
    std::lock_guard<std::mutex> lock(mutex_);
    told.progress = told_[piece].progress;
    told.done = true;
    told_[piece] = std::move(told);
    changed_.notify_all();
  }

  void report(const ClipDecoder::Events& events) {
    size_t next = 0;
    while (next < pieces_.size()) {
      std::vector<SegmentResult> segments;
      std::vector<Warning> warnings;
      int progress = 0;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait_for(lock, std::chrono::milliseconds(10));
        if (failure_)
          std::rethrow_exception(failure_);
        for (Told& told : told_)
          progress += std::exchange(told.progress, 0);
        if (told_[next].done) {
          segments = std::move(told_[next].segments);
          warnings = std::move(told_[next].warnings);
          ++next;
        }
      }
      check(job_.client->cancelled);
      for (Warning& warning : warnings)
        events.warning(std::move(warning));
      if (!segments.empty())
        events.segments(std::move(segments));
      if (progress > 0)
        events.progress(progress);
    }
  }

  const JobFacts& job_;
  const TextBefore& before_;
  const std::vector<FrameSpan>& pieces_;
  std::atomic<bool> ended_{false};
  std::atomic<size_t> next_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Told> told_;
  std::exception_ptr failure_;
  Client client_;
};

} // namespace

std::vector<FrameSpan> pieces_of(const VoicedTime& voiced, const std::vector<FrameSpan>& clips) {
  std::vector<FrameSpan> pieces;
  for (const FrameSpan& clip : clips) {
    for (const FrameSpan& piece : voiced.parts(clip, kWindowFrames))
      pieces.push_back(piece);
  }
  return pieces;
}

void decode_batch(const JobFacts& job, const TextBefore& before, const std::vector<FrameSpan>& pieces,
                  int at_once, const ClipDecoder::Events& events) {
  Batch(job, before, pieces).run(at_once, events);
}

} // namespace whisper_hip
