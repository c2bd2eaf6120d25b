// Ogg Vorbis: finds the stream in the file, checks its headers and gives stb_vorbis one packet at a time.
//
// stb_vorbis has an Ogg reader of its own, which holds a whole comment header (with its cover picture) in
// memory, stops at the first damaged page and knows neither chained nor multiplexed streams. It only ever
// sees pages that are made here: an identification header, an empty comment header, a checked setup header,
// then a page for each audio packet.
//
// The pages say where in the recording their sound ends (RFC 3533, Vorbis I section 4.3.8 and annex A.2):
// sound that begins late, pages that are missing and damaged ones leave silence.
#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#define STB_VORBIS_HEADER_ONLY
#include "stb_vorbis.c"

#include "audio/codecs.h"
#include "audio/ogg_packets.h"
#include "audio/recording_clock.h"
#include "audio/vorbis_setup.h"

namespace whisper_hip {

namespace {

// Streams of other codecs that may begin before the Vorbis stream does.
constexpr int kMostOtherPages = 64;

using Bytes = std::vector<uint8_t>;

// A page of stb_vorbis with one packet. It does not check sums, and the position -1 is "unknown".
void append_page(Bytes& out, const Bytes& packet, bool first) {
  const uint8_t header[26] = {'O', 'g', 'g', 'S', 0,  static_cast<uint8_t>(first ? 2 : 0), 255, 255, 255,
                              255, 255, 255, 255, 255};
  out.insert(out.end(), std::begin(header), std::end(header));
  const size_t full = packet.size() / 255;
  out.push_back(static_cast<uint8_t>(full + 1));
  out.insert(out.end(), full, 255);
  out.push_back(static_cast<uint8_t>(packet.size() % 255));
  out.insert(out.end(), packet.begin(), packet.end());
}

const char* codec_of(const Bytes& packet) {
  const auto starts = [&](const std::string& magic) {
    return packet.size() >= magic.size() && std::equal(magic.begin(), magic.end(), packet.begin());
  };
  if (starts("OpusHead"))
    return "Opus";
  if (starts("\x7f"
             "FLAC"))
    return "FLAC";
  if (starts("Speex"))
    return "Speex";
  if (starts("\x80theora"))
    return "Theora video";
  return "an unknown codec";
}

struct CloseVorbis {
  void operator()(stb_vorbis* decoder) const { stb_vorbis_close(decoder); }
};

class VorbisSource final : public FrameSource {
 public:
  VorbisSource(std::unique_ptr<ByteReader> reader, std::string name)
      : reader_(std::move(reader)), name_(std::move(name)), pages_(*reader_) {
    reader_->seek(0);
    find_stream();
    if (!open_stream())
      fail_damaged(name_, "it is cut off in its Vorbis headers");
  }

  int sample_rate() const override { return identity_.sample_rate; }
  int channels() const override { return identity_.channels; }

  size_t read(float* out, size_t frames) override {
    const auto channels = static_cast<size_t>(identity_.channels);
    size_t done = 0;
    while (done < frames) {
      if (clock_.silent()) {
        done += clock_.write_silence(out + done * channels, frames - done, channels);
        continue;
      }
      if (left_ == 0 && !next_block())
        break;
      if (clock_.silent()) // due before the block
        continue;
      const size_t n = std::min(left_, frames - done);
      for (size_t channel = 0; channel < channels; ++channel) {
        const float* from = block_[channel] + block_start_;
        float* to = out + done * channels + channel;
        for (size_t i = 0; i < n; ++i)
          to[i * channels] = from[i];
      }
      block_start_ += n;
      left_ -= n;
      done += n;
      clock_.advance(n);
    }
    if (done == 0) {
      if (!ends_well_)
        clock_.end_early(0);
      clock_.require_sound(name_);
    }
    return done;
  }

  std::vector<Warning> warnings() const override { return clock_.warnings(); }

