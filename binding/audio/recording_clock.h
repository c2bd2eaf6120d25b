// Keeps a recording on its own clock: silence where sound is missing, and news of what was damaged.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "support/warnings.h"

namespace whisper_hip {

// All positions and counts are frames of the source.
class RecordingClock {
 public:
  // Longer silence than this, in seconds, is not made: such a time stamp is a mistake, or that of a recording
  // which was cut out of another.
  static constexpr int kLongestSilence = 2 * 3600;

  enum class Cause { time_stamps, damage };

  void set_rate(int rate) { rate_ = rate; }

  // The sound that comes next belongs at `frame`: what is missing up to there becomes silence. A frame that
  // has been passed already changes nothing.
  void move_to(uint64_t frame, Cause cause);
  // The next `frames` frames are damaged: they become silence.
  void lose(uint64_t frames) { move_to(position() + frames, Cause::damage); }
  // The next `frames` frames are sound.
  void advance(uint64_t frames);
  // The recording ends here, before the end that it promises (0: nobody knows where).
  void end_early(uint64_t promised);

  // Writes as much of the silence that is due as there is room for, and returns how many frames.
  size_t write_silence(float* out, size_t frames, size_t channels);
  bool silent() const { return silence_ > 0; }

  // Of the next frame that is decoded.
  uint64_t position() const { return written_ + silence_; }
  // Throws Error(ERR_AUDIO_DECODE) when damage has left nothing.
  void require_sound(const std::string& name) const;

  std::vector<Warning> warnings() const;

 private:
  void add_range(uint64_t start, uint64_t end);

  int rate_ = 1;
  uint64_t written_ = 0;
  uint64_t silence_ = 0; // due before the next sound
  uint64_t sound_ = 0;
  std::vector<std::pair<uint64_t, uint64_t>> damaged_;
  bool ends_early_ = false;
  uint64_t promised_ = 0;
  std::vector<Warning> others_;
};

} // namespace whisper_hip
