// Tells the format of a file by its first bytes, never by its name.
#pragma once

#include <cstdint>
#include <string>

#include "audio/byte_reader.h"

namespace whisper_hip {

struct AudioFormat {
  enum class Kind {
    wav,
    flac,
    ogg,
    mp3,     // or bytes that are nothing else we know: a stream may start in the middle of a frame
    unknown, // certainly none of the above
  };

  Kind kind;
  // Where the audio starts: after the ID3v2 tags.
  uint64_t start;
  // What the first bytes look like, to follow "it ": "is empty", "looks like an HTML page".
  std::string description;
};

// Reads at most a few kB. Leaves the reader at any position.
AudioFormat detect_audio_format(ByteReader& reader);

} // namespace whisper_hip
