// Jobs of many threads for one engine, without Node: what they give against what each gives alone, and what
// happens to those that are cancelled, damaged, or wait behind others.
// engine-jobs MODULE TEST: prints a line for each check that failed, then "N checks".
#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <thread>

#include "backend/cpu_module.h"
#include "engine/engine.h"
#include "made-weights.h"
#include "support/abort.h"
#include "support/error.h"
#include "support/log.h"

using namespace whisper_hip;

namespace {

using Clock = std::chrono::steady_clock;
std::atomic<int> windows_made{0}, chunks_made{0};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

} // namespace

// Counts the memory that the caches of an engine ask for.
extern "C" ggml_backend_buffer_t ggml_backend_alloc_ctx_tensors(ggml_context* tensors,
                                                                ggml_backend_t backend) {
  static const auto real = reinterpret_cast<decltype(&ggml_backend_alloc_ctx_tensors)>(
      dlsym(RTLD_NEXT, "ggml_backend_alloc_ctx_tensors"));
  const ggml_tensor* first = ggml_get_first_tensor(tensors);
  if (first->type == GGML_TYPE_F16)
    (first->ne[1] % kText == 0 ? chunks_made : windows_made)++;
  return real(tensors, backend);
}

namespace {

struct Job {
  unsigned seed;
  int positions;
  bool live, is_numbers;
  std::vector<SearchOptions> searches; // of the window, one after the other
  bool align;
};

struct Result {
  std::string error;
  std::vector<Sequence> texts;
  std::vector<float> no_speech, attention;
};

// The seed alone says what it is.
Job made_job(unsigned seed, bool may_be_damaged = true) {
  std::minstd_rand random(seed * 31337 + 11);
  random.discard(4);
  const auto below = [&](unsigned count) { return static_cast<int>(random() % count); };
  Job job = {seed, 1 + below(kAudio), below(3) == 0, !may_be_damaged || below(12) != 0, {}, below(2) == 0};
  for (int i = 1 + below(2); i > 0; --i) {
    SearchOptions options;
    options.beam_size = 1 + below(5);
    options.temperature = below(3) == 0 ? 0.8f : 0.0f;
    options.best_of = 1 + below(5);
    options.seed = seed;
    options.max_tokens = 3 + below(60);
    options.prefix = made_tokens(seed + 1000, below(3));
    job.searches.push_back(options);
  }
  return job;
}

Result run(Engine& engine, const Job& job, const std::atomic<bool>& cancelled) {
  Result result;
  Client client(cancelled, 1, job.live);
  try {
    std::vector<float> mel = made_mel(job.seed, job.positions);
    if (!job.is_numbers)
      mel[mel.size() / 2] = NAN;
    const Window window = engine.encode(client, mel, job.positions);
    for (size_t i = 0; i < job.searches.size(); ++i) {
      const SearchOptions& options = job.searches[i];
      Prompt prompt = {made_tokens(job.seed, 3 + static_cast<int>((job.seed % 4) * 11 * i)),
                       static_cast<int>(i)};
      prompt.tokens.insert(prompt.tokens.end(), options.prefix.begin(), options.prefix.end());
      const auto search = make_search(kMadeTokens, options, made_rules);
      result.no_speech.push_back(engine.decode(client, window, prompt, *search));
      result.texts.push_back(search->best());
    }
    if (job.align) {
      std::vector<Token> text = made_tokens(job.seed, 4);
      const auto& last = result.texts.back().text;
      text.insert(text.end(), last.begin(), last.end());
      result.attention = engine.align(client, window, text, {{0, 1}, {1, 0}, {1, 1}});
    }
  } catch (const Error& error) {
    result.error = error.code;
  }
  return result;
}

template <typename Value> bool same_bits(const std::vector<Value>& a, const std::vector<Value>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(Value)) == 0);
}

bool is_same(const Result& a, const Result& b) {
  bool same = a.error == b.error && a.texts.size() == b.texts.size() && same_bits(a.no_speech, b.no_speech) &&
              same_bits(a.attention, b.attention);
  for (size_t i = 0; same && i < a.texts.size(); ++i) {
    const Sequence &x = a.texts[i], &y = b.texts[i];
    same = x.text == y.text && same_bits(x.probabilities, y.probabilities) &&
           x.log_probability == y.log_probability && x.ended == y.ended;
  }
  return same;
}

const std::atomic<bool> never{false};
constexpr unsigned kJobs = 48;
constexpr int kThreads = 64, kRounds = 3;
constexpr double kSoon = 5; // seconds, on a machine that does much else

std::vector<Result> run_alone(Engine& engine) {
  std::vector<Result> results;
  size_t tokens = 0, ended = 0;
  for (unsigned i = 0; i < kJobs; ++i) {
    const Job job = made_job(i);
    results.push_back(run(engine, job, never));
    check(results.back().error == (job.is_numbers ? "" : "ERR_MODEL_CORRUPT"),
          "a job alone: " + results.back().error);
    for (const Sequence& text : results.back().texts) {
      tokens += text.text.size();
      ended += text.ended ? 1 : 0;
    }
  }
  check(tokens > 15 * kJobs && ended >= kJobs / 8,
        std::to_string(tokens) + " tokens, " + std::to_string(ended) + " texts that end");
  return results;
}

