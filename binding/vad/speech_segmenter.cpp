#include "vad/speech_segmenter.h"

#include <algorithm>

namespace whisper_hip {

SpeechSegmenter::SpeechSegmenter(const SpeechOptions& options)
    : options_(options), longest_(std::max(options.maximum_speech - 2 * options.padding, 2 * kFrame)) {}

void SpeechSegmenter::push(float probability, std::vector<SpeechSpan>& closed) {
  const int64_t begin = now_;
  now_ += kFrame;
  if (probability >= options_.threshold) {
    silence_start_ = -1;
    if (!speaking_) {
      speaking_ = true;
      continued_ = false;
      start_ = begin;
      lead_ = options_.padding;
    }
  }
  if (speaking_ && options_.maximum_speech != std::numeric_limits<int64_t>::max())
    probabilities_.push_back(probability);
  if (speaking_ && probability < options_.negative_threshold) {
    if (silence_start_ < 0)
      silence_start_ = begin;
    if (begin - silence_start_ >= options_.minimum_silence)
      close(silence_start_, closed);
  }
  settle_pending(closed);
  cut_when_too_long(closed);
}

void SpeechSegmenter::finish(int64_t samples, std::vector<SpeechSpan>& closed) {
  if (speaking_)
    close(samples, closed);
  if (pending_)
    closed.push_back({pending_->start, std::min(pending_->end + options_.padding, samples)});
  pending_.reset();
}

void SpeechSegmenter::cut_when_too_long(std::vector<SpeechSpan>& closed) {
  if (!speaking_ || probabilities_.empty() || now_ + kFrame - start_ <= longest_)
    return;
  // In the second half: two cuts are never closer than that. Of equal frames the last one.
  const auto half = probabilities_.begin() + static_cast<ptrdiff_t>(probabilities_.size() / 2);
  auto quietest = half;
  for (auto frame = half; frame != probabilities_.end(); ++frame) {
    if (*frame <= *quietest)
      quietest = frame;
  }
  const int64_t frames_left = probabilities_.end() - quietest;
  const int64_t cut = std::max(now_ - frames_left * kFrame + kFrame / 2, start_ + 1);
  const int64_t silence = silence_start_;
  probabilities_.erase(probabilities_.begin(), quietest);
  const std::deque<float> rest = std::move(probabilities_);
  continued_ = true;
  close(cut, closed);
  closed.push_back(*pending_);
  pending_.reset();
  speaking_ = true;
  start_ = cut;
  lead_ = 0;
  silence_start_ = silence < 0 ? silence : std::max(silence, cut);
  probabilities_ = rest;
}

void SpeechSegmenter::close(int64_t end, std::vector<SpeechSpan>& closed) {
  speaking_ = false;
  silence_start_ = -1;
  probabilities_.clear();
  if (end - start_ <= (continued_ ? 0 : options_.minimum_speech))
    return;
  const int64_t room = pending_ ? (start_ - pending_->end) / 2 : start_;
  const int64_t lead = std::min(lead_, room);
  if (pending_)
    closed.push_back({pending_->start, pending_->end + std::min(options_.padding, room)});
  pending_ = SpeechSpan{start_ - lead, end};
}

// Closes the last stretch as soon as the next one is known to come, or to come too late to matter.
void SpeechSegmenter::settle_pending(std::vector<SpeechSpan>& closed) {
  if (!pending_)
    return;
  const int64_t gap = (speaking_ ? start_ : now_) - pending_->end;
  // The audio may end within the last frame.
  const int64_t spoken = (silence_start_ < 0 ? now_ - kFrame : silence_start_) - start_;
  const bool certain = speaking_ && spoken > options_.minimum_speech;
  if (gap < 2 * options_.padding && !certain)
    return;
  const int64_t tail = std::min(options_.padding, gap / 2);
  closed.push_back({pending_->start, pending_->end + tail});
  if (speaking_)
    lead_ = std::min(lead_, gap / 2);
  pending_.reset();
}

} // namespace whisper_hip
