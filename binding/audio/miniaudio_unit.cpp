// The one translation unit that compiles miniaudio: its WAV and FLAC decoders behind FrameSource, and its
// MPEG frame decoder, whose container handling is ours (mp3_source.cpp). Everything of miniaudio stays inside
// this unit.

// Broken input must end in an error, not in an assertion.
#undef NDEBUG
#define NDEBUG

#define MA_API static
#define MA_NO_DEVICE_IO
#define MA_NO_THREADING
#define MA_NO_ENCODING
#define MA_NO_GENERATION
#define MA_NO_RESOURCE_MANAGER
#define MA_NO_NODE_GRAPH
#define MA_NO_ENGINE
#define MA_DR_FLAC_NO_OGG
#define MA_DR_MP3_FLOAT_OUTPUT
#define MINIAUDIO_IMPLEMENTATION
#include "miniaudio.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <utility>

#include "audio/codecs.h"
#include "audio/mp3_frames.h"

namespace whisper_hip {

namespace {

// What the callbacks of a decoder work on. Exceptions wait here while miniaudio's C code is on the stack.
struct Input {
  std::unique_ptr<ByteReader> reader;
  uint64_t origin;
  std::exception_ptr failure;

  void rethrow() {
    if (failure)
      std::rethrow_exception(std::exchange(failure, nullptr));
  }
};

size_t read_input(void* user, void* out, size_t n) {
  auto* input = static_cast<Input*>(user);
  if (input->failure)
    return 0;
  try {
    return input->reader->read(out, n);
  } catch (...) {
    input->failure = std::current_exception();
    return 0;
  }
}

enum class Whence { start, current, end };

ma_bool32 seek_input(void* user, int offset, Whence whence) {
  auto* input = static_cast<Input*>(user);
  const auto size = static_cast<int64_t>(input->reader->size());
  const auto origin = static_cast<int64_t>(input->origin);
  int64_t base = origin;
  if (whence == Whence::current)
    base = static_cast<int64_t>(input->reader->position());
  if (whence == Whence::end)
    base = size;
  const int64_t target = base + offset;
  if (target < origin || target > size)
    return MA_FALSE;
  input->reader->seek(static_cast<uint64_t>(target));
  return MA_TRUE;
}

ma_bool32 tell_input(void* user, ma_int64* position) {
  auto* input = static_cast<Input*>(user);
  *position = static_cast<int64_t>(input->reader->position() - input->origin);
  return MA_TRUE;
}

// Sizes in headers do not decide how much memory is taken: the largest honest request is a FLAC block of 2 MB
// with its seek table.
constexpr size_t kLargestAllocation = 8 << 20;

ma_allocation_callbacks bounded_memory() {
  ma_allocation_callbacks callbacks = {};
  callbacks.onMalloc = [](size_t size, void*) {
    return size > kLargestAllocation ? nullptr : std::malloc(size);
  };
  callbacks.onRealloc = [](void* memory, size_t size, void*) {
    return size > kLargestAllocation ? nullptr : std::realloc(memory, size);
  };
  callbacks.onFree = [](void* memory, void*) { std::free(memory); };
  return callbacks;
}

class WavSource final : public FrameSource {
 public:
  WavSource(std::unique_ptr<ByteReader> reader, const std::string& name)
      : input_{std::move(reader), 0, nullptr} {
    const ma_allocation_callbacks memory = bounded_memory();
    input_.reader->seek(0);
    Header header = {};
    const ma_bool32 opened = ma_dr_wav_init_ex(
        &wav_, read_input,
        [](void* user, int offset, ma_dr_wav_seek_origin origin) {
          return seek_input(user, offset, whence(origin));
        },
        tell_input, remember_header, &input_, &header, 0, &memory);
    input_.rethrow();
    if (!opened || !is_built_in())
      fail_to_open(header, name);
    if (wav_.dataChunkDataSize == 0)
      take_the_rest();
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
    return static_cast<size_t>(got);
  }

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
  };

