#include "engine/search/rules.h"

#include <algorithm>
#include <cmath>

#include "engine/search/choose.h"

namespace whisper_hip {

namespace {

constexpr float kPrecision = 0.02f; // seconds of a timestamp

void forbid(float* logits, Token first, Token end) {
  if (first < end)
    std::fill(logits + first, logits + end, -INFINITY);
}

// Whether a logit is not below the bar, as none is that is no number. Blocks are read without branches.
bool any_from(const float* logits, int count, float bar) {
  constexpr int kBlock = 64;
  for (int first = 0; first < count; first += kBlock) {
    const int end = std::min(first + kBlock, count);
    bool found = false;
    for (int i = first; i < end; ++i)
      found |= !(logits[i] < bar);
    if (found)
      return true;
  }
  return false;
}

} // namespace

WhisperRules::WhisperRules(const SpecialTokens& tokens, const RuleOptions& options)
    : tokens_(tokens), options_(options), last_initial_(tokens.vocabulary - 1) {
  std::vector<Token>& suppress = options_.suppress;
  suppress.erase(std::remove_if(suppress.begin(), suppress.end(),
                                [&](Token token) {
                                  return token < 0 || token >= tokens.vocabulary || token == tokens.end;
                                }),
                 suppress.end());
  if (options.max_initial_timestamp) {
    const long index = std::lround(std::max(*options.max_initial_timestamp, 0.0f) / kPrecision);
    last_initial_ = static_cast<Token>(std::min<long>(last_initial_, tokens.first_timestamp + index));
  }
}

void WhisperRules::apply(const std::vector<Token>& text, float* logits) const {
  if (options_.repetition_penalty != 1.0f)
    penalize(text, logits);
  if (options_.no_repeat_ngram_size > 0)
    forbid_repeated(text, logits);
  for (Token token : options_.suppress)
    logits[token] = -INFINITY;
  if (options_.suppress_blank && text.size() == options_.prefix) {
    for (Token token : options_.blank)
      logits[token] = -INFINITY;
    logits[tokens_.end] = -INFINITY;
  }
  forbid(logits, tokens_.end + 1, tokens_.first_timestamp);
  if (options_.timestamps)
    apply_timestamps(text, logits);
  else
    forbid(logits, tokens_.first_timestamp, tokens_.vocabulary);
}

void WhisperRules::penalize(const std::vector<Token>& text, float* logits) const {
  std::vector<Token> words = text;
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  for (Token token : words) {
    if (token >= tokens_.end)
      break;
    float& logit = logits[token];
    logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
  }
}

void WhisperRules::forbid_repeated(const std::vector<Token>& text, float* logits) const {
  const auto before = static_cast<ptrdiff_t>(options_.no_repeat_ngram_size) - 1;
  if (static_cast<ptrdiff_t>(text.size()) < before)
    return;
  const auto last = text.end() - before; // what would begin the next one
  for (auto next = text.begin() + before; next != text.end(); ++next) {
    if (*next < tokens_.end && std::equal(last, text.end(), next - before))
      logits[*next] = -INFINITY;
  }
}

// ApplyTimestampRules.
void WhisperRules::apply_timestamps(const std::vector<Token>& text, float* logits) const {
  const Token first = tokens_.first_timestamp;
  const Token end = tokens_.vocabulary;
  const size_t count = text.size() - std::min(text.size(), options_.prefix);
  const auto is_timestamp = [&](size_t back) { return text[text.size() - back] >= first; };
  if (count == 0) {
    forbid(logits, 0, first);
    forbid(logits, last_initial_ + 1, end);
  } else {
    // They come in pairs, of the end of a segment and the beginning of the next, but at the beginning and
    // before the end of the text.
    const bool last = is_timestamp(1);
    const bool opens = last && (count < 2 || is_timestamp(2));
    if (opens)
      forbid(logits, first, end);
    else if (last)
      forbid(logits, 0, tokens_.end);
    // They do not decrease, and a segment is not empty.
    const auto begin = text.rbegin();
    const auto found = std::find_if(begin, begin + static_cast<ptrdiff_t>(count),
                                    [first](Token token) { return token >= first; });
    if (found != begin + static_cast<ptrdiff_t>(count))
      forbid(logits, first, last && !opens ? *found : *found + 1);
  }
  // Where they are likelier together than each other token, one of them comes.
  const float mass = choose(logits + first, end - first, 0).log_sum;
  if (!any_from(logits, first, mass))
    forbid(logits, 0, first);
}

} // namespace whisper_hip