struct Started {
  unsigned job;
  std::atomic<bool> cancelled{false};
  std::atomic<double> cancelled_at{0};
  Result result;
  double ended_at = 0;
};

void test_jobs(const MadeModel& model) {
  Engine engine(model.weights, kMadeTokens, {});
  const std::vector<Result> alone = run_alone(engine);
  const auto start = Clock::now();
  std::vector<std::unique_ptr<Started>> all;
  for (int i = 0; i < kThreads * kRounds; ++i) {
    all.push_back(std::make_unique<Started>());
    all.back()->job = static_cast<unsigned>(i * 29) % kJobs;
  }
  std::atomic<bool> is_over{false};
  std::thread canceller([&] {
    std::minstd_rand random(5);
    while (!is_over) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 6000));
      Started& one = *all[random() % all.size()];
      if (one.cancelled_at == 0) {
        one.cancelled_at = seconds_since(start);
        one.cancelled = true;
      }
    }
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        Started& one = *all[static_cast<size_t>(round * kThreads + i)];
        const double begun_at = seconds_since(start);
        one.result = run(engine, made_job(one.job), one.cancelled);
        one.ended_at = seconds_since(start);
        if (one.cancelled && one.cancelled_at < begun_at)
          one.cancelled_at = begun_at;
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  is_over = true;
  canceller.join();
  int cancelled = 0, done = 0;
  for (const auto& one : all) {
    const std::string name = "job " + std::to_string(one->job);
    if (one->result.error == "ERR_CANCELLED") {
      ++cancelled;
      check(one->cancelled, name + " was not cancelled");
      check(one->ended_at - one->cancelled_at < kSoon, name + " ended late");
    } else {
      ++done;
      check(is_same(one->result, alone[one->job]),
            name + " gives something else than alone: " + one->result.error);
    }
  }
  check(cancelled > 10 && done > 10,
        std::to_string(cancelled) + " cancelled, " + std::to_string(done) + " done");
  check(windows_made <= kThreads + 16, std::to_string(windows_made) + " windows");
  // What is in use no more serves the next job.
  const int windows = windows_made, chunks = chunks_made;
  for (unsigned i = 0; i < kJobs; i += 5)
    check(is_same(run(engine, made_job(i), never), alone[i]), "a job afterwards");
  check(windows_made == windows && chunks_made == chunks, "a job afterwards takes new memory");
}

// One after the other, cancelled at some time: all use the same memory.
void test_cancelled(const MadeModel& model) {
  Engine engine(model.weights, kMadeTokens, {});
  windows_made = chunks_made = 0;
  int count = 0;
  for (unsigned i = 0; i < 80; ++i) {
    Job job = made_job(i);
    job.searches.front().max_tokens = 200;
    job.searches.front().beam_size = job.searches.front().best_of = 5;
    std::atomic<bool> cancelled{false};
    std::thread canceller([&] {
      std::this_thread::sleep_for(std::chrono::microseconds(200 * i));
      cancelled = true;
    });
    count += run(engine, job, cancelled).error == "ERR_CANCELLED" ? 1 : 0;
    canceller.join();
  }
  check(count > 20, std::to_string(count) + " cancelled");
  check(windows_made <= 4 && chunks_made == 1, std::to_string(windows_made) + " windows and " +
                                                   std::to_string(chunks_made) + " chunks for one at a time");
}

// Does not come to its end for some seconds.
class Slow : public Search {
 public:
  explicit Slow(int steps) : left_(steps) {}
  int width() const override { return 1; }
  std::vector<Branch> advance(const std::vector<float*>&) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    ++steps;
    return left_-- > 0 ? std::vector<Branch>{{0, 1}} : std::vector<Branch>{};
  }
  Sequence best() const override { return {}; }
  bool repeats() const override { return false; }
  std::atomic<int> steps{0};

 private:
  int left_;
};

