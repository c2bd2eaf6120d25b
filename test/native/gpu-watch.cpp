// The watch over the GPU, as a program; WHISPER_HIP_WATCH_SECONDS=1 makes it quick. A thread that sleeps
// stands for one that waits for a driver.
//
//   gpu-watch race THREADS   threads whose GPU answers at about the time at which they are given up: prints
//   how
//                            many came back, how many were given up, and how many did both
//   gpu-watch parts          a long part on the CPU inside of work on the GPU, then one that hangs: prints
//   what
//                            was said after which part
//   gpu-watch watched        work without a Pulse that hangs: prints when its caller goes on
//   gpu-watch log            a thread that was given up and goes on inside of its scope: prints what it did
//   gpu-watch exit CODE      exit() with a library whose end hangs
//   gpu-watch idle CODE      the same where no GPU was in use; the library ends after 3 s
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "backend/gpu_state.h"
#include "backend/gpu_watch.h"
#include "support/abort.h"

namespace whisper_hip {
AbortScope::AbortScope() {}
AbortScope::~AbortScope() {}
} // namespace whisper_hip

namespace {

using namespace whisper_hip;
using Clock = std::chrono::steady_clock;

void sleep_for(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

void race(int count) {
  std::vector<std::atomic<int>> came_back(count), given_up(count);
  for (int i = 0; i < count; ++i) {
    std::thread([&, i] {
      const Pulse pulse([&, i](const std::string&) { given_up[i]++; });
      {
        const GpuScope waiting(true);
        sleep_for(0.95 + 0.2 * i / count);
      }
      came_back[i]++;
    }).detach();
  }
  sleep_for(2.5);
  int back = 0, lost = 0, both = 0;
  for (int i = 0; i < count; ++i) {
    back += came_back[i];
    lost += given_up[i];
    both += came_back[i] + given_up[i] != 1;
  }
  std::printf("%d %d %d\n", back, lost, both);
  std::fflush(stdout);
  _Exit(0); // those that were given up never end
}

void parts() {
  std::atomic<int> part{0};
  std::thread([&part] {
    const Pulse pulse([&part](const std::string& failure) {
      std::printf("%d %s\n", part.load(), failure.c_str());
      std::fflush(stdout);
      _Exit(0);
    });
    const GpuScope waiting(true);
    for (; part < 2; ++part) {
      sleep_for(0.5);
      const CpuScope computing;
      sleep_for(2.5);
    }
    sleep_for(60);
  }).join();
}

void watched() {
  const auto begun = Clock::now();
  do_watched([] {
    const GpuScope waiting(true);
    sleep_for(60);
  });
  std::printf("%.1f %s\n", std::chrono::duration<double>(Clock::now() - begun).count(),
              gpu_failure().c_str());
  std::fflush(stdout);
  _Exit(0);
}

void log() {
  std::atomic<int> done{0};
  std::thread([&done] {
    const Pulse pulse([](const std::string&) {});
    const GpuScope waiting(true);
    stay_away_if_lost();
    done++;
    sleep_for(2);
    stay_away_if_lost();
    done++;
  }).detach();
  sleep_for(3);
  std::printf("%d\n", done.load());
  std::fflush(stdout);
  _Exit(0);
}

void end(int code, bool with_gpu) {
  if (with_gpu)
    do_watched([] { const GpuScope waiting(true); });
  std::atexit([] { sleep_for(getenv("HANGS") != nullptr ? 60 : 3); });
  {
    const ExitScope limit(1); // of JavaScript's event, in which another code may be set later
  }
  sleep_for(2); // what the application does in the end is not the GPU's
  std::exit(code);
}

} // namespace

int main(int, char** argv) {
  const std::string what = argv[1];
  if (what == "race")
    race(std::atoi(argv[2]));
  if (what == "parts")
    parts();
  if (what == "watched")
    watched();
  if (what == "log")
    log();
  if (what == "exit" || what == "idle")
    end(std::atoi(argv[2]), what == "exit");
  return 2;
}
