#include "transcribe/decoding_rules.h"

#include <algorithm>
#include <map>
#include <regex>

#include "engine/search/rule_chain.h"
#include "support/cancellation.h"
#include "support/error.h"

namespace whisper_hip {

namespace {

// libstdc++ matches by backtracking unless it is told to keep the time polynomial; it then refuses
// back-references. Backtracking takes exponential time on expressions such as (a|a)*b, and a stack that grows
// with the token.
#ifdef __GLIBCXX__
constexpr auto kBounded = std::regex_constants::__polynomial;
#else
constexpr auto kBounded = std::regex_constants::ECMAScript;
#endif

std::vector<Token> matching(const whisper_context& context, Token end, const std::string& regex,
                            const std::atomic<bool>& cancelled) {
  std::vector<Token> found;
  try {
    const std::regex expression(regex, std::regex::ECMAScript | std::regex::optimize | kBounded);
    for (Token token = 0; token < end; ++token) {
      check(cancelled);
      if (std::regex_match(token_bytes(context, token), expression))
        found.push_back(token);
    }
  } catch (const std::regex_error& error) {
    throw Error("ERR_INVALID_ARGUMENT", "Expected a regular expression for suppressRegex but received \"" +
                                            regex + "\": " + error.what());
  }
  return found;
}

// A text goes on from one that was seen a step before: its state in the grammar is kept.
class GrammarRules : public Rules {
 public:
  GrammarRules(const whisper_context& context, const Grammar& grammar, float penalty)
      : context_(context), penalty_(penalty), start_(grammar.rules(), grammar.start_rule()) {}

  void apply(const std::vector<Token>& text, float* logits) const override {
    state_of(text).apply(context_, penalty_, logits);
  }

 private:
  const GrammarState& state_of(const std::vector<Token>& text) const {
    if (text.empty())
      return start_;
    const auto known = states_.find(text);
    if (known != states_.end())
      return known->second;
    const std::vector<Token> before(text.begin(), text.end() - 1);
    GrammarState state(state_of(before));
    state.accept(context_, text.back());
    // Those of shorter texts are not asked for again.
    for (auto it = states_.begin(); it != states_.end();)
      it = it->first.size() + 1 < text.size() ? states_.erase(it) : std::next(it);
    return states_.emplace(text, state).first->second;
  }

  const whisper_context& context_;
  float penalty_;
  GrammarState start_;
  mutable std::map<std::vector<Token>, GrammarState> states_;
};

// Rules with what they consist of.
class OwnedRules : public Rules {
 public:
  OwnedRules(std::unique_ptr<Rules> first, std::unique_ptr<Rules> second)
      : first_(std::move(first)), second_(std::move(second)), chain_({first_.get(), second_.get()}) {}
  void apply(const std::vector<Token>& text, float* logits) const override { chain_.apply(text, logits); }

 private:
  std::unique_ptr<Rules> first_, second_;
  RuleChain chain_;
};

} // namespace

DecodingRules::DecodingRules(const whisper_context& context, const SpecialTokens& tokens,
                             const RuleRequest& request, const std::atomic<bool>& cancelled)
    : context_(context), tokens_(tokens), grammar_penalty_(request.grammar_penalty) {
  options_.timestamps = request.timestamps;
  options_.suppress_blank = request.suppress_blank;
  options_.blank = {token_of(context, " ")};
  options_.suppress = request.suppress_tokens;
  options_.repetition_penalty = request.repetition_penalty;
  options_.no_repeat_ngram_size = request.no_repeat_ngram_size;
  const auto forbid = [this](const std::vector<Token>& more) {
    options_.suppress.insert(options_.suppress.end(), more.begin(), more.end());
  };
  if (request.suppress_non_speech)
    forbid(non_speech_tokens_of(context));
  if (!request.suppress_regex.empty())
    forbid(matching(context, tokens.end, request.suppress_regex, cancelled));
  if (request.grammar.empty())
    return;
  grammar_ = std::make_unique<Grammar>(request.grammar, request.grammar_rule);
  // whisper.cpp's grammars see a token up to its first NUL, and let one that begins with it pass.
  for (Token token = 0; token < tokens.end; ++token) {
    if (token_bytes(context, token).find('\0') != std::string::npos)
      options_.suppress.push_back(token);
  }
}

std::unique_ptr<Rules> DecodingRules::make(const std::vector<Token>& prefix) const {
  RuleOptions options = options_;
  options.prefix = prefix.size();
  // A segment that the prefix has begun goes on after it (faster-whisper; OpenAI begins another one).
  if (!prefix.empty() && options.timestamps) {
    options.prefix = 0;
    options.suppress_blank = false;
  }
  auto own = std::make_unique<WhisperRules>(tokens_, options);
  if (!grammar_)
    return own;
  return std::make_unique<OwnedRules>(std::make_unique<GrammarRules>(context_, *grammar_, grammar_penalty_),
                                      std::move(own));
}

} // namespace whisper_hip
