// A stream of MPEG audio frames: finds the first one, trims what the encoder added.
//
// Frames carry no time. Where bytes between them are none, the time of the lost frames is told from their
// number of bytes, and from how many frames the Xing header promises.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "audio/codecs.h"
#include "audio/mp3_frames.h"
#include "audio/mp3_info_frame.h"
#include "audio/mp3_outline.h"
#include "audio/recording_clock.h"

namespace whisper_hip {

namespace {

// A file without a frame in its first bytes is not an MPEG stream; searching on would find one by chance.
constexpr uint64_t kSearchedBytes = 256 << 10;
constexpr size_t kWindowBytes = 64 << 10;
// Nothing is found in fewer bytes than a header has, and the decoder may look a little beyond a frame.
constexpr size_t kSlackBytes = 64;
// The tag at the end of a file, and a little more: no frame of speech is missing there.
constexpr uint64_t kTagBytes = 128;
// Encoders count to a frame or two.
constexpr uint64_t kSpareFrames = 2;
// Samples that a decoder adds before those of the encoder: the delay of its filter bank.
constexpr uint64_t kDecoderDelay = 529;

class Mp3Source final : public FrameSource {
 public:
  Mp3Source(std::unique_ptr<ByteReader> reader, uint64_t start, std::string name)
      : reader_(std::move(reader)), name_(std::move(name)), window_(kWindowBytes + kSlackBytes),
        pcm_(Mp3FrameDecoder::kMostSamples) {
    reader_->seek(start);
  }

  // Whether the stream has a frame.
  bool find_first_frame() {
    search_limit_ = reader_->position() + kSearchedBytes;
    if (!next_frame())
      return false;
    search_limit_ = UINT64_MAX;
    clock_.set_rate(frame_.sample_rate);
    sample_rate_ = frame_.sample_rate;
    channels_ = frame_.channels;

    const uint8_t* bytes = window_.data() + start_ - frame_.length;
    const Mp3InfoFrame info =
        frame_.layer == 3 ? parse_mp3_info_frame(bytes, frame_.length, channels_) : Mp3InfoFrame();
    if (!info.present)
      return true;
    if (info.frames > 0)
      measure(info.frames, position());
    const uint64_t total = info.frames * static_cast<uint64_t>(frame_.frames);
    const uint64_t padding = info.padding > kDecoderDelay ? info.padding - kDecoderDelay : 0;
    if (info.delay > 0)
      skip_ = info.delay + kDecoderDelay;
    if (total > skip_ + padding) {
      padding_ = padding;
      until_padding_ = total - padding - skip_;
    }
    decoder_.reset();
    left_ = 0;
    lost_ = 0;
    return true;
  }

  int sample_rate() const override { return sample_rate_; }
  int channels() const override { return channels_; }

  size_t read(float* out, size_t frames) override {
    size_t done = 0;
    while (done < frames) {
      if (clock_.silent()) {
        done += clock_.write_silence(out + done * channels_, frames - done, channels_);
        continue;
      }
      if (left_ == 0 && lost_ == 0 && !next_frame()) {
        if (lost_ > 0)
          continue;
        end();
        break;
      }
      if (skip_ > 0) {
        uint64_t& from = lost_ > 0 ? lost_ : left_;
        const uint64_t n = std::min(skip_, from);
        skip_ -= n;
        from -= n;
        continue;
      }
      // Where the header says that the audio ends, only the padding is dropped: what follows it is another
      // recording that somebody appended, or the header is wrong.
      if (until_padding_ == 0) {
        skip_ = padding_;
        until_padding_ = UINT64_MAX;
        continue;
      }
      if (lost_ > 0) {
        const uint64_t n = std::min(lost_, until_padding_);
        clock_.lose(n);
        lost_ -= n;
        until_padding_ -= n;
        continue;
      }
      const auto n = static_cast<size_t>(std::min({left_, uint64_t{frames - done}, until_padding_}));
      copy(out + done * channels_, n);
      clock_.advance(n);
      done += n;
      left_ -= n;
      until_padding_ -= n;
    }
    if (done == 0)
      clock_.require_sound(name_);
    return done;
  }

  std::vector<Warning> warnings() const override { return clock_.warnings(); }

 private:
  // Decodes the next frame to pcm_, and counts in lost_ what is missing before it; false at the end.
  bool next_frame() {
    uint64_t skipped = 0; // bytes that are no frames
    for (;;) {
      refill();
      if (skipped == 0) {
        const auto* head = reinterpret_cast<const char*>(window_.data() + start_);
        skipped_head_.assign(head, std::min<size_t>(8, filled_ - start_));
      }
      frame_ = decoder_.decode(window_.data() + start_, filled_ - start_, pcm_.data());
      const bool stuck = frame_.bytes == 0 && filled_ - start_ >= Mp3FrameDecoder::kLookahead;
      const size_t used = stuck ? 1 : frame_.bytes;
      skipped += used - frame_.length;
      start_ += used;
      if (frame_.frames == 0) {
        if ((start_ == filled_ || used == 0) && at_end()) {
          skipped += filled_ - start_;
          start_ = filled_;
          lose_bytes(skipped, true);
          return false;
        }
        continue;
      }
      if (skipped > 0 && sample_rate_ != 0 && !is_tag()) {
        lose_bytes(skipped, false);
        // What the decoder remembers is from before the gap.
        decoder_.reset();
        frame_ = decoder_.decode(window_.data() + start_ - frame_.length, filled_ - start_ + frame_.length,
                                 pcm_.data());
      }
      skipped = 0;
      ++frames_;
      frame_bytes_ += frame_.length;
      if (frame_.decoded)
        break;
      if (sample_rate_ != 0)
        lost_ += static_cast<uint64_t>(frame_.frames);
    }
    if (sample_rate_ != 0 && frame_.sample_rate != sample_rate_) {
      fail_unsupported(name_, "its sample rate changes from " + std::to_string(sample_rate_) + " to " +
                                  std::to_string(frame_.sample_rate));
    }
    frame_size_ = frame_.frames;
    left_ = static_cast<uint64_t>(frame_.frames);
    return true;
  }

