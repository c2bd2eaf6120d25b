#include "cpu/packed_layout.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#define GGML_COMMON_DECL_C
#include "ggml-common.h"

namespace whisper_hip {

namespace {

constexpr int kSuper = QK_K; // columns of a block of K-quants

// What a block of ggml holds, one by one.
struct Block {
  uint8_t values[kSuper];
  uint8_t scales[kSuper / 16]; // of K-quants
  uint8_t mins[kSuper / 16];
  uint16_t scale, min; // f16
};

template <typename Source> void nibbles(Block& block, const Source& from) {
  for (int i = 0; i < 16; ++i) {
    block.values[i] = from.qs[i] & 15;
    block.values[i + 16] = from.qs[i] >> 4;
  }
}

template <typename Source> void fifth_bits(Block& block, const Source& from) {
  for (int byte = 0; byte < 4; ++byte)
    for (int bit = 0; bit < 8; ++bit)
      block.values[byte * 8 + bit] |= static_cast<uint8_t>((from.qh[byte] >> bit & 1) << 4);
}

void read(Block& block, const block_q4_0& from) {
  nibbles(block, from);
  block.scale = from.d;
}
void read(Block& block, const block_q4_1& from) {
  nibbles(block, from);
  block.scale = from.d;
  block.min = from.m;
}
void read(Block& block, const block_q5_0& from) {
  nibbles(block, from);
  fifth_bits(block, from);
  block.scale = from.d;
}
void read(Block& block, const block_q5_1& from) {
  nibbles(block, from);
  fifth_bits(block, from);
  block.scale = from.d;
  block.min = from.m;
}

void read(Block& block, const block_q2_K& from) {
  for (int part = 0; part < 8; ++part)
    for (int i = 0; i < 32; ++i)
      block.values[part * 32 + i] = from.qs[part / 4 * 32 + i] >> (part % 4 * 2) & 3;
  for (int i = 0; i < 16; ++i) {
    block.scales[i] = from.scales[i] & 15;
    block.mins[i] = from.scales[i] >> 4;
  }
  block.scale = from.d;
  block.min = from.dmin;
}
void read(Block& block, const block_q3_K& from) {
  for (int part = 0; part < 8; ++part) {
    for (int i = 0; i < 32; ++i) {
      const int low = from.qs[part / 4 * 32 + i] >> (part % 4 * 2) & 3;
      block.values[part * 32 + i] = static_cast<uint8_t>(low | (from.hmask[i] >> part & 1) << 2);
    }
  }
  for (int i = 0; i < 16; ++i) {
    const int low = i < 8 ? from.scales[i] & 15 : from.scales[i - 8] >> 4;
    const int high = from.scales[8 + i % 4] >> (i / 4 * 2) & 3;
    block.scales[i] = static_cast<uint8_t>((low | high << 4) - 32);
  }
  block.scale = from.d;
}

// The eight scales and minima of 6 bits in 12 bytes.
void read_scales_of_6_bits(Block& block, const uint8_t* from) {
  for (int i = 0; i < 4; ++i) {
    block.scales[i] = from[i] & 63;
    block.mins[i] = from[i + 4] & 63;
    block.scales[i + 4] = static_cast<uint8_t>((from[i + 8] & 15) | from[i] >> 6 << 4);
    block.mins[i + 4] = static_cast<uint8_t>(from[i + 8] >> 4 | from[i + 4] >> 6 << 4);
  }
}
void read(Block& block, const block_q4_K& from) {
  for (int part = 0; part < 8; ++part)
    for (int i = 0; i < 32; ++i)
      block.values[part * 32 + i] = from.qs[part / 2 * 32 + i] >> (part % 2 * 4) & 15;
  read_scales_of_6_bits(block, from.scales);
  block.scale = from.d;
  block.min = from.dmin;
}
void read(Block& block, const block_q5_K& from) {
  for (int part = 0; part < 8; ++part) {
    for (int i = 0; i < 32; ++i) {
      const int low = from.qs[part / 2 * 32 + i] >> (part % 2 * 4) & 15;
      block.values[part * 32 + i] = static_cast<uint8_t>(low | (from.qh[i] >> part & 1) << 4);
    }
  }
  read_scales_of_6_bits(block, from.scales);
  block.scale = from.d;
  block.min = from.dmin;
}
void read(Block& block, const block_q6_K& from) {
  for (int part = 0; part < 8; ++part) {
    for (int i = 0; i < 32; ++i) {
      const int low = from.ql[part / 4 * 64 + part % 2 * 32 + i] >> (part % 4 / 2 * 4) & 15;
      const int high = from.qh[part / 4 * 32 + i] >> (part % 4 * 2) & 3;
      block.values[part * 32 + i] = static_cast<uint8_t>(low | high << 4);
    }
  }
  for (int i = 0; i < 16; ++i)
    block.scales[i] = static_cast<uint8_t>(from.scales[i]);
  block.scale = from.d;
}

template <typename Source> void read_as(Block& block, const void* from) {
  Source source;
  std::memcpy(&source, from, sizeof source);
  read(block, source);
}

void read(Block& block, ggml_type type, const void* from) {
  switch (type) {
  case GGML_TYPE_Q4_0:
    return read_as<block_q4_0>(block, from);
  case GGML_TYPE_Q4_1:
    return read_as<block_q4_1>(block, from);
  case GGML_TYPE_Q5_0:
    return read_as<block_q5_0>(block, from);
  case GGML_TYPE_Q5_1:
    return read_as<block_q5_1>(block, from);
  case GGML_TYPE_Q2_K:
    return read_as<block_q2_K>(block, from);
  case GGML_TYPE_Q3_K:
    return read_as<block_q3_K>(block, from);
  case GGML_TYPE_Q4_K:
    return read_as<block_q4_K>(block, from);
  case GGML_TYPE_Q5_K:
    return read_as<block_q5_K>(block, from);
  default:
    return read_as<block_q6_K>(block, from);
  }
}

// The commonest type, whose plane is the values themselves.
void pack_q8_0(const GroupLayout& layout, const uint8_t* rows, size_t row_bytes, int count, int64_t columns,
               uint8_t* group) {
  auto* scales = reinterpret_cast<uint16_t*>(group + layout.scales);
  auto* sums = reinterpret_cast<int16_t*>(group + layout.sums);
  for (int64_t strip = 0; strip < columns / kStrip; ++strip) {
    for (int channel = 0; channel < count; ++channel) {
      const uint8_t* block = rows + channel * row_bytes + strip * sizeof(block_q8_0);
      std::memcpy(&scales[strip * kGroup + channel], block + offsetof(block_q8_0, d), 2);
      const auto* values = reinterpret_cast<const int8_t*>(block + offsetof(block_q8_0, qs));
      sums[strip * kGroup + channel] = static_cast<int16_t>(std::accumulate(values, values + kStrip, 0));
      for (int step = 0; step < 8; ++step) {
        uint32_t four;
        std::memcpy(&four, block + offsetof(block_q8_0, qs) + step * 4, 4);
        four ^= 0x80808080u; // adds 128 to each
        std::memcpy(group + (strip * 8 + step) * 64 + channel * 4, &four, 4);
      }
    }
  }
}

// Writes a plane of `bits` bits a value: with 8 each of the eight steps has bytes of its own, with 4 the
// steps s and s + 4 share some, with 2 the steps s, s + 2, s + 4 and s + 6, with 1 all.
void write_plane(const uint8_t* strip, int bits, int shift, uint8_t* plane) {
  const int size = bits * 64;
  const int mask = (1 << bits) - 1;
  std::memset(plane, 0, static_cast<size_t>(size));
  for (int part = 0; part * bits < 8; ++part, strip += size)
    for (int i = 0; i < size; ++i)
      plane[i] = static_cast<uint8_t>(plane[i] | (strip[i] >> shift & mask) << (part * bits));
}

void write_scales(const PackedType& type, const GroupLayout& layout, const Block& block, int64_t first_column,
                  int channel, uint8_t* group) {
  auto* halves = reinterpret_cast<uint16_t*>(group);
  size_t scales = layout.scales, mins = layout.mins;
  int64_t place = first_column / kStrip;
  if (type.is_super) {
    for (int i = 0; i < kSuper / type.span; ++i) {
      const int64_t of_span = (first_column / type.span + i) * kGroup + channel;
      group[layout.scales + of_span] = block.scales[i];
      if (type.has_mins)
        group[layout.mins + of_span] = block.mins[i];
    }
    scales = layout.super;
    mins = layout.super_mins;
    place = first_column / kSuper;
  }
  halves[scales / 2 + place * kGroup + channel] = block.scale;
  if (type.has_mins)
    halves[mins / 2 + place * kGroup + channel] = block.min;
}

// The same block of sixteen rows, of which the last may be missing.
void pack_blocks(const PackedType& type, const GroupLayout& layout, const uint8_t* blocks, size_t row_bytes,
                 int rows, int64_t first_column, uint8_t* group) {
  const int columns = static_cast<int>(ggml_blck_size(type.type));
  uint8_t strips[kSuper * kGroup]; // [columns / 4, 16 channels, 4]
  if (rows < kGroup)
    std::memset(strips, 0, sizeof strips);
  for (int channel = 0; channel < rows; ++channel) {
    Block block;
    read(block, type.type, blocks + channel * row_bytes);
    for (int i = 0; i < columns; i += 4)
      std::memcpy(strips + (i * kGroup + channel * 4), block.values + i, 4);
    write_scales(type, layout, block, first_column, channel, group);
  }
  for (int i = 0; i < columns; i += kStrip) {
    const int64_t strip = (first_column + i) / kStrip;
    write_plane(strips + i * kGroup, type.low_bits, 0, group + strip * type.low_bits * 64);
    if (type.high_bits > 0)
      write_plane(strips + i * kGroup, type.high_bits, type.low_bits,
                  group + layout.high + strip * type.high_bits * 64);
  }
}

template <typename Value>
void pack_floats(const uint8_t* from, int64_t columns, int rows, size_t row_bytes, uint8_t* group) {
  auto* to = reinterpret_cast<Value*>(group);
  const Value* row[kGroup];
  for (int channel = 0; channel < kGroup; ++channel)
    row[channel] = reinterpret_cast<const Value*>(from + std::min(channel, rows - 1) * row_bytes);
  for (int64_t column = 0; column < columns; ++column)
    for (int channel = 0; channel < kGroup; ++channel)
      to[column * kGroup + channel] = channel < rows ? row[channel][column] : Value{};
}

} // namespace

GroupLayout group_layout(const PackedType& type, int64_t columns) {
  GroupLayout layout = {};
  if (type.is_float()) {
    layout.size = static_cast<size_t>(columns) * kGroup * ggml_type_size(type.type);
  } else {
    const auto strips = static_cast<size_t>(columns / kStrip);
    const size_t spans = static_cast<size_t>(columns / type.span) * kGroup * (type.is_super ? 1 : 2);
    const size_t supers = type.is_super ? static_cast<size_t>(columns / kSuper) * kGroup * 2 : 0;
    layout.high = strips * type.low_bits * 64;
    layout.scales = layout.high + strips * type.high_bits * 64;
    layout.mins = layout.scales + spans;
    layout.sums = layout.mins + (type.has_mins ? spans : 0);
    layout.super = layout.sums + (type.low_bits == 8 ? strips * kGroup * sizeof(int16_t) : 0);
    layout.super_mins = layout.super + supers;
    layout.size = layout.super_mins + (type.has_mins ? supers : 0);
  }
  layout.size = (layout.size + 63) / 64 * 64;
  return layout;
}

size_t packed_size(const PackedType& type, int64_t columns, int64_t rows) {
  return static_cast<size_t>((rows + kGroup - 1) / kGroup) * group_layout(type, columns).size;
}

void pack(const PackedType& type, const void* from, int64_t columns, int64_t rows, uint8_t* to) {
  const GroupLayout layout = group_layout(type, columns);
  const size_t row_bytes = ggml_row_size(type.type, columns);
  const auto* row = static_cast<const uint8_t*>(from);
  for (int64_t first = 0; first < rows; first += kGroup, to += layout.size) {
    const int count = static_cast<int>(std::min<int64_t>(kGroup, rows - first));
    const uint8_t* group_rows = row + first * row_bytes;
    if (type.type == GGML_TYPE_F32) {
      pack_floats<uint32_t>(group_rows, columns, count, row_bytes, to);
    } else if (type.is_float()) {
      pack_floats<uint16_t>(group_rows, columns, count, row_bytes, to);
    } else {
      if (count < kGroup)
        std::memset(to, 0, layout.size);
      if (type.type == GGML_TYPE_Q8_0) {
        pack_q8_0(layout, group_rows, row_bytes, count, columns, to);
        continue;
      }
      const int64_t block_columns = ggml_blck_size(type.type);
      for (int64_t column = 0; column < columns; column += block_columns)
        pack_blocks(type, layout, group_rows + ggml_row_size(type.type, column), row_bytes, count, column,
                    to);
    }
  }
}

} // namespace whisper_hip