// While it is decoded, others are cancelled at once, and it is itself within a step.
void test_waiting(const MadeModel& model) {
  Engine engine(model.weights, kMadeTokens, {});
  std::atomic<bool> stop{false};
  std::atomic<double> late{0};
  std::thread slow([&] {
    Client client(stop, 1, false);
    const Window window = engine.encode(client, made_mel(1, 8), 8);
    auto search = std::make_unique<Slow>(300);
    std::string code;
    try {
      engine.decode(client, window, {{1, 2, 3}, 0}, *search);
    } catch (const Error& error) {
      code = error.code;
    }
    search.reset(); // nobody uses it any more
    if (code != "ERR_CANCELLED")
      late = 100;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  for (int i = 0; i < 4; ++i) {
    std::atomic<bool> cancelled{false};
    Clock::time_point at;
    std::thread canceller([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(30 + 40 * i));
      at = Clock::now();
      cancelled = true;
    });
    Job job = made_job(static_cast<unsigned>(i), false);
    job.searches.front().max_tokens = 400;
    const std::string error = run(engine, job, cancelled).error;
    canceller.join();
    check(error == "ERR_CANCELLED" && seconds_since(at) < kSoon, "a job behind a slow one: " + error);
  }
  const auto at = Clock::now();
  stop = true;
  slow.join();
  check(seconds_since(at) + late < kSoon, "a slow job is cancelled late");
}

// Live jobs come all the time: a file's job ends all the same.
void test_fairness(const MadeModel& model, int live_jobs, int beams) {
  Engine engine(model.weights, kMadeTokens, {});
  const Job file = [&] {
    Job job = made_job(3, false);
    job.live = false;
    return job;
  }();
  const Result wanted = run(engine, file, never);
  std::atomic<bool> is_over{false};
  std::atomic<int> served{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < live_jobs; ++i) {
    threads.emplace_back([&, i] {
      Job job = made_job(static_cast<unsigned>(i), false);
      job.live = true;
      job.align = false;
      job.searches.resize(1);
      job.searches[0].temperature = 0;
      job.searches[0].beam_size = beams;
      job.searches[0].max_tokens = 60 + 7 * i % 40;
      for (; !is_over; ++served)
        run(engine, job, is_over);
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  std::atomic<bool> give_up{false}, ended{false};
  const auto start = Clock::now();
  Result result;
  std::thread waiting([&] {
    result = run(engine, file, give_up);
    ended = true;
  });
  while (!ended && seconds_since(start) < 40)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  give_up = true;
  waiting.join();
  std::fprintf(stderr, "the file took %.1f s beside %d live jobs\n", seconds_since(start), served.load());
  const int before = served;
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  is_over = true;
  for (std::thread& thread : threads)
    thread.join();
  check(is_same(result, wanted), "a file's job beside live ones: " + result.error);
  check(served > before, "live jobs are served");
}

// More of them at once than a graph has room for.
void test_crowd(const MadeModel& model) {
  Engine engine(model.weights, kMadeTokens, {});
  Job job = made_job(5, false);
  job.live = true;
  job.align = false;
  job.searches.resize(1);
  job.searches[0].max_tokens = 20;
  const Result wanted = run(engine, job, never);
  constexpr int kCrowd = 200;
  std::vector<Result> results(kCrowd);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  std::thread slow([&] {
    Client client(stop, 1, false);
    const Window window = engine.encode(client, made_mel(1, 8), 8);
    Slow search(10);
    engine.decode(client, window, {{1, 2, 3}, 0}, search);
  });
  for (Result& result : results)
    threads.emplace_back([&] { result = run(engine, job, never); });
  slow.join();
  for (std::thread& thread : threads)
    thread.join();
  for (const Result& result : results)
    check(is_same(result, wanted), "one of a crowd: " + result.error);
}

void test_damage(const MadeModel& model) {
  for (const float damage : {NAN, INFINITY}) {
    const MadeModel damaged(damage);
    Engine engine(damaged.weights, kMadeTokens, {});
    for (unsigned i = 0; i < 12; ++i)
      check(run(engine, made_job(i, false), never).error == "ERR_MODEL_CORRUPT",
            "damaged weights give a text");
    Client client(never, 1, false);
    const Window window = engine.encode(client, made_mel(1, 20), 20);
    try {
      engine.align(client, window, {1, 2, 3}, {{1, 0}});
      check(false, "damaged weights align");
    } catch (const Error& error) {
      check(std::string(error.code) == "ERR_MODEL_CORRUPT", error.code);
    }
  }
  // Ended as soon as it was started, alone or beside others, with a window that outlives it.
  Window window;
  for (int i = 0; i < 20; ++i) {
    Engine engine(model.weights, kMadeTokens, {});
    Client client(never, 1, false);
    if (i % 3 == 1)
      window = engine.encode(client, made_mel(1, 20), 20);
    if (i % 3 == 2)
      Engine other(model.weights, kMadeTokens, {});
  }
  check(window->positions() == 20, "a window outlives its engine");
}

} // namespace

int main(int, char** arguments) {
  install_abort_handler();
  load_cpu_module({arguments[1]});
  const MadeModel model;
  const std::map<std::string, std::function<void()>> tests = {
      {"jobs", [&] { test_jobs(model); }},
      {"cancelled", [&] { test_cancelled(model); }},
      {"waiting", [&] { test_waiting(model); }},
      {"windows", [&] { test_fairness(model, 24, 1); }},
      {"rows", [&] { test_fairness(model, 20, 5); }},
      {"crowd", [&] { test_crowd(model); }},
      {"damage", [&] { test_damage(model); }},
  };
  tests.at(arguments[2])();
  std::printf("%d checks\n", checks);
}
