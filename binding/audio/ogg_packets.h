// The packets of Ogg streams (RFC 3533).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "audio/byte_reader.h"

namespace whisper_hip {

// One page of any stream of the file.
struct OggPage {
  bool continued; // starts with the rest of a packet
  bool first;     // of its stream
  bool last;      // of its stream
  int64_t granule;
  uint32_t serial;
  uint32_t sequence;
  std::vector<uint8_t> lacing; // segment lengths, at most 255
  std::vector<uint8_t> body;   // at most 65025 bytes
};

// Reads page after page. Damaged pages (wrong checksum, cut off) and bytes between pages are skipped.
class OggPages {
 public:
  explicit OggPages(ByteReader& reader) : reader_(reader) {}

  // False at the end of the file, or after so many damaged pages in a row that the rest is none.
  bool next(OggPage& page);

 private:
  size_t parse(OggPage& page);

  ByteReader& reader_;
};

struct OggPacket {
  std::vector<uint8_t> data;
  // The position at its end in the units of the codec, -1 when the page does not say.
  int64_t granule;
  bool ends_stream;
  // Whether something is missing before it.
  bool after_gap;
};

// Joins the packets of one stream out of its pages.
class OggPackets {
 public:
  // Longer packets are cut off there: no audio packet comes near, a cover picture does.
  static constexpr size_t kLongestPacket = 65024;

  // Appends the packets that end on `page` to `packets`.
  void add(const OggPage& page, std::deque<OggPacket>& packets);

 private:
  std::vector<uint8_t> partial_;
  bool in_packet_ = false;
  uint32_t next_sequence_ = 0;
  bool started_ = false;
  bool gap_ = false;
};

} // namespace whisper_hip
