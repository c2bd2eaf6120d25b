// The codebooks of a Vorbis setup header, and the bits that the header is read by. Part of vorbis_setup.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace whisper_hip::vorbis {

// Why a setup header is refused: continues "its Vorbis setup header".
struct Refusal {
  std::string reason;
};

inline void require(bool condition, const char* reason) {
  if (!condition)
    throw Refusal{reason};
}

// Bits from the least significant one of each byte on.
class BitReader {
 public:
  explicit BitReader(const std::vector<uint8_t>& bytes) : bytes_(bytes) {}

  uint32_t bits(int n) {
    require(position_ + n <= bytes_.size() * 8, "is cut off");
    uint32_t value = 0;
    for (int i = 0; i < n; ++i, ++position_) {
      value |= static_cast<uint32_t>((bytes_[position_ >> 3] >> (position_ & 7)) & 1) << i;
    }
    return value;
  }
  bool flag() { return bits(1) != 0; }

 private:
  const std::vector<uint8_t>& bytes_;
  uint64_t position_ = 0;
};

// Bits that hold `value`: 0 for 0, 1 for 1, 2 for 2 and 3, 3 for 4 to 7.
inline int width(uint32_t value) {
  int bits = 0;
  for (; value > 0; value >>= 1)
    ++bits;
  return bits;
}

struct Codebook {
  uint64_t dimensions;
  uint64_t entries;
};

// Elements (entries times dimensions) that all codebooks may have together.
constexpr uint64_t kMostElements = 1 << 20;

// Reads and checks all codebooks. Throws Refusal.
std::vector<Codebook> check_codebooks(BitReader& in);

} // namespace whisper_hip::vorbis
