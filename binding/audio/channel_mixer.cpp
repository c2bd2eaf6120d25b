#include "audio/channel_mixer.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace whisper_hip {

namespace {

constexpr double kBlockSeconds = 0.25;
// Blocks weigh less and less: half after two seconds.
constexpr double kDecay = 0.917;
// A channel is turned over below the first correlation, and back above the second.
constexpr double kInverse = -0.8;
constexpr double kUpright = -0.4;
// Mean power below which a block is silence: -60 dB.
constexpr double kSilence = 1e-6;
// Two channels hold something else where one is so much louder than the other, or they correlate so little.
constexpr double kDominance = 30;
constexpr double kUnlike = 0.3;
// For so many seconds, and so much of what is heard, before it is told.
constexpr double kToldSeconds = 2;
constexpr double kToldShare = 0.8;

} // namespace

ChannelMixer::ChannelMixer(size_t channels, int rate, int channel)
    : channels_(channels), rate_(rate), channel_(channel),
      block_(std::max<size_t>(1, static_cast<size_t>(kBlockSeconds * rate))), energy_(channels),
      product_(channels), gain_(channels, 1), target_(channels, 1), inverted_(channels) {}

void ChannelMixer::mix(const float* samples, size_t frames, float* out) {
  if (channels_ == 1) {
    std::copy_n(samples, frames, out);
    return;
  }
  if (channel_ != kMix) {
    for (size_t i = 0; i < frames; ++i)
      out[i] = samples[i * channels_ + static_cast<size_t>(channel_)];
    return;
  }
  for (size_t start = 0; start < frames; start += block_) {
    const size_t n = std::min(block_, frames - start);
    mix_block(samples + start * channels_, n, out + start);
  }
}

void ChannelMixer::mix_block(const float* samples, size_t frames, float* out) {
  observe(samples, frames);
  // A gain that changes does so over the block: a jump would click. The first block has none to change from.
  const std::vector<float> from = frames_ == 0 ? target_ : gain_;
  const float scale = 1.0f / static_cast<float>(channels_);
  std::fill_n(out, frames, 0.0f);
  for (size_t channel = 0; channel < channels_; ++channel) {
    const float step = (target_[channel] - from[channel]) / static_cast<float>(frames);
    float gain = from[channel];
    for (size_t i = 0; i < frames; ++i, gain += step)
      out[i] += gain * samples[i * channels_ + channel];
    gain_[channel] = target_[channel];
  }
  for (size_t i = 0; i < frames; ++i)
    out[i] *= scale;
  frames_ += frames;
}

// Decides which channels are turned over, and counts what is told at the end.
void ChannelMixer::observe(const float* samples, size_t frames) {
  std::vector<double> energy(channels_);
  std::vector<double> product(channels_);
  const double decay = std::pow(kDecay, static_cast<double>(frames) / static_cast<double>(block_));
  size_t loudest = loudest_;
  for (size_t channel = 0; channel < channels_; ++channel) {
    for (size_t i = 0; i < frames; ++i) {
      const double sample = samples[i * channels_ + channel];
      energy[channel] += sample * sample;
      product[channel] += sample * samples[i * channels_ + loudest_];
    }
    energy_[channel] = energy_[channel] * decay + energy[channel];
    product_[channel] = product_[channel] * decay + product[channel];
    // Another one must be clearly louder: the products are forgotten with the old one.
    if (energy_[channel] > 4 * energy_[loudest])
      loudest = channel;
  }
  if (loudest != loudest_) {
    const bool over = target_[loudest] < 0;
    for (size_t channel = 0; channel < channels_; ++channel) {
      product_[channel] = 0;
      for (size_t i = 0; i < frames; ++i)
        product_[channel] +=
            static_cast<double>(samples[i * channels_ + channel]) * samples[i * channels_ + loudest];
      // Whichever is upright: what is heard together stays together.
      if (over)
        target_[channel] = -target_[channel];
    }
    loudest_ = loudest;
  }
  const double audible = kSilence * static_cast<double>(frames);
  for (size_t channel = 0; channel < channels_; ++channel) {
    const double scale = std::sqrt(energy_[channel] * energy_[loudest_]);
    const double correlation = scale > 0 ? product_[channel] / scale : 0;
    if (correlation < kInverse)
      target_[channel] = -1;
    else if (correlation > kUpright)
      target_[channel] = 1;
    if (target_[channel] < 0 && energy[channel] > audible)
      inverted_[channel] += frames;
  }
  if (channels_ != 2)
    return;
  const bool heard[] = {energy[0] > audible, energy[1] > audible};
  if (!heard[0] && !heard[1])
    return;
  audible_ += frames;
  heard_[0] += heard[0] && energy[0] * kDominance > energy[1] ? frames : 0;
  heard_[1] += heard[1] && energy[1] * kDominance > energy[0] ? frames : 0;
  double cross = 0;
  for (size_t i = 0; i < frames; ++i)
    cross += static_cast<double>(samples[2 * i]) * samples[2 * i + 1];
  const bool dominated = energy[0] > kDominance * energy[1] || energy[1] > kDominance * energy[0];
  if (dominated || std::fabs(cross) < kUnlike * std::sqrt(energy[0] * energy[1]))
    different_ += frames;
}

std::vector<Warning> ChannelMixer::warnings() const {
  std::vector<Warning> warnings;
  const auto told = static_cast<uint64_t>(kToldSeconds * rate_);
  bool inverted = false;
  for (size_t channel = 0; channel < channels_; ++channel) {
    // A short recording is told of as well.
    if (inverted_[channel] == 0 || inverted_[channel] < std::min(told, frames_ / 4))
      continue;
    inverted = true;
    warnings.push_back(
        {"AUDIO_CHANNEL_INVERTED", "Channel " + std::to_string(channel) + " is the inverse of channel " +
                                       std::to_string(loudest_) +
                                       ": it was turned over, or the mix of both would be silence"});
  }
  const auto share = [this](uint64_t frames) {
    return static_cast<double>(frames) / static_cast<double>(std::max<uint64_t>(audible_, 1));
  };
  if (!inverted && std::min(heard_[0], heard_[1]) >= told && share(std::min(heard_[0], heard_[1])) > 0.1 &&
      share(different_) >= kToldShare) {
    warnings.push_back({"AUDIO_CHANNELS_DIFFER",
                        "The two channels hold different sound and were mixed: the option "
                        "channel transcribes each ('split') or one of them (its number)"});
  }
  return warnings;
}

} // namespace whisper_hip
