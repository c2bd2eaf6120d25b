// WAV and its relatives, with miniaudio.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "audio/codecs.h"
#include "audio/miniaudio_static.h"
#include "audio/recording_clock.h"

namespace whisper_hip {

namespace {

class WavSource final : public FrameSource {
 public:
  WavSource(std::unique_ptr<ByteReader> reader, const std::string& name)
      : input_{std::move(reader), 0, nullptr} {
    const ma_allocation_callbacks memory = bounded_memory();
    input_.reader->seek(0);
    Header header = {};
    const ma_bool32 opened = ma_dr_wav_init_ex(
        &wav_, read_input,
        [](void* user, int offset, ma_dr_wav_seek_origin origin) -> ma_bool32 {
          return seek_input(user, offset, whence(origin));
        },
        tell_position, remember_header, &input_, &header, 0, &memory);
    input_.rethrow();
    if (!opened || !is_built_in())
      fail_to_open(header, name);
    clock_.set_rate(sample_rate());
    if (wav_.dataChunkDataSize == 0)
      take_the_rest();
    else
      check_size(header.data_bytes);
    // miniaudio takes the sign bit of logarithmic samples in AIFF for that of integers.
    if (is_logarithmic(wav_.translatedFormatTag))
      wav_.aiff.isUnsigned = MA_TRUE;
  }
  ~WavSource() override { ma_dr_wav_uninit(&wav_); }

  int sample_rate() const override { return static_cast<int>(wav_.sampleRate); }
  int channels() const override { return wav_.channels; }

  size_t read(float* out, size_t frames) override {
    const ma_uint64 got = ma_dr_wav_read_pcm_frames_f32(&wav_, frames, out);
    input_.rethrow();
    if (wav_.translatedFormatTag == MA_DR_WAVE_FORMAT_PCM && sample_bytes() == 1)
      centre(out, got * wav_.channels);
    clock_.advance(got);
    if (got == 0 && promised_ > clock_.position())
      clock_.end_early(promised_);
    return static_cast<size_t>(got);
  }

  std::vector<Warning> warnings() const override { return clock_.warnings(); }

 private:
  static Whence whence(ma_dr_wav_seek_origin origin) {
    if (origin == MA_DR_WAV_SEEK_CUR)
      return Whence::current;
    return origin == MA_DR_WAV_SEEK_END ? Whence::end : Whence::start;
  }

  static bool is_logarithmic(ma_uint16 format) {
    return format == MA_DR_WAVE_FORMAT_ALAW || format == MA_DR_WAVE_FORMAT_MULAW;
  }

  // miniaudio spreads 8-bit samples over -1..1, which makes a constant of 1/255 out of silence (128). This
  // gives (sample - 128) / 128.
  static void centre(float* samples, size_t n) {
    for (size_t i = 0; i < n; ++i)
      samples[i] = (samples[i] * 255 - 1) / 256;
  }

  struct Header {
    ma_dr_wav_fmt format;
    bool has_data;
    uint64_t data_bytes; // as it says
  };

  // Called for each chunk; the format is known from the chunk after "fmt " on.
  static ma_uint64 remember_header(void* user, ma_dr_wav_read_proc, ma_dr_wav_seek_proc, void*,
                                   const ma_dr_wav_chunk_header* chunk, ma_dr_wav_container,
                                   const ma_dr_wav_fmt* format) {
    auto* header = static_cast<Header*>(user);
    header->format = *format;
    for (const char* name : {"data", "SSND"}) {
      if (std::memcmp(chunk->id.fourcc, name, 4) != 0)
        continue;
      header->has_data = true;
      header->data_bytes = chunk->sizeInBytes;
    }
    return 0;
  }

  uint32_t frame_bytes() const { return ma_dr_wav_get_bytes_per_pcm_frame(const_cast<ma_dr_wav*>(&wav_)); }
  uint32_t sample_bytes() const { return frame_bytes() / wav_.channels; }