 private:
  // Reads pages up to the first one of a Vorbis stream.
  void find_stream() {
    std::string other_codec;
    for (int others = 0; others < kMostOtherPages && pages_.next(page_); ++others) {
      if (!page_.first)
        continue;
      if (is_vorbis(page_.body))
        return;
      if (other_codec.empty())
        other_codec = codec_of(page_.body);
    }
    if (other_codec.empty())
      fail_damaged(name_, "its first Ogg page is damaged or cut off");
    fail_unsupported(name_, "it is an Ogg file with " + other_codec);
  }

  // Starts on the stream whose first page is in page_. False when the file ends in the headers of the stream.
  bool open_stream() {
    const Bytes identification = page_.body;
    VorbisIdentity identity;
    const std::string damage = parse_vorbis_identity(identification, identity);
    if (!damage.empty())
      fail_damaged(name_, damage);
    if (decoder_ &&
        (identity.sample_rate != identity_.sample_rate || identity.channels != identity_.channels)) {
      fail_unsupported(name_, "it is a chain of recordings with different sample rates or channels");
    }
    identity_ = identity;
    clock_.set_rate(identity.sample_rate);
    link_start_ = static_cast<int64_t>(clock_.position());
    placed_ = false;
    ends_well_ = false;
    serial_ = page_.serial;
    packets_ = OggPackets();
    queue_.clear();
    packets_.add(page_, queue_);
    queue_.clear();
    chained_ = false;

    OggPacket comment;
    OggPacket setup;
    if (!next_packet(comment) || !next_packet(setup))
      return false;
    const std::string refusal = check_vorbis_setup(setup.data, identity_, modes_);
    if (!refusal.empty())
      fail_unsupported(name_, "its Vorbis setup header " + refusal);

    static const Bytes kEmptyComment = {3, 'v', 'o', 'r', 'b', 'i', 's', 0, 0, 0, 0, 0, 0, 0, 0, 1};
    headers_.clear();
    append_page(headers_, identification, true);
    append_page(headers_, kEmptyComment, false);
    append_page(headers_, setup.data, false);
    open_decoder();
    return true;
  }

  // A new decoder, which remembers nothing: also for what comes after a gap.
  void open_decoder() {
    int used = 0;
    int error = 0;
    decoder_.reset(
        stb_vorbis_open_pushdata(headers_.data(), static_cast<int>(headers_.size()), &used, &error, nullptr));
    if (!decoder_)
      fail_unsupported(name_, "its Vorbis setup header is refused (" + std::to_string(error) + ")");
    last_size_ = 0;
  }

  // The next packet of the stream. False at the end of the file, or in front of the next stream of a chain:
  // then chained_ is set and page_ is its first page.
  bool next_packet(OggPacket& packet) {
    while (queue_.empty()) {
      if (chained_ || !pages_.next(page_))
        return false;
      chained_ = page_.first && is_vorbis(page_.body);
      if (page_.serial != serial_ || page_.first)
        continue;
      packets_.add(page_, queue_);
      page_begins_ = true;
      ends_well_ = ends_well_ || page_.last;
    }
    packet = std::move(queue_.front());
    queue_.pop_front();
    return true;
  }

  // Decodes until there are frames to read, or silence before them is due; false at the end.
  bool next_block() {
    OggPacket packet;
    while (left_ == 0) {
      if (next_packet(packet)) {
        if (packet.after_gap) {
          gap_ = true;
          open_decoder();
        }
        if (block_size(packet.data) > 0)
          decode(packet);
      } else if (!chained_ || !open_stream()) {
        return false;
      }
    }
    return true;
  }

  // Samples of the block of an audio packet, 0 for another one. They start with a 0 bit and the number of a
  // mode.
  int block_size(const Bytes& packet) const {
    if (packet.empty() || (packet[0] & 1) != 0)
      return 0;
    int bits = 0;
    while ((size_t{1} << bits) < modes_.size())
      ++bits;
    const auto mode = static_cast<size_t>((packet[0] >> 1) & ((1 << bits) - 1));
    return mode < modes_.size() ? modes_[mode] : 0;
  }

