// What an encoder says of the frames that follow.
#pragma once

#include <cstddef>
#include <cstdint>

namespace whisper_hip {

// The frame without audio that encoders put first (Xing, LAME, Fraunhofer).
struct Mp3InfoFrame {
  bool present = false;
  uint64_t frames = 0;  // MPEG frames that follow, 0 when unknown
  uint64_t delay = 0;   // PCM frames that the encoder added before the audio
  uint64_t padding = 0; // and after it
};

// `frame`: a whole frame of layer 3.
Mp3InfoFrame parse_mp3_info_frame(const uint8_t* frame, size_t length, int channels);

} // namespace whisper_hip