  // miniaudio opens what it then reads as silence or not at all.
  bool is_built_in() const {
    const uint32_t bytes = sample_bytes();
    const bool whole = bytes * wav_.channels == frame_bytes();
    switch (wav_.translatedFormatTag) {
    case MA_DR_WAVE_FORMAT_PCM:
      return whole && bytes >= 1 && bytes <= 8;
    case MA_DR_WAVE_FORMAT_IEEE_FLOAT:
      return whole && (bytes == 4 || bytes == 8);
    default:
      return is_logarithmic(wav_.translatedFormatTag) ||
             ma_dr_wav__is_compressed_format_tag(wav_.translatedFormatTag);
    }
  }

  // miniaudio says only that it did not open: tell the damaged file from the one that needs other software.
  [[noreturn]] void fail_to_open(const Header& header, const std::string& name) const {
    const ma_dr_wav_fmt& format = header.format;
    if (wav_.container == ma_dr_wav_container_aiff)
      fail_unsupported(name, "it is an AIFF file of a kind that is not built in");
    if (format.formatTag == 0 || !header.has_data) {
      fail_damaged(name, "its header is damaged or cut off before the audio data");
    }
    char text[160];
    std::snprintf(text, sizeof text, "format 0x%04x, %u channels, %u samples a second, %u bits",
                  format.formatTag, format.channels, format.sampleRate, format.bitsPerSample);
    if (format.channels == 0 || format.channels > FrameSource::kMostChannels ||
        format.sampleRate < FrameSource::kLowestRate || format.sampleRate > FrameSource::kHighestRate) {
      fail_damaged(name, std::string("its header says ") + text);
    }
    fail_unsupported(name, std::string("it is a WAV file of a kind that is not built in (") + text + ")");
  }

  // A recorder that was cut off, or that wrote to a pipe, leaves the size of the data at 0: they go on to the
  // end of the file. When another chunk follows, an empty data chunk is meant.
  void take_the_rest() {
    const uint64_t size = input_.reader->size();
    const bool chunk_follows = is_chunk_at(wav_.dataChunkDataPos);
    input_.reader->seek(wav_.dataChunkDataPos);
    const bool compressed = ma_dr_wav__is_compressed_format_tag(wav_.translatedFormatTag);
    if (chunk_follows || compressed || wav_.dataChunkDataPos >= size)
      return;
    wav_.totalPCMFrameCount = (size - wav_.dataChunkDataPos) / frame_bytes();
    wav_.dataChunkDataSize = wav_.totalPCMFrameCount * frame_bytes();
    wav_.bytesRemaining = wav_.dataChunkDataSize;
  }

  // A header that promises more than there is: a recorder that writes to a pipe promises the most there can
  // be, which says nothing.
  void check_size(uint64_t bytes) {
    const uint64_t there =
        input_.reader->size() - std::min<uint64_t>(input_.reader->size(), wav_.dataChunkDataPos);
    const bool compressed = ma_dr_wav__is_compressed_format_tag(wav_.translatedFormatTag);
    if (!compressed && bytes > there + frame_bytes() && bytes < kEndless)
      promised_ = bytes / frame_bytes();
  }

  // Whether there is a name of four letters with a size that fits into the file.
  bool is_chunk_at(uint64_t offset) {
    uint8_t header[8];
    input_.reader->seek(offset);
    if (input_.reader->read(header, sizeof header) < sizeof header)
      return false;
    const bool named =
        std::all_of(header, header + 4, [](uint8_t byte) { return byte >= 0x20 && byte < 0x7f; });
    return named && offset + sizeof header + ma_dr_wav_bytes_to_u32_ex(header + 4, wav_.container) <=
                        input_.reader->size();
  }

  static constexpr uint64_t kEndless = 0x7fff0000;

  DecoderInput input_;
  ma_dr_wav wav_ = {};
  RecordingClock clock_;
  uint64_t promised_ = 0; // frames, where the header says more than there are
};

} // namespace

std::unique_ptr<FrameSource> open_wav(std::unique_ptr<ByteReader> reader, const std::string& name) {
  return std::make_unique<WavSource>(std::move(reader), name);
}

} // namespace whisper_hip
