#include "audio/frame_source.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace whisper_hip {

namespace {
constexpr size_t kChunk = 1024;
constexpr uint32_t kMagnitude = 0x7fffffff;
constexpr uint32_t kLoudest = 0x4e6e6b28; // the bits of 1e9f; NaN and infinity lie above them

uint32_t magnitude(float sample) {
  uint32_t bits;
  std::memcpy(&bits, &sample, sizeof bits);
  return bits & kMagnitude;
}
} // namespace

size_t find_damaged_sample(const float* samples, size_t n) {
  for (size_t start = 0; start < n; start += kChunk) {
    const size_t end = std::min(n, start + kChunk);
    uint32_t damaged = 0;
    for (size_t i = start; i < end; ++i)
      damaged |= magnitude(samples[i]) > kLoudest;
    if (damaged == 0)
      continue;
    for (size_t i = start; i < end; ++i) {
      if (magnitude(samples[i]) > kLoudest)
        return i;
    }
  }
  return n;
}

} // namespace whisper_hip
