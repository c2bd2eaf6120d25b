// What a job listens to: 16 kHz mono f32, whatever the source was.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "audio/channel_mixer.h"
#include "audio/decoder.h"
#include "audio/frame_source.h"
#include "audio/resampler.h"
#include "audio/side_loudness.h"
#include "support/byte_store.h"

namespace whisper_hip {

enum class PcmFormat { f32, s16 };

// Samples in memory, interleaved by channel, in native byte order; s16 is scaled by 1/32768.
struct PcmLayout {
  PcmFormat format;
  int sample_rate; // 1000..768000
  int channels;    // 1..64
  // Silence that belongs between the samples, in order.
  struct Gap {
    uint64_t at;      // frames before it in the store
    uint64_t silence; // its own frames
    uint64_t dropped; // frames after it in the store that it stands for
  };
  std::vector<Gap> gaps = {};
  // Whether the samples are needed again: else they are released as they are consumed.
  bool keep = false;
};

// Pulls frames from its source, brings them to one channel and resamples them. Memory is bounded by a
// constant. Not thread safe: it belongs to one job.
class AudioStream {
 public:
  // `channel`: a number from 0, or ChannelMixer::kMix. Throws Error(ERR_INVALID_ARGUMENT) when there is no
  // such channel.
  static std::unique_ptr<AudioStream> from_decoder(std::unique_ptr<Decoder> decoder,
                                                   int channel = ChannelMixer::kMix);

  // Throws Error(ERR_INVALID_ARGUMENT) when the layout is out of range, or the store ends in the middle of a
  // frame.
  static std::unique_ptr<AudioStream> from_pcm(std::shared_ptr<ByteStore> store, PcmLayout layout,
                                               int channel = ChannelMixer::kMix);

  // Writes up to `n` samples and returns how many; fewer than `n` only at the end. Throws what the source
  // throws: for PCM Error(ERR_INVALID_ARGUMENT) naming the index of a sample that is not finite.
  size_t read(float* out, size_t n);

  // Listens to the two sides as well: before the first read.
  void compare_sides() { sides_ = std::make_shared<SideLoudness>(source_->sample_rate()); }
  // Of what has been read; null unless it listens.
  std::shared_ptr<const SideLoudness> sides() const { return sides_; }

  // Of the source.
  int channels() const { return source_->channels(); }
  // What was wrong with the source; complete at its end.
  std::vector<Warning> warnings() const;

 private:
  AudioStream(std::unique_ptr<FrameSource> source, int channel);

  size_t read_mono(float* out, size_t n);

  std::unique_ptr<FrameSource> source_;
  ChannelMixer mixer_;
  std::shared_ptr<SideLoudness> sides_;
  std::unique_ptr<Resampler> resampler_; // none at 16 kHz
  std::vector<float> frames_;            // interleaved, when there are several channels
  std::vector<float> mono_;
  bool ended_ = false;
};

// Opens the audio; runs on the job's thread.
using OpenAudio = std::function<std::unique_ptr<AudioStream>()>;

} // namespace whisper_hip
