#include "engine/search/search.h"

#include <algorithm>
#include <cmath>

#include "engine/search/kinds.h"

namespace whisper_hip {

Ranking choose_next(const SpecialTokens& tokens, const Rules& rules, const std::vector<Token>& text,
                    float* logits, int wanted) {
  // Else a text would seem to end where a model has nothing to say, as its weights are infinite.
  if (std::none_of(logits, logits + tokens.vocabulary, [](float logit) { return logit > -INFINITY; }))
    fail_not_numbers();
  rules.apply(text, logits);
  Ranking ranking = choose(logits, tokens.vocabulary, wanted);
  if (ranking.best.empty())
    ranking.best.push_back({tokens.end, 0.0f});
  return ranking;
}

const Sequence& likeliest(const std::vector<Sequence>& sequences, const SearchOptions& options) {
  const auto score = [&](const Sequence& sequence) {
    const auto length = static_cast<double>(sequence.probabilities.size());
    return sequence.log_probability / (options.length_penalty
                                           ? std::pow((5 + length) / 6, *options.length_penalty)
                                           : std::max(length, 1.0));
  };
  return *std::max_element(sequences.begin(), sequences.end(),
                           [&](const Sequence& a, const Sequence& b) { return score(a) < score(b); });
}

std::unique_ptr<Search> make_search(const SpecialTokens& tokens, const SearchOptions& options,
                                    const Rules& rules) {
  return options.temperature > 0 ? search_samples(tokens, options, rules)
                                 : search_beams(tokens, options, rules);
}

} // namespace whisper_hip
