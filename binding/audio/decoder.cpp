#include "audio/decoder.h"

#include <utility>

#include "audio/audio_format.h"
#include "audio/codecs.h"

namespace whisper_hip {

namespace {

std::unique_ptr<FrameSource> open_source(std::unique_ptr<ByteReader> reader, const std::string& name) {
  using Kind = AudioFormat::Kind;
  const AudioFormat format = detect_audio_format(*reader);
  switch (format.kind) {
  case Kind::wav:
    return open_wav(std::move(reader), name);
  case Kind::flac:
    return open_flac(std::move(reader), format.start, name);
  case Kind::ogg:
    return open_vorbis(std::move(reader), name);
  case Kind::mp3:
    if (auto source = open_mp3(std::move(reader), format.start, name))
      return source;
    break;
  case Kind::unknown:
    break;
  }
  fail_unsupported(name, "it " + format.description);
}

} // namespace

Decoder::Decoder(std::unique_ptr<FrameSource> source, std::string name)
    : source_(std::move(source)), name_(std::move(name)) {}

std::unique_ptr<Decoder> Decoder::open(std::unique_ptr<ByteReader> reader, const std::string& name) {
  std::unique_ptr<FrameSource> source = open_source(std::move(reader), name);
  if (source->channels() < 1 || source->channels() > kMostChannels) {
    fail_damaged(name, "its header says " + std::to_string(source->channels()) + " channels");
  }
  if (source->sample_rate() < kLowestRate || source->sample_rate() > kHighestRate) {
    fail_damaged(name, "its header says " + std::to_string(source->sample_rate()) + " samples a second");
  }
  return std::unique_ptr<Decoder>(new Decoder(std::move(source), name));
}

size_t Decoder::read(float* out, size_t frames) {
  const size_t got = source_->read(out, frames);
  const size_t samples = got * channels();
  const size_t damaged = find_damaged_sample(out, samples);
  if (damaged < samples) {
    const uint64_t frame = frames_read_ + damaged / channels();
    fail_damaged(name_,
                 "the sample in frame " + std::to_string(frame) + " is " + std::to_string(out[damaged]));
  }
  frames_read_ += got;
  return got;
}

} // namespace whisper_hip
