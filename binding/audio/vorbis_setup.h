// Checks the setup header of a Vorbis stream before stb_vorbis sees it.
//
// stb_vorbis trusts the header in several places: it overflows sizes, follows codebooks without entries,
// divides by dimensions of 0, writes 16 submaps into arrays of 15 and indexes its floor table with whatever a
// codebook gives. It also decodes two rare kinds of stream to noise. This is a second, strict parser of the
// format (Vorbis I specification, section 4.2.4) that lets only those headers through for which stb_vorbis is
// right and every access stays in bounds, within a few MB of memory and 100 kB of stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace whisper_hip {

struct VorbisIdentity {
  static constexpr size_t kPacketBytes = 30;

  int channels;
  int sample_rate;
  int block_sizes[2]; // short and long, in samples
};

// Whether `packet` is the identification header of a Vorbis stream.
bool is_vorbis(const std::vector<uint8_t>& packet);

// Reads the identification header. Returns what is wrong with it, empty when nothing is.
std::string parse_vorbis_identity(const std::vector<uint8_t>& packet, VorbisIdentity& identity);

// Checks the setup header. Returns why it is refused, empty when it is not; sets `modes` to the block
// size in samples of each mode, one of which an audio packet selects.
std::string check_vorbis_setup(const std::vector<uint8_t>& packet, const VorbisIdentity& identity,
                               std::vector<int>& modes);

} // namespace whisper_hip
