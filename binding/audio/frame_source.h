// What gives audio frames: a decoder of a file, or PCM in memory.
#pragma once

#include <cstddef>
#include <vector>

#include "support/warnings.h"

namespace whisper_hip {

class FrameSource {
 public:
  // What a source may be: outside of these limits a header is damaged, not unusual.
  static constexpr int kLowestRate = 1000;
  static constexpr int kHighestRate = 768000;
  static constexpr int kMostChannels = 64;

  virtual ~FrameSource() = default;

  // Frames a second.
  virtual int sample_rate() const = 0;
  virtual int channels() const = 0;

  // Writes up to `frames` frames as [frames, channels] interleaved f32, full scale is 1, and returns how
  // many; 0 is the end. Fewer than `frames` is not the end.
  virtual size_t read(float* out, size_t frames) = 0;

  // What was wrong with the source; complete at its end.
  virtual std::vector<Warning> warnings() const { return {}; }
};

// The index of the first of `n` samples that is NaN, infinite or so loud (180 dB above full scale) that it
// can only be damage and would overflow the spectrum; `n` when there is none.
size_t find_damaged_sample(const float* samples, size_t n);

} // namespace whisper_hip
