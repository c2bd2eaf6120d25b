#include "vad/spectrum.h"

#include <cmath>

namespace whisper_hip {

namespace {

constexpr double kPi = 3.14159265358979323846;

// One value of each frame.
typedef float Lanes __attribute__((vector_size(Spectrum::kFrames * sizeof(float))));

} // namespace

Spectrum::Spectrum() {
  for (int i = 0; i < kFftSize; ++i) {
    const double angle = 2.0 * kPi * i / kFftSize;
    window_[i] = static_cast<float>(0.5 - 0.5 * std::cos(angle));
    cosine_[i] = static_cast<float>(std::cos(angle));
    sine_[i] = static_cast<float>(std::sin(angle));
  }
  for (int i = 0; i < kHalf; ++i) {
    reversed_[i] = 0;
    for (int bit = 1; bit < kHalf; bit *= 2)
      reversed_[i] = reversed_[i] * 2 + ((i & bit) != 0 ? 1 : 0);
  }
}

void Spectrum::magnitudes(const float* samples, float* out) const {
  // The even samples as real and the odd ones as imaginary parts of 128 complex points.
  Lanes re[kHalf], im[kHalf];
  for (int i = 0; i < kHalf; ++i) {
    const float* pair = samples + 2 * i;
    const Lanes even = {pair[0], pair[kHop], pair[2 * kHop], pair[3 * kHop]};
    const Lanes odd = {pair[1], pair[kHop + 1], pair[2 * kHop + 1], pair[3 * kHop + 1]};
    re[reversed_[i]] = even * window_[2 * i];
    im[reversed_[i]] = odd * window_[2 * i + 1];
  }
  for (int size = 1; size < kHalf; size *= 2) {
    const int step = kHalf / size; // of the root of unity, in the tables of kFftSize
    for (int start = 0; start < kHalf; start += 2 * size) {
      for (int i = 0; i < size; ++i) {
        const int a = start + i;
        const int b = a + size;
        const float c = cosine_[i * step];
        const float s = sine_[i * step];
        const Lanes turned_re = re[b] * c + im[b] * s;
        const Lanes turned_im = im[b] * c - re[b] * s;
        re[b] = re[a] - turned_re;
        im[b] = im[a] - turned_im;
        re[a] += turned_re;
        im[a] += turned_im;
      }
    }
  }
  // The spectrum of the real signal, out of those of its even and odd samples.
  for (int k = 0; k <= kHalf; ++k) {
    const int a = k % kHalf;
    const int b = (kHalf - k) % kHalf;
    const Lanes even_re = (re[a] + re[b]) * 0.5f;
    const Lanes even_im = (im[a] - im[b]) * 0.5f;
    const Lanes odd_re = (im[a] + im[b]) * 0.5f;
    const Lanes odd_im = (re[b] - re[a]) * 0.5f;
    const Lanes sum_re = even_re + odd_re * cosine_[k] + odd_im * sine_[k];
    const Lanes sum_im = even_im + odd_im * cosine_[k] - odd_re * sine_[k];
    const Lanes power = sum_re * sum_re + sum_im * sum_im;
    for (int frame = 0; frame < kFrames; ++frame)
      out[frame * kBins + k] = std::sqrt(power[frame]);
  }
}

} // namespace whisper_hip
