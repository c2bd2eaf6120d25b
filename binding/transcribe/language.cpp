#include "transcribe/language.h"

#include <algorithm>

#include "transcribe/mel.h"
#include "transcribe/speech_clips.h"
#include "whisper.h"

namespace whisper_hip {

namespace {

constexpr int kEnoughFrames = 100;  // of speech, in the window that is decoded first
constexpr size_t kMostWindows = 5;  // each costs an encoder pass
constexpr double kSure = 0.5;       // faster-whisper's language_detection_threshold
constexpr float kSmallest = 1e-30f; // a language of which the model says nothing

int frames_between(const std::vector<std::pair<int, int>>& parts, int start, int end) {
  int frames = 0;
  for (const auto& part : parts)
    frames += std::max(std::min(part.second, end) - std::max(part.first, start), 0);
  return frames;
}

} // namespace

std::vector<std::pair<int, int>> language_windows(const std::pair<int, int>& first,
                                                  const std::vector<SpeechSpan>& speech,
                                                  const std::vector<std::pair<int, int>>& clips) {
  const std::vector<std::pair<int, int>> parts = speech_in_clips(speech, clips);
  const int end = std::min(first.second, first.first + kWindowFrames);
  const bool speaks = frames_between(parts, first.first, end) >= kEnoughFrames;
  std::vector<std::pair<int, int>> windows;
  if (speaks || parts.empty())
    windows.push_back(first);
  int heard = speaks ? end : first.first;
  for (const int least : {kEnoughFrames, 0}) {
    for (const auto& part : parts) {
      for (int start = std::max(part.first, heard);
           part.second - start >= std::max(least, 1) && windows.size() < kMostWindows; start = heard) {
        heard = std::min(start + kWindowFrames, part.second);
        windows.emplace_back(start, heard);
      }
    }
    if (!windows.empty())
      break;
  }
  return windows;
}

LanguageVote::LanguageVote(const std::vector<std::string>& languages) {
  for (const std::string& language : languages) {
    const int id = whisper_lang_id(language.c_str());
    if (id < 0)
      continue;
    allowed_.resize(static_cast<size_t>(whisper_lang_max_id()) + 1);
    allowed_[static_cast<size_t>(id)] = true;
  }
}

void LanguageVote::add(const std::vector<float>& probabilities) {
  sums_.resize(probabilities.size());
  std::vector<double> heard(probabilities.size());
  double sum = 0;
  for (size_t i = 0; i < heard.size(); ++i) {
    if (!allowed_.empty() && !allowed_[i])
      continue;
    heard[i] = std::max(probabilities[i], kSmallest);
    sum += heard[i];
  }
  for (size_t i = 0; i < heard.size() && sum > 0; ++i)
    sums_[i] += heard[i] / sum;
  ++windows_;
}

bool LanguageVote::sure() const {
  return windows_ > 0 && probability() >= kSure;
}

std::string LanguageVote::language() const {
  return windows_ > 0 ? whisper_lang_str(static_cast<int>(best())) : std::string();
}

double LanguageVote::probability() const {
  return windows_ > 0 ? sums_[best()] / windows_ : 0;
}

std::vector<double> LanguageVote::all() const {
  std::vector<double> mean = sums_;
  for (double& value : mean)
    value /= std::max(windows_, 1);
  return mean;
}

size_t LanguageVote::best() const {
  return static_cast<size_t>(std::max_element(sums_.begin(), sums_.end()) - sums_.begin());
}

} // namespace whisper_hip
