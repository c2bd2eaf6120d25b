#include "transcribe/mel.h"

#include <algorithm>
#include <cmath>
#include <complex>

namespace whisper_hip {

namespace {

constexpr size_t kBlockFrames = 1024;
constexpr int kPad = LogMel::kFftSize / 2; // samples before the start, reflected
constexpr float kSilence = -10.0f;         // log10(1e-10)
constexpr double kPi = 3.14159265358979323846;

// Frames that are transformed side by side: every arithmetic operation works on a vector of them.
constexpr int kLanes = 8;
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));

struct ComplexLanes {
  Lanes re, im;
};

ComplexLanes multiply(const ComplexLanes& a, std::complex<float> b) {
  return {a.re * b.real() - a.im * b.imag(), a.re * b.imag() + a.im * b.real()};
}

} // namespace

// A real FFT of 400 points for eight frames at once: 200 complex points (the even and odd samples), decimated
// in time by 5, 5, 4 and 2, then separated into the spectrum of the real signal.
class LogMel::Fft {
 public:
  Fft() {
    for (int i = 0; i < kFftSize; ++i) {
      roots_[i] = std::complex<float>(std::polar(1.0, -2.0 * kPi * i / kFftSize));
      window_[i] = static_cast<float>(0.5 * (1.0 - std::cos(2.0 * kPi * i / kFftSize)));
    }
  }

  // Frame `lane` starts at samples + lane * kHop. Writes the power of each bin.
  void power(const float* samples, int lanes, Lanes* out) {
    for (int i = 0; i < kHalf; ++i) {
      Lanes even = {}, odd = {};
      for (int lane = 0; lane < lanes; ++lane) {
        even[lane] = samples[lane * kHop + 2 * i] * window_[2 * i];
        odd[lane] = samples[lane * kHop + 2 * i + 1] * window_[2 * i + 1];
      }
      input_[i] = {even, odd};
    }
    transform(input_, 1, kHalf, 0, output_);
    for (int k = 0; k <= kHalf; ++k) {
      const ComplexLanes a = output_[k % kHalf];
      const ComplexLanes b = output_[(kHalf - k) % kHalf];
      const ComplexLanes even = {(a.re + b.re) * 0.5f, (a.im - b.im) * 0.5f};
      const ComplexLanes odd = multiply({(a.im + b.im) * 0.5f, (b.re - a.re) * 0.5f}, roots_[k % kFftSize]);
      const Lanes re = even.re + odd.re;
      const Lanes im = even.im + odd.im;
      out[k] = re * re + im * im;
    }
  }

 private:
  static constexpr int kHalf = kFftSize / 2;
  static constexpr int kRadices[] = {5, 5, 4, 2};

  // The transform of `n` values in[0], in[stride], ... into out[0..n).
  void transform(const ComplexLanes* in, int stride, int n, int stage, ComplexLanes* out) {
    if (n == 1) {
      out[0] = in[0];
      return;
    }
    const int radix = kRadices[stage];
    const int m = n / radix;
    for (int r = 0; r < radix; ++r)
      transform(in + r * stride, stride * radix, m, stage + 1, out + r * m);
    const int step = kFftSize / n; // roots_[step] is the n-th root of unity
    ComplexLanes parts[5];
    for (int k = 0; k < m; ++k) {
      for (int r = 0; r < radix; ++r)
        parts[r] = multiply(out[r * m + k], roots_[(r * k * step) % kFftSize]);
      for (int q = 0; q < radix; ++q) {
        ComplexLanes sum = parts[0];
        for (int r = 1; r < radix; ++r) {
          const ComplexLanes term = multiply(parts[r], roots_[(r * q * (kFftSize / radix)) % kFftSize]);
          sum.re += term.re;
          sum.im += term.im;
        }
        out[q * m + k] = sum;
      }
    }
  }

  std::complex<float> roots_[kFftSize];
  float window_[kFftSize];
  ComplexLanes input_[kHalf];
  ComplexLanes output_[kHalf];
};

LogMel::LogMel(const std::vector<float>& filters, int n_mels)
    : n_mels_(n_mels), fft_(std::make_unique<Fft>()), maximum_(kSilence) {
  for (int mel = 0; mel < n_mels; ++mel) {
    const float* row = filters.data() + static_cast<size_t>(mel) * kFrequencyBins;
    int first = 0;
    int last = kFrequencyBins;
    while (first < last && row[first] == 0.0f)
      ++first;
    while (last > first && row[last - 1] == 0.0f)
      --last;
    filters_.push_back({first, std::vector<float>(row + first, row + last)});
  }
}

