// Native FLAC, with miniaudio.
#include <algorithm>
#include <array>

#include "audio/codecs.h"
#include "audio/miniaudio_static.h"
#include "audio/recording_clock.h"

namespace whisper_hip {

namespace {

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
        [](void* user, int offset, ma_dr_flac_seek_origin origin) -> ma_bool32 {
          return seek_input(user, offset, whence(origin));
        },
        tell_position, &input_, &memory);
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
    const auto assignment = static_cast<ma_int8>(header().channelAssignment);
    if (ma_dr_flac__get_channel_count_from_channel_assignment(assignment) == channels())
      return;
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

  DecoderInput input_;
  std::string name_;
  ma_dr_flac* flac_ = nullptr;
  RecordingClock clock_;
  uint64_t sound_end_ = 0; // where reading was after the last sound frame
  int other_channels_ = 0;
  bool ended_ = false;
  bool told_end_ = false;
};

} // namespace

std::unique_ptr<FrameSource> open_flac(std::unique_ptr<ByteReader> reader, uint64_t start,
                                       const std::string& name) {
  return std::make_unique<FlacSource>(std::move(reader), start, name);
}

} // namespace whisper_hip
