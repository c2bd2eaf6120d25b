// Tokens that may not be sampled: given by id, or because their text matches a regular expression. And what
// whisper.cpp samples from without looking: probabilities that are not numbers, or none at all.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "model/whisper_unit.h"

namespace whisper_hip {

class TokenFilter {
 public:
  // `tokens`: ids; the end of the text is not suppressed. `regex`: ECMAScript without back-references,
  // matched against the whole text of each token once, here, in time that is linear in the token; empty =
  // none. Throws Error(ERR_INVALID_ARGUMENT) for a bad expression, Error(ERR_CANCELLED).
  TokenFilter(whisper_context& context, const std::vector<int>& tokens, const std::string& regex,
              const std::atomic<bool>& cancelled);

  // whisper.cpp's grammars see a token up to its first NUL, and let one that begins with it pass.
  void suppress_nul(const whisper_context& context);

  // Must outlive the parameters, of which it uses suppress_blank and max_initial_ts.
  void install(whisper_full_params& params);

  // Whether the model gave NaN or infinity for a token. The text was ended there.
  bool found_damage() const { return damaged_; }

 private:
  void suppress_matching(const whisper_context& context, const std::string& regex,
                         const std::atomic<bool>& cancelled);
  void apply(float* logits, bool is_first);

  std::vector<whisper_token> suppressed_;
  whisper_token end_;
  whisper_token first_timestamp_;
  int n_vocab_;
  float seconds_per_timestamp_;
  bool suppress_blank_ = false;
  int first_choices_ = 0; // tokens [0, first_choices_) may begin a text
  bool damaged_ = false;
};

} // namespace whisper_hip
