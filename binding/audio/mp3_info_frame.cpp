#include "audio/mp3_info_frame.h"

#include <cstring>

namespace whisper_hip {

namespace {

uint32_t big_endian(const uint8_t* bytes, size_t n) {
  uint32_t value = 0;
  for (size_t i = 0; i < n; ++i)
    value = (value << 8) | bytes[i];
  return value;
}

} // namespace

Mp3InfoFrame parse_mp3_info_frame(const uint8_t* frame, size_t length, int channels) {
  Mp3InfoFrame info;
  const bool mpeg1 = (frame[1] & 0x08) != 0;
  const bool crc = (frame[1] & 0x01) == 0;
  const size_t side_info = mpeg1 ? (channels == 1 ? 17 : 32) : (channels == 1 ? 9 : 17);
  size_t offset = 4 + (crc ? 2 : 0) + side_info;
  const auto left = [&](size_t n) { return offset + n <= length; };

  if (left(4) && std::memcmp(frame + offset, "VBRI", 4) == 0)
    info.present = true;
  if (!left(8) ||
      (std::memcmp(frame + offset, "Xing", 4) != 0 && std::memcmp(frame + offset, "Info", 4) != 0)) {
    return info;
  }
  info.present = true;
  const uint32_t flags = frame[offset + 7];
  offset += 8;
  if (flags & 1) {
    if (!left(4))
      return info;
    info.frames = big_endian(frame + offset, 4);
    offset += 4;
  }
  offset += (flags & 2 ? 4 : 0) + (flags & 4 ? 100 : 0) + (flags & 8 ? 4 : 0);
  if (!left(24) || frame[offset] == 0)
    return info;
  const uint32_t gaps = big_endian(frame + offset + 21, 3);
  info.delay = gaps >> 12;
  info.padding = gaps & 0xfff;
  return info;
}

} // namespace whisper_hip
