#include "audio/decoder.h"

#include <algorithm>
#include <utility>

#include "audio/audio_format.h"
#include "audio/codecs.h"

namespace whisper_hip {

namespace {

// Where one sample is no number, its neighbours are none to be heard either.
constexpr size_t kCheckedFrames = 1024;

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
    : source_(std::move(source)), name_(std::move(name)) {
  clock_.set_rate(source_->sample_rate());
}

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
  const auto channels = static_cast<size_t>(source_->channels());
  for (size_t start = 0; start < got; start += kCheckedFrames) {
    const size_t n = std::min(kCheckedFrames, got - start);
    float* samples = out + start * channels;
    if (find_damaged_sample(samples, n * channels) == n * channels) {
      clock_.advance(n);
      continue;
    }
    clock_.lose(n);
    clock_.write_silence(samples, n, channels);
  }
  if (got == 0)
    clock_.require_sound(name_);
  return got;
}

std::vector<Warning> Decoder::warnings() const {
  std::vector<Warning> warnings = source_->warnings();
  for (Warning& warning : clock_.warnings())
    warnings.push_back(std::move(warning));
  return warnings;
}

} // namespace whisper_hip
