#include "audio/resampler.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace whisper_hip {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kAttenuation = 106; // dB
constexpr double kPassBand = 0.905;  // of the lower Nyquist frequency
constexpr size_t kLanes = 32;        // taps come in multiples of these
// Larger banks of exact phases (44101 Hz would need 16000) are replaced by a table with interpolation.
constexpr size_t kLargestTable = 1 << 18;
// Phases of that table at full bandwidth: linear interpolation then errs by less than -115 dB.
constexpr double kTablePhases = 1024;

double bessel_i0(double x) {
  double sum = 1;
  double term = 1;
  for (int k = 1; term > sum * 1e-17; ++k) {
    term *= (x / (2 * k)) * (x / (2 * k));
    sum += term;
  }
  return sum;
}

using Vector = float __attribute__((vector_size(16)));

Vector load(const float* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

// Written as vectors because the compiler may not reorder one sum; in eight groups so that no addition waits
// for the one before it.
float dot(const float* a, const float* b, size_t n) {
  Vector sums[8] = {};
  for (size_t i = 0; i < n; i += kLanes) {
    for (size_t group = 0; group < 8; ++group)
      sums[group] += load(a + i + group * 4) * load(b + i + group * 4);
  }
  const Vector sum =
      ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

} // namespace

Resampler::Resampler(int rate) {
  const uint64_t divisor = std::gcd(static_cast<uint64_t>(rate), static_cast<uint64_t>(kOutputRate));
  up_ = kOutputRate / divisor;
  down_ = static_cast<uint64_t>(rate) / divisor;
  whole_step_ = down_ / up_;
  phase_step_ = down_ % up_;

  // Frequencies as fractions of the input's Nyquist frequency.
  const double stop = std::min(1.0, static_cast<double>(kOutputRate) / rate);
  const double cutoff = stop * (1 + kPassBand) / 2;
  const double transition = kPi * stop * (1 - kPassBand);
  const double wanted = (kAttenuation - 7.95) / (2.285 * transition) + 1;
  taps_ = (static_cast<size_t>(wanted) / kLanes + 1) * kLanes;
  interpolated_ = up_ * taps_ > kLargestTable;
  phases_ = interpolated_ ? static_cast<size_t>(std::ceil(kTablePhases * stop)) : up_;

  const double half = static_cast<double>(taps_) / 2;
  const double beta = 0.1102 * (kAttenuation - 8.7);
  const double window_scale = 1 / bessel_i0(beta);
  std::vector<double> row(taps_);
  table_.resize((phases_ + 1) * taps_);
  for (size_t phase = 0; phase <= phases_; ++phase) {
    double sum = 0;
    for (size_t i = 0; i < taps_; ++i) {
      const double time = static_cast<double>(phase) / phases_ + half - 1 - static_cast<double>(i);
      const double angle = kPi * cutoff * time;
      const double sinc = angle == 0 ? 1 : std::sin(angle) / angle;
      const double edge = std::max(0.0, 1 - (time / half) * (time / half));
      row[i] = sinc * bessel_i0(beta * std::sqrt(edge)) * window_scale;
      sum += row[i];
    }
    // Each phase has gain 1 at frequency 0, exactly: no ripple on a constant.
    for (size_t i = 0; i < taps_; ++i)
      table_[phase * taps_ + i] = static_cast<float>(row[i] / sum);
  }
  input_.assign(taps_ / 2 - 1, 0.0f);
}

void Resampler::push(const float* samples, size_t n) {
  const size_t used = std::min(start_, input_.size());
  input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(used));
  start_ -= used;
  input_.insert(input_.end(), samples, samples + n);
  pushed_ += n;
}

void Resampler::finish() {
  input_.insert(input_.end(), taps_ / 2, 0.0f);
  total_ = (pushed_ * up_ + down_ - 1) / down_;
}

size_t Resampler::pull(float* out, size_t n) {
  size_t done = 0;
  while (done < n && pulled_ < total_ && start_ + taps_ <= input_.size()) {
    out[done++] = filter(input_.data() + start_);
    ++pulled_;
    start_ += whole_step_;
    phase_ += phase_step_;
    if (phase_ >= up_) {
      phase_ -= up_;
      ++start_;
    }
  }
  return done;
}

float Resampler::filter(const float* samples) const {
  if (!interpolated_)
    return dot(samples, &table_[phase_ * taps_], taps_);
  const uint64_t position = phase_ * phases_;
  const float* row = &table_[position / up_ * taps_];
  const float fraction = static_cast<float>(position % up_) / static_cast<float>(up_);
  const float before = dot(samples, row, taps_);
  return before + fraction * (dot(samples, row + taps_, taps_) - before);
}

} // namespace whisper_hip
