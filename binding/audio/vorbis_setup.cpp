#include "audio/vorbis_setup.h"

#include <algorithm>
#include <cstring>

#include "audio/vorbis_codebook.h"

namespace whisper_hip {

namespace {

using namespace vorbis;

// Pointers that the residue decoder keeps on the stack.
constexpr uint64_t kMostPartitions = 8192;
constexpr int kMostChannels = 16; // of stb_vorbis
constexpr int kMostSubmaps = 15;  // of stb_vorbis

struct Residue {
  uint32_t type;
  uint64_t end;
};

struct Submap {
  uint32_t residue;
  uint64_t channels;
};

struct Setup {
  std::vector<Codebook> codebooks;
  uint32_t floors = 0;
  std::vector<Residue> residues;
  std::vector<std::vector<Submap>> mappings;
};

void check_floor(BitReader& in, const Setup& setup) {
  require(in.bits(16) == 1, "uses floor 0");
  struct Class {
    uint32_t dimensions;
    int subclass_bits;
    int books[8]; // -1: none
  };
  uint8_t partitions[31];
  Class classes[16];
  const uint32_t partition_count = in.bits(5);
  int class_count = 0;
  for (uint32_t i = 0; i < partition_count; ++i) {
    partitions[i] = static_cast<uint8_t>(in.bits(4));
    class_count = std::max(class_count, partitions[i] + 1);
  }
  for (int i = 0; i < class_count; ++i) {
    classes[i].dimensions = in.bits(3) + 1;
    classes[i].subclass_bits = static_cast<int>(in.bits(2));
    if (classes[i].subclass_bits > 0)
      require(in.bits(8) < setup.codebooks.size(), "names a missing codebook");
    for (int j = 0; j < 1 << classes[i].subclass_bits; ++j)
      classes[i].books[j] = static_cast<int>(in.bits(8)) - 1;
  }

  static constexpr uint64_t kRanges[] = {256, 128, 86, 64};
  const uint64_t range = kRanges[in.bits(2)];
  require(range != 86, "has a floor with steps of 3"); // stb_vorbis reads it with a bit too few
  for (int i = 0; i < class_count; ++i) {
    for (int j = 0; j < 1 << classes[i].subclass_bits; ++j) {
      const int book = classes[i].books[j];
      if (book < 0)
        continue;
      require(static_cast<size_t>(book) < setup.codebooks.size(), "names a missing codebook");
      // Then a height of the curve stays below `range`, and its decibels within the table.
      require(setup.codebooks[book].entries <= range, "has a floor with an oversized codebook");
    }
  }

  const int position_bits = static_cast<int>(in.bits(4));
  for (uint32_t i = 0; i < partition_count; ++i) {
    for (uint32_t j = 0; j < classes[partitions[i]].dimensions; ++j)
      in.bits(position_bits);
  }
}

Residue check_residue(BitReader& in, const Setup& setup, const VorbisIdentity& identity,
                      uint64_t& class_elements) {
  const uint32_t type = in.bits(16);
  require(type <= 2, "has an unknown kind of residue");
  const uint64_t begin = in.bits(24);
  const uint64_t end = in.bits(24);
  require(begin <= end, "has a residue that ends before it begins");
  const uint64_t partition_size = uint64_t{in.bits(24)} + 1;
  const uint32_t classifications = in.bits(6) + 1;
  const uint32_t class_book = in.bits(8);
  require(class_book < setup.codebooks.size(), "names a missing codebook");
  const Codebook& book = setup.codebooks[class_book];
  class_elements += book.entries * (book.dimensions + sizeof(void*));
  require(class_elements <= kMostElements, "has huge residues");
  // stb_vorbis counts twice the half block for interleaved residues, whatever the number of channels.
  const uint64_t partitions = static_cast<uint64_t>(identity.block_sizes[1]) / partition_size;
  require(partitions * identity.channels <= kMostPartitions, "has a residue in tiny partitions");

  uint32_t cascades[64];
  for (uint32_t i = 0; i < classifications; ++i) {
    cascades[i] = in.bits(3);
    if (in.flag())
      cascades[i] |= in.bits(5) << 3;
  }
  for (uint32_t i = 0; i < classifications; ++i) {
    for (uint32_t cascade = cascades[i]; cascade > 0; cascade &= cascade - 1) {
      const uint32_t number = in.bits(8);
      require(number < setup.codebooks.size(), "names a missing codebook");
      // A vector that is cut off by the end of its partition would be read beyond its end.
      require(partition_size % setup.codebooks[number].dimensions == 0,
              "has a residue that does not fit its codebook");
    }
  }
  return {type, end};
}

std::vector<Submap> check_mapping(BitReader& in, const Setup& setup, const VorbisIdentity& identity) {
  require(in.bits(16) == 0, "has an unknown kind of mapping");
  const uint32_t submaps = in.flag() ? in.bits(4) + 1 : 1;
  require(submaps <= kMostSubmaps, "has 16 submaps");
  const auto channels = static_cast<uint32_t>(identity.channels);
  if (in.flag()) {
    const uint32_t steps = in.bits(8) + 1;
    require(steps <= channels, "couples more channels than there are");
    for (uint32_t i = 0; i < steps; ++i) {
      const uint32_t magnitude = in.bits(width(channels - 1));
      const uint32_t angle = in.bits(width(channels - 1));
      require(magnitude < channels && angle < channels && magnitude != angle,
              "couples channels that are not there");
    }
  }
  require(in.bits(2) == 0, "uses a reserved field");
  std::vector<Submap> mapping(submaps, Submap{0, 0});
  for (uint32_t i = 0; i < channels; ++i) {
    const uint32_t submap = submaps > 1 ? in.bits(4) : 0;
    require(submap < submaps, "names a missing submap");
    ++mapping[submap].channels;
  }
  for (Submap& submap : mapping) {
    in.bits(8);
    require(in.bits(8) < setup.floors, "names a missing floor");
    submap.residue = in.bits(8);
    require(submap.residue < setup.residues.size(), "names a missing residue");
  }
  return mapping;
}

// stb_vorbis takes interleaved residues for those of two channels: with other numbers it must not matter
// where it ends.
void check_mode(const Setup& setup, const std::vector<Submap>& mapping, uint64_t half_block) {
  for (const Submap& submap : mapping) {
    const Residue& residue = setup.residues[submap.residue];
    if (residue.type != 2 || submap.channels == 0)
      continue;
    require(std::min(residue.end, half_block * 2) == std::min(residue.end, half_block * submap.channels),
            "interleaves more or fewer than two channels");
  }
}

std::vector<int> check_setup(BitReader& in, const VorbisIdentity& identity) {
  Setup setup;
  setup.codebooks = check_codebooks(in);
  for (uint32_t i = in.bits(6) + 1; i > 0; --i)
    require(in.bits(16) == 0, "uses a reserved field");
  setup.floors = in.bits(6) + 1;
  for (uint32_t i = 0; i < setup.floors; ++i)
    check_floor(in, setup);
  setup.residues.resize(in.bits(6) + 1);
  uint64_t class_elements = 0;
  for (Residue& residue : setup.residues)
    residue = check_residue(in, setup, identity, class_elements);
  setup.mappings.resize(in.bits(6) + 1);
  for (std::vector<Submap>& mapping : setup.mappings)
    mapping = check_mapping(in, setup, identity);
  std::vector<int> modes(in.bits(6) + 1);
  for (int& mode : modes) {
    const int block_size = identity.block_sizes[in.bits(1)];
    mode = block_size;
    require(in.bits(16) == 0 && in.bits(16) == 0, "uses a reserved field");
    const uint32_t mapping = in.bits(8);
    require(mapping < setup.mappings.size(), "names a missing mapping");
    check_mode(setup, setup.mappings[mapping], static_cast<uint64_t>(block_size) / 2);
  }
  return modes;
}

bool starts_with(const std::vector<uint8_t>& packet, const char (&magic)[8]) {
  return packet.size() >= 7 && std::memcmp(packet.data(), magic, 7) == 0;
}

} // namespace

bool is_vorbis(const std::vector<uint8_t>& packet) {
  return packet.size() == VorbisIdentity::kPacketBytes && starts_with(packet, "\x01vorbis");
}

std::string parse_vorbis_identity(const std::vector<uint8_t>& packet, VorbisIdentity& identity) {
  BitReader in(packet);
  in.bits(28);
  in.bits(28);
  const uint32_t version = in.bits(32);
  identity.channels = static_cast<int>(in.bits(8));
  identity.sample_rate = static_cast<int>(std::min(in.bits(32), uint32_t{INT32_MAX}));
  for (int i = 0; i < 3; ++i)
    in.bits(32); // bit rates
  const int short_log = static_cast<int>(in.bits(4));
  const int long_log = static_cast<int>(in.bits(4));
  identity.block_sizes[0] = 1 << short_log;
  identity.block_sizes[1] = 1 << long_log;
  const bool framing = in.flag();
  if (version != 0)
    return "its Vorbis version is " + std::to_string(version);
  if (identity.channels < 1)
    return "its header says 0 channels";
  if (short_log < 6 || long_log > 13 || short_log > long_log)
    return "its Vorbis header says impossible block sizes";
  if (!framing)
    return "its Vorbis header is damaged";
  return "";
}

std::string check_vorbis_setup(const std::vector<uint8_t>& packet, const VorbisIdentity& identity,
                               std::vector<int>& modes) {
  if (!starts_with(packet, "\x05vorbis"))
    return "is missing";
  if (identity.channels > kMostChannels)
    return "is for more than 16 channels";
  try {
    BitReader in(packet);
    in.bits(28);
    in.bits(28);
    modes = check_setup(in, identity);
    return "";
  } catch (const Refusal& refusal) {
    return refusal.reason;
  }
}

} // namespace whisper_hip
