// Live audio as it arrives: bytes of PCM become 16 kHz mono samples and, with voice activity, the probability
// that somebody speaks in each frame. One object per stream: it carries the state of both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audio/audio_stream.h"
#include "audio/channel_mixer.h"
#include "audio/resampler.h"
#include "vad/silero.h"

namespace whisper_hip {

class LiveAudio {
 public:
  struct Heard {
    std::vector<float> samples; // 16 kHz mono
    std::vector<float>
        probabilities; // of each frame of Silero::kFrameSamples samples that is complete with them
    std::vector<Warning> warnings; // about the channels, all so far
  };

  // `rate` in 1000..768000, `channels` in 1..64 interleaved. `network`: path of Silero's ONNX file, empty for
  // none. Throws what silero_weights() throws.
  LiveAudio(PcmFormat format, int rate, int channels, const std::string& network);

  // The next bytes, split anywhere. Throws Error(ERR_INVALID_ARGUMENT) naming the index of a sample (channels
  // counted) that is no number or far beyond full scale, as bytes of another format are.
  Heard push(const uint8_t* bytes, size_t size);
  // No bytes follow. A frame that is not whole is dropped.
  Heard finish();

 private:
  void hear(const float* frames, size_t count, Heard& heard);
  void listen(Heard& heard);

  PcmFormat format_;
  size_t channels_;
  size_t frame_bytes_;
  std::optional<Resampler> resampler_; // none at 16 kHz
  std::optional<Silero> network_;
  std::vector<uint8_t> pending_; // bytes of a frame that is not whole
  std::vector<float> frames_;
  ChannelMixer mixer_;
  std::vector<float> mono_;
  uint64_t position_ = 0; // samples, channels counted
};

} // namespace whisper_hip
