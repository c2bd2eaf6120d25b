// Several rules, one after the other, as of a grammar and of Whisper.
#pragma once

#include <utility>

#include "engine/search/search.h"

namespace whisper_hip {

class RuleChain : public Rules {
 public:
  // They must outlive the chain. WhisperRules come last, as they compare what the others leave.
  explicit RuleChain(std::vector<const Rules*> rules) : rules_(std::move(rules)) {}

  void apply(const std::vector<Token>& text, float* logits) const override {
    for (const Rules* rules : rules_)
      rules->apply(text, logits);
  }

 private:
  const std::vector<const Rules*> rules_;
};

} // namespace whisper_hip