  // Called for each chunk; the format is known from the chunk after "fmt " on.
  static ma_uint64 remember_header(void* user, ma_dr_wav_read_proc, ma_dr_wav_seek_proc, void*,
                                   const ma_dr_wav_chunk_header* chunk, ma_dr_wav_container,
                                   const ma_dr_wav_fmt* format) {
    auto* header = static_cast<Header*>(user);
    header->format = *format;
    for (const char* name : {"data", "SSND"})
      header->has_data |= std::memcmp(chunk->id.fourcc, name, 4) == 0;
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

  Input input_;
  ma_dr_wav wav_ = {};
};

class FlacSource final : public FrameSource {
 public:
  FlacSource(std::unique_ptr<ByteReader> reader, uint64_t start, const std::string& name)
      : input_{std::move(reader), start, nullptr} {
    const ma_allocation_callbacks memory = bounded_memory();
    input_.reader->seek(start);
    flac_ = ma_dr_flac_open(
        read_input,
        [](void* user, int offset, ma_dr_flac_seek_origin origin) {
          return seek_input(user, offset, whence(origin));
        },
        tell_input, &input_, &memory);
    if (flac_ != nullptr && input_.failure)
      ma_dr_flac_close(std::exchange(flac_, nullptr));
    input_.rethrow();
    if (flac_ == nullptr)
      fail_damaged(name, "its FLAC header is damaged or cut off");
  }
  ~FlacSource() override { ma_dr_flac_close(flac_); }

  int sample_rate() const override { return static_cast<int>(flac_->sampleRate); }
  int channels() const override { return flac_->channels; }

  size_t read(float* out, size_t frames) override {
    const ma_uint64 got = ma_dr_flac_read_pcm_frames_f32(flac_, frames, out);
    input_.rethrow();
    return static_cast<size_t>(got);
  }

 private:
  static Whence whence(ma_dr_flac_seek_origin origin) {
    if (origin == MA_DR_FLAC_SEEK_CUR)
      return Whence::current;
    return origin == MA_DR_FLAC_SEEK_END ? Whence::end : Whence::start;
  }

  Input input_;
  ma_dr_flac* flac_ = nullptr;
};

} // namespace

std::unique_ptr<FrameSource> open_wav(std::unique_ptr<ByteReader> reader, const std::string& name) {
  return std::make_unique<WavSource>(std::move(reader), name);
}

std::unique_ptr<FrameSource> open_flac(std::unique_ptr<ByteReader> reader, uint64_t start,
                                       const std::string& name) {
  return std::make_unique<FlacSource>(std::move(reader), start, name);
}

struct Mp3FrameDecoder::State {
  ma_dr_mp3dec decoder;
};

Mp3FrameDecoder::Mp3FrameDecoder() : state_(std::make_unique<State>()) {
  reset();
}
Mp3FrameDecoder::~Mp3FrameDecoder() = default;

void Mp3FrameDecoder::reset() {
  ma_dr_mp3dec_init(&state_->decoder);
}

Mp3FrameDecoder::Frame Mp3FrameDecoder::decode(const uint8_t* bytes, size_t size, float* pcm) {
  ma_dr_mp3dec_frame_info info = {};
  const int frames = ma_dr_mp3dec_decode_frame(&state_->decoder, bytes, static_cast<int>(size), pcm, &info);
  Frame frame = {};
  frame.bytes = static_cast<size_t>(info.frame_bytes);
  if (frames <= 0)
    return frame;
  const uint8_t* header = state_->decoder.header;
  frame.length = static_cast<size_t>(ma_dr_mp3_hdr_frame_bytes(header, state_->decoder.free_format_bytes) +
                                     ma_dr_mp3_hdr_padding(header));
  frame.frames = frames;
  frame.channels = info.channels;
  frame.sample_rate = info.sample_rate;
  frame.layer = info.layer;
  return frame;
}

} // namespace whisper_hip
