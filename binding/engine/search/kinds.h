// What the kinds of search have in common. For the files of this folder.
#pragma once

#include "engine/search/choose.h"
#include "engine/search/search.h"

namespace whisper_hip {

// With one beam: greedy.
std::unique_ptr<Search> search_beams(const SpecialTokens& tokens, const SearchOptions& options,
                                     const Rules& rules);
std::unique_ptr<Search> search_samples(const SpecialTokens& tokens, const SearchOptions& options,
                                       const Rules& rules);

// What may follow a text. If nothing may, its end. Leaves in the row what the rules leave there.
Ranking choose_next(const SpecialTokens& tokens, const Rules& rules, const std::vector<Token>& text,
                    float* logits, int wanted);

// The likeliest for its length (MaximumLikelihoodRanker), the first of equal ones. The end of a text has a
// probability, but no length.
const Sequence& likeliest(const std::vector<Sequence>& sequences, const SearchOptions& options);

} // namespace whisper_hip
