#include "audio/recording_clock.h"

#include <algorithm>
#include <cstdio>

#include "support/error.h"

namespace whisper_hip {

namespace {

// Damage that is closer together is one range.
constexpr double kMergedSeconds = 1;
constexpr size_t kMostRanges = 100;

std::string seconds(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f s", value);
  return text;
}

} // namespace

void RecordingClock::move_to(uint64_t frame, Cause cause) {
  const uint64_t from = position();
  if (frame <= from)
    return;
  const uint64_t missing = frame - from;
  if (missing > static_cast<uint64_t>(kLongestSilence) * static_cast<uint64_t>(rate_)) {
    if (others_.size() < kMostRanges) {
      const double at = static_cast<double>(from) / rate_;
      others_.push_back({"AUDIO_TIME_JUMP",
                         "The time stamps jump forward by " + seconds(static_cast<double>(missing) / rate_) +
                             " at " + seconds(at) +
                             ": that is taken for a mistake, and times go on from there",
                         at});
    }
    return;
  }
  silence_ += missing;
  if (cause == Cause::damage)
    add_range(from, frame);
}

void RecordingClock::advance(uint64_t frames) {
  written_ += frames;
  sound_ += frames;
}

void RecordingClock::end_early(uint64_t promised) {
  ends_early_ = true;
  promised_ = promised;
}

size_t RecordingClock::write_silence(float* out, size_t frames, size_t channels) {
  const auto n = static_cast<size_t>(std::min<uint64_t>(silence_, frames));
  std::fill_n(out, n * channels, 0.0f);
  silence_ -= n;
  written_ += n;
  return n;
}

void RecordingClock::require_sound(const std::string& name) const {
  if (sound_ == 0 && !damaged_.empty())
    throw Error("ERR_AUDIO_DECODE", "Cannot decode " + name + ": it is damaged, and nothing of it is left");
}

void RecordingClock::add_range(uint64_t start, uint64_t end) {
  const auto near = static_cast<uint64_t>(kMergedSeconds * rate_);
  const bool merge =
      !damaged_.empty() && (start <= damaged_.back().second + near || damaged_.size() >= kMostRanges);
  if (merge)
    damaged_.back().second = std::max(damaged_.back().second, end);
  else
    damaged_.emplace_back(start, end);
}

std::vector<Warning> RecordingClock::warnings() const {
  std::vector<Warning> warnings = others_;
  for (const auto& [first, last] : damaged_) {
    const double start = static_cast<double>(first) / rate_;
    const double end = static_cast<double>(last) / rate_;
    warnings.push_back({"AUDIO_DAMAGED",
                        "The recording is damaged from " + seconds(start) + " to " + seconds(end) +
                            ": what cannot be decoded there is silence",
                        start, end});
  }
  if (ends_early_) {
    const double at = static_cast<double>(written_) / rate_;
    Warning warning = {"AUDIO_TRUNCATED", "The recording is cut off at " + seconds(at), at};
    if (promised_ > written_) {
      warning.end = static_cast<double>(promised_) / rate_;
      warning.message += ": its header promises " + seconds(warning.end);
    }
    warnings.push_back(std::move(warning));
  }
  return warnings;
}

} // namespace whisper_hip
