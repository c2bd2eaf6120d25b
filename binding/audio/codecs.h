// The decoders of single formats. Each is opened on a file whose first bytes promise the format, takes over
// the reader, and keeps memory bounded whatever the bytes say.
//
// They throw Error(ERR_AUDIO_DECODE) for a damaged file and Error(ERR_AUDIO_UNSUPPORTED) for a sound one that
// needs another decoder; `name` is the file in those messages. `read` may throw both.
#pragma once

#include <memory>
#include <string>

#include "audio/byte_reader.h"
#include "audio/frame_source.h"
#include "support/error.h"

namespace whisper_hip {

// RIFF, RIFX, RF64, Wave64 and AIFF with integer, float, A-law, mu-law or ADPCM samples.
std::unique_ptr<FrameSource> open_wav(std::unique_ptr<ByteReader> reader, const std::string& name);

// Native FLAC from byte `start` on, the end of the ID3v2 tags.
std::unique_ptr<FrameSource> open_flac(std::unique_ptr<ByteReader> reader, uint64_t start,
                                       const std::string& name);

// MPEG audio layer 1 to 3 from byte `start` on, the end of the ID3v2 tags. Gives nullptr when there is no
// such stream.
std::unique_ptr<FrameSource> open_mp3(std::unique_ptr<ByteReader> reader, uint64_t start,
                                      const std::string& name);

// Vorbis in Ogg, also chained and multiplexed.
std::unique_ptr<FrameSource> open_vorbis(std::unique_ptr<ByteReader> reader, const std::string& name);

[[noreturn]] inline void fail_damaged(const std::string& name, const std::string& reason) {
  throw Error("ERR_AUDIO_DECODE", "Cannot decode " + name + ": " + reason);
}

[[noreturn]] inline void fail_unsupported(const std::string& name, const std::string& reason) {
  throw Error("ERR_AUDIO_UNSUPPORTED", "Cannot decode " + name + " without other software: " + reason);
}

} // namespace whisper_hip
