// MPEG audio frames to PCM, one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace whisper_hip {

class Mp3FrameDecoder {
 public:
  static constexpr size_t kMostSamples = 1152 * 2;
  // Finding a frame compares its header with those of up to ten frames after it.
  static constexpr size_t kLookahead = 16 << 10;

  struct Frame {
    size_t bytes;  // consumed, skipped ones before the frame included; 0 means that more are needed
    size_t length; // of the frame itself, the last ones of `bytes`
    int frames;    // PCM frames that it holds, 0 when no frame was found
    bool decoded;  // whether they were written: not without the frames before it, or when it is damaged
    int channels;
    int sample_rate;
    int layer;
  };

  // What the first four bytes of a frame say; the length is 0 when they are none, or of a free format.
  struct Header {
    size_t length;
    int sample_rate;
    int layer;
  };
  static Header parse(const uint8_t* bytes);

  Mp3FrameDecoder();
  ~Mp3FrameDecoder();

  // Finds and decodes the next frame in `size` bytes, which go on after that unless the stream ends there.
  // Writes [frames, channels] interleaved samples to `pcm`, which has room for kMostSamples.
  Frame decode(const uint8_t* bytes, size_t size, float* pcm);

  // Forgets the frames before: what follows is a new stream.
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace whisper_hip
