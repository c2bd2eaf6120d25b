// What a job did otherwise than one would expect: told with its result.
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace whisper_hip {

struct Warning {
  const char* code; // a string literal: one of WarningCode in lib/warnings.ts
  std::string message;
  double start = NAN; // seconds from the start of the audio; NaN where it concerns the whole
  double end = NAN;
};

// Bounded: a file of nothing but damage must not fill the memory with news of it.
class Warnings {
 public:
  static constexpr size_t kMost = 200;

  void add(Warning warning) {
    if (list_.size() < kMost)
      list_.push_back(std::move(warning));
  }
  void add(std::vector<Warning> warnings) {
    for (Warning& warning : warnings)
      add(std::move(warning));
  }
  const std::vector<Warning>& list() const { return list_; }

 private:
  std::vector<Warning> list_;
};

} // namespace whisper_hip
