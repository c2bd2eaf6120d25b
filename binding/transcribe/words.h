// Words of tokens. In languages that put spaces between words a word begins with one, and carries the
// punctuation around it; in the others each character is a word.
#pragma once

#include <string>
#include <vector>

#include "model/whisper_unit.h"

namespace whisper_hip {

struct WindowToken {
  Token id;
  float probability;
};

// Nobody has asked who speaks.
constexpr int kNobody = -2;

struct WordResult {
  std::string text; // with its leading space
  double start;     // seconds
  double end;
  float probability; // mean of its tokens
  std::vector<Token> tokens;
  int speaker = kNobody; // as that of a segment
};

// `tokens` with the bounds of their times: times.size() == tokens.size() + 1. The text is valid UTF-8. A word
// that lasts longer than words do is cut at the pause that it has swallowed.
std::vector<WordResult> words_of(const whisper_context& context, const std::vector<WindowToken>& tokens,
                                 const std::vector<double>& times, const std::string& language);

} // namespace whisper_hip
