// Decodes an audio file at its own rate and channel count.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "audio/byte_reader.h"
#include "audio/frame_source.h"
#include "audio/recording_clock.h"

namespace whisper_hip {

// wav, AIFF, mp3, FLAC and Ogg Vorbis, told by the first bytes. Memory is bounded by a constant (a few MB),
// whatever the file says; a truncated file gives what is there.
class Decoder final : public FrameSource {
 public:
  // `name` is the file in messages. Throws Error(ERR_AUDIO_UNSUPPORTED) that says what the file looks like
  // when it is none of the formats, and Error(ERR_AUDIO_DECODE) when it is damaged.
  static std::unique_ptr<Decoder> open(std::unique_ptr<ByteReader> reader, const std::string& name);

  int sample_rate() const override { return source_->sample_rate(); }
  int channels() const override { return source_->channels(); }

  // Samples that are no numbers are damage, which becomes silence. Throws Error(ERR_AUDIO_DECODE) when the
  // file cannot be read any more or nothing of it is sound, and Error(ERR_AUDIO_UNSUPPORTED) when it changes
  // to something that needs other software.
  size_t read(float* out, size_t frames) override;
  std::vector<Warning> warnings() const override;

 private:
  Decoder(std::unique_ptr<FrameSource> source, std::string name);

  std::unique_ptr<FrameSource> source_;
  std::string name_;
  RecordingClock clock_;
};

} // namespace whisper_hip
