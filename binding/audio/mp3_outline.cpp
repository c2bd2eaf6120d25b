#include "audio/mp3_outline.h"

#include <cstring>
#include <vector>

#include "audio/mp3_frames.h"

namespace whisper_hip {

namespace {

constexpr size_t kHeader = 4;

// Single bytes at increasing positions, read in blocks.
class Window {
 public:
  explicit Window(ByteReader& reader) : reader_(reader), bytes_(256 << 10) {}

  // The `n` bytes at `offset`, or nullptr when the file ends before.
  const uint8_t* at(uint64_t offset, size_t n) {
    if (offset < start_ || offset + n > start_ + filled_) {
      reader_.seek(offset);
      start_ = offset;
      filled_ = reader_.read(bytes_.data(), bytes_.size());
    }
    return offset + n <= start_ + filled_ ? bytes_.data() + (offset - start_) : nullptr;
  }

 private:
  ByteReader& reader_;
  std::vector<uint8_t> bytes_;
  uint64_t start_ = 0;
  size_t filled_ = 0;
};

} // namespace

Mp3Outline outline_mp3(ByteReader& reader, uint64_t start) {
  Mp3Outline outline;
  Window window(reader);
  const uint8_t* head = window.at(start, kHeader);
  const Mp3FrameDecoder::Header first =
      head != nullptr ? Mp3FrameDecoder::parse(head) : Mp3FrameDecoder::Header{};
  if (first.length == 0)
    return outline;
  const auto length_at = [&](uint64_t offset) -> size_t {
    const uint8_t* bytes = window.at(offset, kHeader);
    const Mp3FrameDecoder::Header header =
        bytes != nullptr ? Mp3FrameDecoder::parse(bytes) : Mp3FrameDecoder::Header{};
    const bool same = header.sample_rate == first.sample_rate && header.layer == first.layer;
    return same ? header.length : 0;
  };
  const uint64_t size = reader.size();
  uint64_t skipped = 0;
  for (uint64_t at = start; at + kHeader <= size;) {
    const size_t length = length_at(at);
    const bool last = at + length + kHeader > size;
    if (length == 0 || (!last && length_at(at + length) == 0) || at + length > size) {
      ++at;
      ++skipped;
      continue;
    }
    if (skipped > 0) {
      ++outline.seams;
      outline.lost_bytes += skipped;
      skipped = 0;
    }
    ++outline.frames;
    outline.frame_bytes += length;
    at += length;
  }
  outline.lost_bytes += skipped;
  return outline;
}

} // namespace whisper_hip
