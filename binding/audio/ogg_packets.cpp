#include "audio/ogg_packets.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>
#include <utility>

namespace whisper_hip {

namespace {

constexpr size_t kHeaderBytes = 27;
constexpr int kMostDamagedPages = 1000;

// CRC-32 with polynomial 0x04c11db7, not reflected, starting at 0.
constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table = {};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i << 24;
    for (int bit = 0; bit < 8; ++bit)
      value = (value << 1) ^ ((value >> 31) * 0x04c11db7u);
    table[i] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = make_crc_table();

uint32_t crc(uint32_t value, const uint8_t* bytes, size_t n) {
  for (size_t i = 0; i < n; ++i)
    value = (value << 8) ^ kCrcTable[(value >> 24) ^ bytes[i]];
  return value;
}

uint64_t little_endian(const uint8_t* bytes, size_t n) {
  uint64_t value = 0;
  for (size_t i = n; i > 0; --i)
    value = (value << 8) | bytes[i - 1];
  return value;
}

} // namespace

bool OggPages::next(OggPage& page) {
  std::array<uint8_t, 4096> chunk;
  uint64_t from = reader_.position();
  for (int damaged = 0; damaged < kMostDamagedPages;) {
    reader_.seek(from);
    const size_t got = reader_.read(chunk.data(), chunk.size());
    if (got < kHeaderBytes)
      return false;
    static constexpr uint8_t kCapture[] = {'O', 'g', 'g', 'S'};
    const uint8_t* found =
        std::search(chunk.data(), chunk.data() + got, std::begin(kCapture), std::end(kCapture));
    const auto offset = static_cast<size_t>(found - chunk.data());
    if (offset == got) {
      from += got - 3;
      continue;
    }
    from += offset;
    reader_.seek(from);
    const size_t skip = parse(page);
    if (skip == 0)
      return true;
    from += skip;
    ++damaged;
  }
  return false;
}

// Reads the page at the reader's position. Returns 0, or how many bytes to skip when there is no sound page:
// its header, because a header in a header would make the search as slow as the square of the size.
size_t OggPages::parse(OggPage& page) {
  std::array<uint8_t, kHeaderBytes> header;
  if (reader_.read(header.data(), header.size()) < header.size() || header[4] != 0)
    return 1;
  page.continued = (header[5] & 1) != 0;
  page.first = (header[5] & 2) != 0;
  page.last = (header[5] & 4) != 0;
  page.granule = static_cast<int64_t>(little_endian(&header[6], 8));
  page.serial = static_cast<uint32_t>(little_endian(&header[14], 4));
  page.sequence = static_cast<uint32_t>(little_endian(&header[18], 4));
  const auto checksum = static_cast<uint32_t>(little_endian(&header[22], 4));

  page.lacing.resize(header[26]);
  const size_t skip = kHeaderBytes + page.lacing.size();
  if (reader_.read(page.lacing.data(), page.lacing.size()) < page.lacing.size())
    return skip;
  page.body.resize(std::accumulate(page.lacing.begin(), page.lacing.end(), size_t{0}));
  if (reader_.read(page.body.data(), page.body.size()) < page.body.size())
    return skip;

  std::fill_n(&header[22], 4, uint8_t{0}); // the checksum counts itself as 0
  uint32_t value = crc(0, header.data(), header.size());
  value = crc(value, page.lacing.data(), page.lacing.size());
  return crc(value, page.body.data(), page.body.size()) == checksum ? 0 : skip;
}

void OggPackets::add(const OggPage& page, std::deque<OggPacket>& packets) {
  const bool follows = page.sequence == next_sequence_;
  gap_ = gap_ || (started_ && !page.first && !follows);
  started_ = true;
  if (page.first || !follows || !page.continued)
    in_packet_ = false;
  next_sequence_ = page.sequence + 1;
  if (!in_packet_)
    partial_.clear();
  // The rest of a packet whose beginning is lost is dropped.
  bool drop = page.continued && !in_packet_;

  const size_t before = packets.size();
  const uint8_t* bytes = page.body.data();
  for (uint8_t length : page.lacing) {
    const size_t room = drop ? 0 : kLongestPacket - partial_.size();
    partial_.insert(partial_.end(), bytes, bytes + std::min<size_t>(length, room));
    bytes += length;
    in_packet_ = length == 255;
    if (in_packet_)
      continue;
    if (!drop)
      packets.push_back({std::move(partial_), -1, false, std::exchange(gap_, false)});
    partial_.clear();
    drop = false;
  }
  in_packet_ = in_packet_ && !drop;
  if (packets.size() == before)
    return;
  packets.back().granule = page.granule;
  packets.back().ends_stream = page.last;
}

} // namespace whisper_hip
