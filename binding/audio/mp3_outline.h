// The frames of an MPEG audio stream by their headers alone: how many there are, and where something is
// between them that is none.
#pragma once

#include <cstdint>

#include "audio/byte_reader.h"

namespace whisper_hip {

struct Mp3Outline {
  uint64_t frames = 0;
  uint64_t frame_bytes = 0; // of all frames together
  uint64_t seams = 0;       // places where bytes between two frames are none
  uint64_t lost_bytes = 0;  // those bytes, and those after the last frame
};

// Reads from the frame at `start`, which decides version, layer and rate, to the end. Leaves the reader at
// any position.
Mp3Outline outline_mp3(ByteReader& reader, uint64_t start);

} // namespace whisper_hip