  // Whether bytes that are no frames begin like a tag, which stands at the end or between recordings that
  // were joined.
  bool is_tag() const {
    for (const char* tag : {"TAG", "ID3", "APETAGEX", "LYRICSBE"}) {
      if (skipped_head_.rfind(tag, 0) == 0)
        return true;
    }
    return skipped_head_ == std::string(8, '\0'); // padding
  }

  // Bytes that should be frames are as many frames as such bytes are elsewhere.
  void lose_bytes(uint64_t bytes, bool at_end) {
    if (sample_rate_ == 0 || frames_ == 0)
      return;
    if (at_end && (bytes <= kTagBytes || is_tag()))
      return;
    const double mean = static_cast<double>(frame_bytes_) / static_cast<double>(frames_);
    // The last bytes may be the beginning of a frame.
    auto frames = static_cast<uint64_t>(static_cast<double>(bytes) / mean + (at_end ? 0.0 : 0.5));
    if (!at_end && seams_ > 0) {
      const uint64_t share = missing_ / seams_--;
      missing_ -= share;
      frames += share;
    }
    lost_ += frames * static_cast<uint64_t>(frame_size_);
  }

  // Compares what the header promises with what is there. What is missing was cut out where something is
  // wrong, or else off the end.
  void measure(uint64_t promised, uint64_t start) {
    const uint64_t back = reader_->position();
    const Mp3Outline outline = outline_mp3(*reader_, start);
    reader_->seek(back);
    if (outline.frames == 0)
      return;
    const double mean = static_cast<double>(outline.frame_bytes) / static_cast<double>(outline.frames);
    const auto found =
        outline.frames + static_cast<uint64_t>(static_cast<double>(outline.lost_bytes) / mean + 0.5);
    if (promised <= found + kSpareFrames)
      return;
    promised_ = promised;
    missing_ = promised - found;
    seams_ = outline.seams;
  }

  // Offset of the next byte that is not decoded yet.
  uint64_t position() const { return reader_->position() - (filled_ - start_); }

  void end() {
    if (missing_ > 0 && seams_ == 0 && promised_ > 0)
      clock_.end_early(clock_.position() + missing_ * static_cast<uint64_t>(frame_size_));
    missing_ = 0;
  }

  bool at_end() const { return reader_->position() >= std::min(reader_->size(), search_limit_) || ended_; }

  // Keeps the bytes that finding a frame needs in the window.
  void refill() {
    if (filled_ - start_ >= Mp3FrameDecoder::kLookahead || at_end())
      return;
    std::memmove(window_.data(), window_.data() + start_, filled_ - start_);
    filled_ -= start_;
    start_ = 0;
    const size_t got = reader_->read(window_.data() + filled_, kWindowBytes - filled_);
    ended_ = got == 0;
    filled_ += got;
    std::memset(window_.data() + filled_, 0, kSlackBytes);
  }

  // Copies `n` frames of pcm_ that have not been read yet. A stream may go from stereo to mono and back.
  void copy(float* out, size_t n) {
    const float* from =
        pcm_.data() + (static_cast<size_t>(frame_.frames) - static_cast<size_t>(left_)) * frame_.channels;
    if (frame_.channels == channels_) {
      std::memcpy(out, from, n * channels_ * sizeof(float));
    } else if (channels_ == 2) {
      for (size_t i = 0; i < n; ++i)
        out[2 * i] = out[2 * i + 1] = from[i];
    } else {
      for (size_t i = 0; i < n; ++i)
        out[i] = 0.5f * (from[2 * i] + from[2 * i + 1]);
    }
  }

  std::unique_ptr<ByteReader> reader_;
  std::string name_;
  Mp3FrameDecoder decoder_;
  std::vector<uint8_t> window_;
  size_t start_ = 0;
  size_t filled_ = 0;
  uint64_t search_limit_ = UINT64_MAX;
  bool ended_ = false;

  Mp3FrameDecoder::Frame frame_ = {};
  std::vector<float> pcm_;
  uint64_t left_ = 0;   // PCM frames of pcm_ that have not been read yet
  uint64_t lost_ = 0;   // PCM frames that are missing before them
  int frame_size_ = 0;  // PCM frames of each
  uint64_t frames_ = 0; // MPEG frames so far
  uint64_t frame_bytes_ = 0;
  std::string skipped_head_; // first bytes of those that are no frames
  RecordingClock clock_;
  uint64_t promised_ = 0; // MPEG frames in the header, when there are fewer
  uint64_t missing_ = 0;  // of them, in the places that are left
  uint64_t seams_ = 0;    // places that are left

  int sample_rate_ = 0;
  int channels_ = 0;
  uint64_t skip_ = 0;
  uint64_t until_padding_ = UINT64_MAX;
  uint64_t padding_ = 0;
};

} // namespace

std::unique_ptr<FrameSource> open_mp3(std::unique_ptr<ByteReader> reader, uint64_t start,
                                      const std::string& name) {
  auto source = std::make_unique<Mp3Source>(std::move(reader), start, name);
  if (!source->find_first_frame())
    return nullptr;
  return source;
}

} // namespace whisper_hip
