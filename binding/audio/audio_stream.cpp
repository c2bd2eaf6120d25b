#include "audio/audio_stream.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "support/error.h"

namespace whisper_hip {

namespace {

constexpr size_t kBlockFrames = 4096;

class PcmSource final : public FrameSource {
 public:
  PcmSource(std::shared_ptr<ByteStore> store, PcmLayout layout)
      : store_(std::move(store)), layout_(std::move(layout)) {}

  int sample_rate() const override { return layout_.sample_rate; }
  int channels() const override { return layout_.channels; }

  size_t read(float* out, size_t frames) override {
    const auto channels = static_cast<size_t>(layout_.channels);
    size_t most = frames;
    while (gap_ < layout_.gaps.size()) {
      PcmLayout::Gap& gap = layout_.gaps[gap_];
      if (gap.at > frames_read_) {
        most = static_cast<size_t>(std::min<uint64_t>(frames, gap.at - frames_read_));
        break;
      }
      if (gap.silence > 0) {
        const auto n = static_cast<size_t>(std::min<uint64_t>(gap.silence, frames));
        std::fill_n(out, n * channels, 0.0f);
        gap.silence -= n;
        return n;
      }
      frames_read_ += gap.dropped;
      position_ = std::min<uint64_t>(store_->size(), frames_read_ * frame_bytes());
      ++gap_;
    }
    const size_t samples = most * channels;
    const size_t got =
        (layout_.format == PcmFormat::f32 ? read_f32(out, samples) : read_s16(out, samples)) / channels;
    frames_read_ += got;
    if (!layout_.keep)
      store_->release_before(position_);
    return got;
  }

 private:
  uint64_t frame_bytes() const {
    const size_t sample = layout_.format == PcmFormat::f32 ? sizeof(float) : sizeof(int16_t);
    return sample * static_cast<uint64_t>(layout_.channels);
  }

  size_t read_f32(float* out, size_t samples) {
    const size_t first = position_ / sizeof(float);
    const size_t got = read_bytes(out, samples * sizeof(float)) / sizeof(float);
    const size_t damaged = find_damaged_sample(out, got);
    if (damaged < got) {
      throw Error("ERR_INVALID_ARGUMENT", "Expected finite samples for audio but received " +
                                              std::to_string(out[damaged]) + " at index " +
                                              std::to_string(first + damaged));
    }
    return got;
  }

  size_t read_s16(float* out, size_t samples) {
    integers_.resize(samples);
    const size_t got = read_bytes(integers_.data(), samples * sizeof(int16_t)) / sizeof(int16_t);
    for (size_t i = 0; i < got; ++i)
      out[i] = static_cast<float>(integers_[i]) * (1.0f / 32768);
    return got;
  }

  size_t read_bytes(void* out, size_t n) {
    const size_t got = store_->read(position_, out, n);
    position_ += got;
    return got;
  }

  std::shared_ptr<ByteStore> store_;
  PcmLayout layout_;
  size_t gap_ = 0; // the next of them
  uint64_t frames_read_ = 0;
  uint64_t position_ = 0;
  std::vector<int16_t> integers_;
};

void require_range(int value, int low, int high, const char* what) {
  if (value >= low && value <= high)
    return;
  throw Error("ERR_INVALID_ARGUMENT", "Expected an integer from " + std::to_string(low) + " to " +
                                          std::to_string(high) + " for " + what + " but received " +
                                          std::to_string(value));
}

} // namespace

AudioStream::AudioStream(std::unique_ptr<FrameSource> source, int channel)
    : source_(std::move(source)),
      mixer_(static_cast<size_t>(source_->channels()), source_->sample_rate(), channel) {
  if (channel != ChannelMixer::kMix)
    require_range(channel, 0, source_->channels() - 1, "channel");
  const auto channels = static_cast<size_t>(source_->channels());
  if (channels > 1)
    frames_.resize(kBlockFrames * channels);
  if (source_->sample_rate() == Resampler::kOutputRate)
    return;
  resampler_ = std::make_unique<Resampler>(source_->sample_rate());
  mono_.resize(kBlockFrames);
}

std::unique_ptr<AudioStream> AudioStream::from_decoder(std::unique_ptr<Decoder> decoder, int channel) {
  return std::unique_ptr<AudioStream>(new AudioStream(std::move(decoder), channel));
}

std::unique_ptr<AudioStream> AudioStream::from_pcm(std::shared_ptr<ByteStore> store, PcmLayout layout,
                                                   int channel) {
  require_range(layout.sample_rate, FrameSource::kLowestRate, FrameSource::kHighestRate, "sampleRate");
  require_range(layout.channels, 1, FrameSource::kMostChannels, "channels");
  const bool is_f32 = layout.format == PcmFormat::f32;
  const size_t frame_bytes =
      (is_f32 ? sizeof(float) : sizeof(int16_t)) * static_cast<size_t>(layout.channels);
  if (store->size() % frame_bytes != 0) {
    throw Error("ERR_INVALID_ARGUMENT",
                "Expected a multiple of " + std::to_string(frame_bytes) + " bytes for audio with " +
                    std::to_string(layout.channels) + " channels of " + (is_f32 ? "f32" : "s16") +
                    " samples but received " + std::to_string(store->size()) + " bytes");
  }
  auto source = std::make_unique<PcmSource>(std::move(store), std::move(layout));
  return std::unique_ptr<AudioStream>(new AudioStream(std::move(source), channel));
}

std::vector<Warning> AudioStream::warnings() const {
  std::vector<Warning> warnings = source_->warnings();
  for (Warning& warning : mixer_.warnings())
    warnings.push_back(std::move(warning));
  return warnings;
}

size_t AudioStream::read(float* out, size_t n) {
  size_t done = 0;
  if (!resampler_) {
    while (done < n && !ended_)
      done += read_mono(out + done, n - done);
    return done;
  }
  for (;;) {
    done += resampler_->pull(out + done, n - done);
    if (done == n || ended_)
      return done;
    const size_t got = read_mono(mono_.data(), mono_.size());
    resampler_->push(mono_.data(), got);
    if (ended_)
      resampler_->finish();
  }
}

// Reads one block at the source's rate. Sets ended_ at the end.
size_t AudioStream::read_mono(float* out, size_t n) {
  const size_t wanted = std::min(n, kBlockFrames);
  const auto channels = static_cast<size_t>(source_->channels());
  const size_t got = source_->read(channels > 1 ? frames_.data() : out, wanted);
  if (sides_)
    sides_->push(frames_.data(), got, channels);
  if (channels > 1)
    mixer_.mix(frames_.data(), got, out);
  ended_ = got == 0;
  return got;
}

} // namespace whisper_hip
