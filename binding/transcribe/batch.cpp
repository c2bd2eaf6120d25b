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

// What a window of 30 s usually gives before the next one begins, in frames of 10 ms. Stretches are whole
// numbers of it, so that few windows at their ends are nearly empty.
constexpr int kUsualStep = 2800;
constexpr int kFewestWindows = 2;
constexpr int kMostWindows = 10;
constexpr int kReach = 800; // within which a pause is looked for

// What a stretch has told, and nobody has heard.
struct Told {
  std::vector<SegmentResult> segments;
  std::vector<Warning> warnings;
  int progress = 0;
  bool done = false;
};

class Batch {
 public:
  Batch(const JobFacts& job, const TextBefore& before, const std::vector<FrameSpan>& stretches)
      : job_(job), before_(before), stretches_(stretches), told_(stretches.size()),
        client_(*job.client, ended_) {}

  void run(int at_once, const ClipDecoder::Events& events) {
    const size_t count = std::min(static_cast<size_t>(at_once), stretches_.size());
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
        const size_t stretch = next_++;
        if (stretch >= stretches_.size())
          return;
        decode(facts, stretch);
      }
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!failure_)
        failure_ = std::current_exception();
      changed_.notify_all();
    }
  }

  void decode(const JobFacts& facts, size_t stretch) {
    const auto tell = [this, stretch](auto change) {
      std::lock_guard<std::mutex> lock(mutex_);
      change(told_[stretch]);
      changed_.notify_all();
    };
    ClipDecoder::Events events;
    events.segments = [&](std::vector<SegmentResult> segments) {
      tell([&](Told& told) {
        told.segments.insert(told.segments.end(), std::make_move_iterator(segments.begin()),
                             std::make_move_iterator(segments.end()));
      });
    };
    events.warning = [&](Warning warning) {
      tell([&](Told& told) { told.warnings.push_back(std::move(warning)); });
    };
    events.progress = [&](int frames) { tell([&](Told& told) { told.progress += frames; }); };
    ClipDecoder(facts, stretch == 0 ? before_ : TextBefore{}, events)
        .decode(stretches_[stretch].first, stretches_[stretch].second);
    tell([](Told& told) { told.done = true; });
  }

  // Of the first stretch that is not done, what it has told; of the others the progress only.
  void report(const ClipDecoder::Events& events) {
    size_t next = 0;
    while (next < stretches_.size()) {
      Told news;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait_for(lock, std::chrono::milliseconds(10));
        if (failure_)
          std::rethrow_exception(failure_);
        for (Told& told : told_)
          news.progress += std::exchange(told.progress, 0);
        news.segments.swap(told_[next].segments);
        news.warnings.swap(told_[next].warnings);
        if (told_[next].done)
          ++next;
      }
      check(job_.client->cancelled);
      for (Warning& warning : news.warnings)
        events.warning(std::move(warning));
      if (!news.segments.empty())
        events.segments(std::move(news.segments));
      if (news.progress > 0)
        events.progress(news.progress);
    }
  }

  const JobFacts& job_;
  const TextBefore& before_;
  const std::vector<FrameSpan>& stretches_;
  std::atomic<bool> ended_{false};
  std::atomic<size_t> next_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Told> told_;
  std::exception_ptr failure_;
  Client client_;
};

} // namespace

std::vector<FrameSpan> stretches_of(const VoicedTime& voiced, const std::vector<FrameSpan>& clips,
                                    int at_once) {
  int total = 0;
  for (const FrameSpan& clip : clips)
    total += clip.second - clip.first;
  const int windows = std::clamp(total / (2 * at_once) / kUsualStep, kFewestWindows, kMostWindows);
  const int length = windows * kUsualStep;
  std::vector<FrameSpan> stretches;
  for (const FrameSpan& clip : clips) {
    int first = clip.first;
    while (clip.second - first > length + kUsualStep) {
      const int cut = voiced.pause_near(first + length, kReach);
      stretches.emplace_back(first, cut);
      first = cut;
    }
    stretches.emplace_back(first, clip.second);
  }
  return stretches;
}

void decode_batch(const JobFacts& job, const TextBefore& before, const std::vector<FrameSpan>& stretches,
                  int at_once, const ClipDecoder::Events& events) {
  Batch(job, before, stretches).run(at_once, events);
}

} // namespace whisper_hip
