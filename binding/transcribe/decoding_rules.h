// What may follow in the texts of one job: Whisper's own rules, the tokens that the request forbids, and its
// grammar.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "engine/search/rules.h"
#include "model/whisper_unit.h"
#include "transcribe/grammar.h"

namespace whisper_hip {

struct RuleRequest {
  bool timestamps = true;
  bool suppress_blank = true;
  bool suppress_non_speech = false;
  std::vector<Token> suppress_tokens; // ids; the end of the text is not suppressed
  // ECMAScript without back-references, matched against the whole text of each token once, in time that is
  // linear in the token; empty = none.
  std::string suppress_regex;
  std::string grammar; // GBNF; empty = none
  std::string grammar_rule;
  float grammar_penalty = 0;
  float repetition_penalty = 1;
  int no_repeat_ngram_size = 0;
};

class DecodingRules {
 public:
  // Throws Error(ERR_INVALID_ARGUMENT) for a bad expression or grammar, Error(ERR_CANCELLED).
  DecodingRules(const whisper_context& context, const SpecialTokens& tokens, const RuleRequest& request,
                const std::atomic<bool>& cancelled);

  // For one search, whose text begins with this prefix. This object must outlive them.
  std::unique_ptr<Rules> make(const std::vector<Token>& prefix) const;

 private:
  const whisper_context& context_;
  SpecialTokens tokens_;
  RuleOptions options_;
  float grammar_penalty_;
  std::unique_ptr<Grammar> grammar_;
};

} // namespace whisper_hip
