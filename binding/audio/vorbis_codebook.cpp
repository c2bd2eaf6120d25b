#include "audio/vorbis_codebook.h"

namespace whisper_hip::vorbis {

namespace {

// Of all codebooks together, as is kMostElements; the encoders in use stay below a tenth of both.
constexpr uint64_t kMostEntries = 1 << 18;

// The largest base whose `dimensions`-th power is at most `entries`.
uint64_t lattice_base(uint64_t entries, uint64_t dimensions) {
  const auto fits = [&](uint64_t base) {
    uint64_t power = 1;
    for (uint64_t i = 0; i < dimensions; ++i) {
      power *= base;
      if (power > entries)
        return false;
      if (base == 1)
        break;
    }
    return true;
  };
  uint64_t base = 1;
  while (fits(base + 1))
    ++base;
  return base;
}

// Code lengths of a codebook. The code must be complete, or one entry alone: a search in it then always ends.
void check_lengths(BitReader& in, uint64_t entries) {
  constexpr uint64_t kWhole = uint64_t{1} << 32;
  uint64_t used = 0;
  uint64_t sum = 0; // of 2^(32 - length)
  const auto add = [&](uint32_t length, uint64_t count) {
    require(length < 32, "has a code of 32 bits");
    used += count;
    sum += (kWhole >> length) * count;
  };
  if (in.flag()) {
    uint32_t length = in.bits(5) + 1;
    for (uint64_t entry = 0; entry < entries; ++length) {
      const uint64_t count = in.bits(width(static_cast<uint32_t>(entries - entry)));
      require(count <= entries - entry, "has too many codes");
      add(length, count);
      entry += count;
    }
  } else {
    const bool sparse = in.flag();
    for (uint64_t entry = 0; entry < entries; ++entry) {
      if (!sparse || in.flag())
        add(in.bits(5) + 1, 1);
    }
  }
  require(sum == kWhole || used == 1, "has an incomplete code");
}

Codebook check_codebook(BitReader& in) {
  require(in.bits(24) == 0x564342, "has no codebook where one must be");
  Codebook book;
  book.dimensions = in.bits(16);
  book.entries = in.bits(24);
  require(book.dimensions > 0 && book.entries > 0, "has an empty codebook");
  require(book.entries <= kMostEntries && book.entries * book.dimensions <= kMostElements,
          "has a huge codebook");
  check_lengths(in, book.entries);
  const uint32_t lookup = in.bits(4);
  require(lookup <= 2, "has an unknown kind of codebook");
  if (lookup == 0)
    return book;
  in.bits(32);
  in.bits(32);
  const int value_bits = static_cast<int>(in.bits(4)) + 1;
  in.bits(1);
  uint64_t values = book.entries * book.dimensions;
  if (lookup == 1)
    values = lattice_base(book.entries, book.dimensions);
  for (uint64_t i = 0; i < values; ++i)
    in.bits(value_bits);
  return book;
}

} // namespace

std::vector<Codebook> check_codebooks(BitReader& in) {
  std::vector<Codebook> books(in.bits(8) + 1);
  uint64_t entries = 0;
  uint64_t elements = 0;
  for (Codebook& book : books) {
    book = check_codebook(in);
    entries += book.entries;
    elements += book.entries * book.dimensions;
    require(entries <= kMostEntries && elements <= kMostElements, "has huge codebooks");
  }
  return books;
}

} // namespace whisper_hip::vorbis
