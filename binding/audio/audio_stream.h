// What a job listens to: 16 kHz mono f32, whatever the source was.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "audio/byte_store.h"
#include "audio/decoder.h"
#include "audio/frame_source.h"
#include "audio/resampler.h"

namespace whisper_hip {

enum class PcmFormat { f32, s16 };

// Pulls frames from its source, mixes them down (the mean of the channels) and resamples them. Memory is
// bounded by a constant; PCM is released as it is consumed. Not thread safe: it belongs to one job.
class AudioStream {
 public:
  static std::unique_ptr<AudioStream> from_decoder(std::unique_ptr<Decoder> decoder);

  // Interleaved PCM in native byte order; s16 is scaled by 1/32768. Throws Error(ERR_INVALID_ARGUMENT) when
  // the rate is not in 1000..768000, the channels are not in 1..64, or the store ends in the middle of a
  // frame.
  static std::unique_ptr<AudioStream> from_pcm(std::shared_ptr<ByteStore> store, PcmFormat format,
                                               int sample_rate, int channels);

  // Writes up to `n` samples and returns how many; fewer than `n` only at the end. Throws what the source
  // throws: for PCM Error(ERR_INVALID_ARGUMENT) naming the index of a sample that is not finite.
  size_t read(float* out, size_t n);

 private:
  explicit AudioStream(std::unique_ptr<FrameSource> source);

  size_t read_mono(float* out, size_t n);

  std::unique_ptr<FrameSource> source_;
  std::unique_ptr<Resampler> resampler_; // none at 16 kHz
  std::vector<float> frames_;            // interleaved, when there are several channels
  std::vector<float> mono_;
  bool ended_ = false;
};

} // namespace whisper_hip
