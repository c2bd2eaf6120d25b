// What may follow in a text of Whisper: OpenAI's SuppressBlank, SuppressTokens and ApplyTimestampRules
// (decoding.py), and the penalties of CTranslate2 and Transformers.
#pragma once

#include "engine/search/search.h"

namespace whisper_hip {

struct RuleOptions {
  size_t prefix = 0;      // tokens of the text that are given; what follows is the model's
  bool timestamps = true; // or none at all
  bool suppress_blank = true;
  std::vector<Token> blank;    // " ", which with the end may not begin the text if blanks are suppressed
  std::vector<Token> suppress; // never; the end is not suppressed
  std::optional<float> max_initial_timestamp = 1.0f; // seconds, of the first; none = any
  float repetition_penalty = 1.0f; // of tokens in the text: a logit above 0 is divided by it, else multiplied
  int no_repeat_ngram_size = 0;    // tokens that may follow each other but once; 0 = any number of times
};

// A text has nothing but text, timestamps and the end: the start of a transcript, languages, tasks and
// no_timestamps never follow. Where the rules leave nothing, a search ends the text.
//
// Penalties are of text only, other than those of CTranslate2 and Transformers: the end has to be possible,
// and a segment may begin where the last one ends.
class WhisperRules : public Rules {
 public:
  WhisperRules(const SpecialTokens& tokens, const RuleOptions& options);

  void apply(const std::vector<Token>& text, float* logits) const override;

 private:
  void penalize(const std::vector<Token>& text, float* logits) const;
  void forbid_repeated(const std::vector<Token>& text, float* logits) const;
  void apply_timestamps(const std::vector<Token>& text, float* logits) const;

  const SpecialTokens tokens_;
  RuleOptions options_;
  Token last_initial_; // timestamp
};

} // namespace whisper_hip
