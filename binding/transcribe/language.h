// Which language is spoken: where to listen, and what several windows say together.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "vad/speech_segmenter.h"

namespace whisper_hip {

// The windows to listen to, as [start, end) in frames of 10 ms: one after the other, until the language is
// sure. Noise and music have a language too, to the model: where there is speech, only that is listened to.
// `first` is the window that is decoded first, whose encoding can be used again.
std::vector<std::pair<int, int>> language_windows(const std::pair<int, int>& first,
                                                  const std::vector<SpeechSpan>& speech,
                                                  const std::vector<std::pair<int, int>>& clips);

class LanguageVote {
 public:
  // `languages`: ISO codes of those that it may be; empty = all.
  explicit LanguageVote(const std::vector<std::string>& languages);

  // What the model says of one window: probabilities by whisper.cpp's language id.
  void add(const std::vector<float>& probabilities);

  // Whether one language is more probable than all others together.
  bool sure() const;
  // ISO code of the most probable one; empty while there is none.
  std::string language() const;
  double probability() const;
  // The mean over the windows, of those that it may be, by language id.
  std::vector<double> all() const;

 private:
  size_t best() const;

  std::vector<bool> allowed_; // by language id; empty = all
  std::vector<double> sums_;
  int windows_ = 0;
};

} // namespace whisper_hip
