#include "stream/live_audio.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "audio/frame_source.h"
#include "support/error.h"

namespace whisper_hip {

namespace {

// Nobody records 40 dB above full scale; bytes that are no floats give values like that, and far larger ones.
constexpr float kLargestSample = 100;
constexpr size_t kBlockFrames = 4096;

std::string number(float value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", static_cast<double>(value));
  return text;
}

} // namespace

LiveAudio::LiveAudio(PcmFormat format, int rate, int channels, const std::string& network)
    : format_(format), channels_(static_cast<size_t>(channels)),
      frame_bytes_(channels_ * (format == PcmFormat::f32 ? sizeof(float) : sizeof(int16_t))),
      mixer_(channels_, rate, ChannelMixer::kMix) {
  if (rate != Resampler::kOutputRate)
    resampler_.emplace(rate);
  if (!network.empty())
    network_.emplace(silero_weights(network));
}

LiveAudio::Heard LiveAudio::push(const uint8_t* bytes, size_t size) {
  Heard heard;
  pending_.insert(pending_.end(), bytes, bytes + size);
  const size_t whole = pending_.size() / frame_bytes_;
  for (size_t done = 0; done < whole;) {
    const size_t count = std::min(whole - done, kBlockFrames);
    const size_t samples = count * channels_;
    const uint8_t* from = pending_.data() + done * frame_bytes_;
    frames_.resize(samples);
    if (format_ == PcmFormat::f32) {
      std::memcpy(frames_.data(), from, samples * sizeof(float));
      for (size_t i = 0; i < samples; ++i) {
        if (!(std::fabs(frames_[i]) <= kLargestSample)) {
          throw Error("ERR_INVALID_ARGUMENT",
                      "Expected samples from -1 to 1 for the live audio but received " + number(frames_[i]) +
                          " at index " + std::to_string(position_ + i));
        }
      }
    } else {
      for (size_t i = 0; i < samples; ++i) {
        int16_t sample;
        std::memcpy(&sample, from + i * sizeof sample, sizeof sample);
        frames_[i] = static_cast<float>(sample) * (1.0f / 32768);
      }
    }
    position_ += samples;
    hear(frames_.data(), count, heard);
    done += count;
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(whole * frame_bytes_));
  listen(heard);
  return heard;
}

LiveAudio::Heard LiveAudio::finish() {
  Heard heard;
  pending_.clear();
  if (resampler_) {
    resampler_->finish();
    hear(nullptr, 0, heard);
  }
  listen(heard);
  if (network_)
    network_->finish(heard.probabilities);
  return heard;
}

void LiveAudio::hear(const float* frames, size_t count, Heard& heard) {
  mono_.resize(count);
  mixer_.mix(frames, count, mono_.data());
  if (!resampler_) {
    heard.samples.insert(heard.samples.end(), mono_.begin(), mono_.end());
    return;
  }
  resampler_->push(mono_.data(), count);
  float block[1024];
  for (size_t got = sizeof block / sizeof *block; got == sizeof block / sizeof *block;) {
    got = resampler_->pull(block, sizeof block / sizeof *block);
    heard.samples.insert(heard.samples.end(), block, block + got);
  }
}

void LiveAudio::listen(Heard& heard) {
  heard.warnings = mixer_.warnings();
  if (network_)
    network_->push(heard.samples.data(), heard.samples.size(), heard.probabilities);
}

} // namespace whisper_hip
