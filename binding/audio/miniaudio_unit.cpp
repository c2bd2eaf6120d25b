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
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <utility>

#include "audio/codecs.h"
#include "audio/mp3_frames.h"
#include "audio/recording_clock.h"

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

  Input input_;
  ma_dr_wav wav_ = {};
  RecordingClock clock_;
  uint64_t promised_ = 0; // frames, where the header says more than there are
};

// Frames carry their place in the recording and two checksums: what is damaged is left out and becomes
// silence.
class FlacSource final : public FrameSource {
 public:
  FlacSource(std::unique_ptr<ByteReader> reader, uint64_t start, std::string name)
      : input_{std::move(reader), start, nullptr}, name_(std::move(name)) {
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
      fail_damaged(name_, "its FLAC header is damaged or cut off");
    clock_.set_rate(sample_rate());
  }
  ~FlacSource() override { ma_dr_flac_close(flac_); }

  int sample_rate() const override { return static_cast<int>(flac_->sampleRate); }
  int channels() const override { return flac_->channels; }

  size_t read(float* out, size_t frames) override {
    const auto channels = static_cast<size_t>(flac_->channels);
    size_t done = 0;
    while (done < frames) {
      float* to = out + done * channels;
      if (clock_.silent()) {
        done += clock_.write_silence(to, frames - done, channels);
        continue;
      }
      if (flac_->currentFLACFrame.pcmFramesRemaining == 0) {
        if (ended_ || !next_frame()) {
          end();
          if (!clock_.silent())
            break;
        }
        continue; // silence may be due first
      }
      const ma_uint64 wanted = std::min<ma_uint64>(frames - done, flac_->currentFLACFrame.pcmFramesRemaining);
      const ma_uint64 got = ma_dr_flac_read_pcm_frames_f32(flac_, wanted, to);
      input_.rethrow();
      clock_.advance(got);
      done += static_cast<size_t>(got);
      if (got < wanted)
        break;
    }
    if (done == 0)
      clock_.require_sound(name_);
    return done;
  }

  std::vector<Warning> warnings() const override { return clock_.warnings(); }

 private:
  // Decodes the next sound frame, and moves the clock to its place; false at the end of the file.
  bool next_frame() {
    for (;;) {
      const auto before = place();
      const bool found =
          ma_dr_flac__read_next_flac_frame_header(&flac_->bs, flac_->bitsPerSample, &header()) != MA_FALSE;
      const bool decoded = found && ma_dr_flac__decode_flac_frame(flac_) == MA_SUCCESS;
      input_.rethrow();
      if (found && !decoded)
        check_channels();
      if (decoded) {
        if (header().sampleRate != 0 && header().sampleRate != flac_->sampleRate)
          fail_unsupported(name_, "its sample rate changes");
        ma_uint64 first = 0;
        ma_dr_flac__get_pcm_frame_range_of_current_flac_frame(flac_, &first, nullptr);
        // Numbers that go back, or beyond the end, are those of another recording.
        if (flac_->totalPCMFrameCount == 0 || first < flac_->totalPCMFrameCount)
          clock_.move_to(first, RecordingClock::Cause::damage);
        sound_end_ = input_.reader->position();
        return true;
      }
      // Nothing was read any more.
      if (place() == before) {
        ended_ = true;
        return false;
      }
    }
  }

  // What was not decoded at the end is damaged if its bytes are there, else cut off.
  void end() {
    const uint64_t total = flac_->totalPCMFrameCount;
    if (std::exchange(told_end_, true) || total <= clock_.position())
      return;
    const uint64_t size = input_.reader->size();
    const bool bytes_left = size > sound_end_ && size - sound_end_ > kTailBytes;
    if (bytes_left)
      clock_.lose(total - clock_.position());
    else
      clock_.end_early(total);
  }

  // A frame of another number of channels is no damage, when there is more than one of them.
  void check_channels() {
    if (ma_dr_flac__get_channel_count_from_channel_assignment(
            static_cast<ma_int8>(header().channelAssignment)) == flac_->channels) {
      return;
    }
    if (++other_channels_ == kOtherFrames)
      fail_unsupported(name_, "its number of channels changes");
  }

  ma_dr_flac_frame_header& header() { return flac_->currentFLACFrame.header; }
  std::array<uint64_t, 3> place() const {
    return {input_.reader->position(), flac_->bs.nextL2Line, flac_->bs.consumedBits};
  }

  static Whence whence(ma_dr_flac_seek_origin origin) {
    if (origin == MA_DR_FLAC_SEEK_CUR)
      return Whence::current;
    return origin == MA_DR_FLAC_SEEK_END ? Whence::end : Whence::start;
  }

  static constexpr uint64_t kTailBytes = 32 << 10; // more than miniaudio reads ahead, and a frame
  static constexpr int kOtherFrames = 4;           // that pass their checksum by chance

  Input input_;
  std::string name_;
  ma_dr_flac* flac_ = nullptr;
  RecordingClock clock_;
  uint64_t sound_end_ = 0; // where reading was after the last sound frame
  int other_channels_ = 0;
  bool ended_ = false;
  bool told_end_ = false;
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

Mp3FrameDecoder::Header Mp3FrameDecoder::parse(const uint8_t* bytes) {
  if (!ma_dr_mp3_hdr_valid(bytes))
    return {};
  Header header = {};
  header.length = static_cast<size_t>(ma_dr_mp3_hdr_frame_bytes(bytes, 0) + ma_dr_mp3_hdr_padding(bytes));
  header.sample_rate = static_cast<int>(ma_dr_mp3_hdr_sample_rate_hz(bytes));
  header.layer = 4 - MA_DR_MP3_HDR_GET_LAYER(bytes);
  return header;
}

void Mp3FrameDecoder::reset() {
  ma_dr_mp3dec_init(&state_->decoder);
}

Mp3FrameDecoder::Frame Mp3FrameDecoder::decode(const uint8_t* bytes, size_t size, float* pcm) {
  ma_dr_mp3dec_frame_info info = {};
  const int frames = ma_dr_mp3dec_decode_frame(&state_->decoder, bytes, static_cast<int>(size), pcm, &info);
  Frame frame = {};
  frame.bytes = static_cast<size_t>(info.frame_bytes);
  if (info.layer == 0) // no frame was found
    return frame;
  const uint8_t* header = state_->decoder.header;
  frame.length = static_cast<size_t>(ma_dr_mp3_hdr_frame_bytes(header, state_->decoder.free_format_bytes) +
                                     ma_dr_mp3_hdr_padding(header));
  frame.frames = static_cast<int>(ma_dr_mp3_hdr_frame_samples(header));
  frame.decoded = frames > 0;
  frame.channels = info.channels;
  frame.sample_rate = info.sample_rate;
  frame.layer = info.layer;
  return frame;
}

} // namespace whisper_hip