  // How many samples a packet adds to those of a block of `before` samples: none to nothing.
  static int64_t samples_of(int before, int size) { return before == 0 ? 0 : before / 4 + size / 4; }

  void decode(const OggPacket& packet) {
    const int size = block_size(packet.data);
    if (std::exchange(page_begins_, false))
      place(packet, size);
    input_.clear();
    append_page(input_, packet.data, false);
    int samples = 0;
    const int used = stb_vorbis_decode_frame_pushdata(
        decoder_.get(), input_.data(), static_cast<int>(input_.size()), nullptr, &block_, &samples);
    block_start_ = 0;
    if (static_cast<size_t>(used) != input_.size()) {
      clock_.lose(static_cast<uint64_t>(samples_of(last_size_, size)));
      open_decoder();
      left_ = 0;
      return;
    }
    last_size_ = size;
    left_ = static_cast<size_t>(trim(samples, packet));
  }

  // Finds out where the samples of `packet` belong: its page says where those of its last packet end.
  void place(const OggPacket& packet, int size) {
    int64_t samples = samples_of(last_size_, size);
    int before = size;
    int64_t end = packet.granule;
    bool ends_stream = packet.ends_stream;
    for (const OggPacket& next : queue_) {
      const int next_size = block_size(next.data);
      if (next_size == 0)
        continue;
      samples += samples_of(before, next_size);
      before = next_size;
      end = next.granule;
      ends_stream = next.ends_stream;
    }
    if (end < 0)
      return;
    const int64_t target = link_start_ + std::max<int64_t>(end - samples, 0);
    const auto now = static_cast<int64_t>(clock_.position());
    // The position of the last page is that of the end of the recording, within the last block. Nor are those
    // of encoders exact that round.
    const int64_t rounding = std::exchange(placed_, true) && !gap_ ? identity_.sample_rate / 10 : 0;
    if (target <= now + std::max<int64_t>(ends_stream ? identity_.block_sizes[1] : 0, rounding)) {
      gap_ = false;
      return;
    }
    clock_.move_to(static_cast<uint64_t>(target), std::exchange(gap_, false)
                                                      ? RecordingClock::Cause::damage
                                                      : RecordingClock::Cause::time_stamps);
    // A recording that was cut out of another counts from there.
    link_start_ += static_cast<int64_t>(clock_.position()) - target;
  }

  // How many of the samples of a packet count. The last page of a stream ends in the middle of a block: its
  // position says where.
  int64_t trim(int64_t samples, const OggPacket& packet) {
    if (!packet.ends_stream || packet.granule < 0)
      return samples;
    const int64_t begin = static_cast<int64_t>(clock_.position()) - link_start_;
    return std::clamp<int64_t>(packet.granule - begin, 0, samples);
  }

  std::unique_ptr<ByteReader> reader_;
  std::string name_;
  OggPages pages_;
  OggPage page_;
  OggPackets packets_;
  std::deque<OggPacket> queue_;
  bool chained_ = false;

  VorbisIdentity identity_ = {};
  uint32_t serial_ = 0;
  std::vector<int> modes_; // block size of each
  std::unique_ptr<stb_vorbis, CloseVorbis> decoder_;
  Bytes headers_;
  Bytes input_;
  RecordingClock clock_;
  int64_t link_start_ = 0;   // where the positions of this stream count from
  int last_size_ = 0;        // of the block before, 0 when there is none
  bool placed_ = false;      // whether the first sample of the stream has its place
  bool page_begins_ = false; // the next packet is the first of its page
  bool gap_ = false;         // something is missing before what comes next
  bool ends_well_ = true;    // its last page was there

  float** block_ = nullptr; // [channels], the samples of the last packet
  size_t block_start_ = 0;
  size_t left_ = 0;
};

} // namespace

std::unique_ptr<FrameSource> open_vorbis(std::unique_ptr<ByteReader> reader, const std::string& name) {
  return std::make_unique<VorbisSource>(std::move(reader), name);
}

} // namespace whisper_hip