LogMel::~LogMel() = default;
LogMel::LogMel(LogMel&&) noexcept = default;

void LogMel::push(const float* samples, size_t count) {
  mark_audible(samples, count);
  total_samples_ += count;
  buffer_.insert(buffer_.end(), samples, samples + count);
  compute_ready_frames();
}

void LogMel::mark_audible(const float* samples, size_t count) {
  constexpr float kTwoSteps = 2.0f / 32768.0f;
  audible_.resize((total_samples_ + count + kHop - 1) / kHop, false);
  for (size_t i = 0; i < count; ++i) {
    if (std::fabs(samples[i]) > kTwoSteps)
      audible_[(total_samples_ + i) / kHop] = true;
  }
}

size_t LogMel::next_audible(size_t first) const {
  const size_t end = std::min(frames(), audible_.size());
  while (first < end && !audible_[first])
    ++first;
  return first < end ? first : frames();
}

void LogMel::compute_ready_frames() {
  if (!started_) {
    if (buffer_.size() <= kPad)
      return;
    // The first frame is centred on the first sample: what precedes it is the mirror image of what follows.
    std::vector<float> mirror(buffer_.begin() + 1, buffer_.begin() + 1 + kPad);
    std::reverse(mirror.begin(), mirror.end());
    buffer_.insert(buffer_.begin(), mirror.begin(), mirror.end());
    started_ = true;
  }
  if (buffer_.size() < kFftSize)
    return;
  compute_frames((buffer_.size() - kFftSize) / kHop + 1);
}

void LogMel::finish() {
  // Audio shorter than the mirror image is completed with silence.
  if (!started_)
    buffer_.resize(std::max<size_t>(buffer_.size(), kPad + 1), 0.0f);
  compute_ready_frames();
  // Frames that begin before the end of the audio still see some of it.
  const size_t rest = (buffer_.size() + kHop - 1) / kHop;
  buffer_.resize(rest * kHop + kFftSize, 0.0f);
  compute_frames(rest);
  buffer_ = {};
}

void LogMel::compute_frames(size_t count) {
  Lanes power[kFrequencyBins];
  for (size_t done = 0; done < count; done += kLanes) {
    const int lanes = static_cast<int>(std::min<size_t>(kLanes, count - done));
    const float* samples = buffer_.data() + done * kHop;
    // Hours of digital silence cost next to nothing.
    const bool silent = std::all_of(samples, samples + (lanes - 1) * kHop + kFftSize,
                                    [](float sample) { return sample == 0.0f; });
    if (!silent)
      fft_->power(samples, lanes, power);
    for (int mel = 0; mel < n_mels_; ++mel) {
      const Filter& filter = filters_[mel];
      Lanes sum = {};
      for (size_t i = 0; !silent && i < filter.weights.size(); ++i)
        sum += power[filter.first + i] * filter.weights[i];
      for (int lane = 0; lane < lanes; ++lane) {
        const size_t frame = computed_ + lane;
        if (frame / kBlockFrames == blocks_.size()) {
          blocks_.push_back(std::make_unique<float[]>(kBlockFrames * n_mels_));
        }
        const float value = silent ? kSilence : std::log10(std::max(sum[lane], 1e-10f));
        maximum_ = std::max(maximum_, value);
        blocks_[frame / kBlockFrames][(frame % kBlockFrames) * n_mels_ + mel] = value;
      }
    }
    computed_ += lanes;
  }
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(count * kHop));
}

size_t LogMel::frames() const {
  return total_samples_ < static_cast<size_t>(kPad) ? 0 : 1 + (total_samples_ - kPad) / kHop;
}

void LogMel::window(size_t first, size_t count, size_t end, float* out) const {
  // The frames that reach beyond the last sample belong to the end of the audio.
  const size_t known = end < frames() ? end : computed_;
  const float floor = maximum_ - 8.0f;
  for (size_t i = 0; i < count; ++i) {
    const size_t frame = first + i;
    const float* values =
        frame < known ? blocks_[frame / kBlockFrames].get() + (frame % kBlockFrames) * n_mels_ : nullptr;
    for (int mel = 0; mel < n_mels_; ++mel) {
      const float value = values != nullptr ? values[mel] : kSilence;
      out[mel * count + i] = (std::max(value, floor) + 4.0f) / 4.0f;
    }
  }
}

} // namespace whisper_hip
