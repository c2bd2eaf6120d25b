#include "transcribe/token_filter.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <regex>

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

} // namespace

TokenFilter::TokenFilter(whisper_context& context, const std::vector<int>& tokens, const std::string& regex,
                         const std::atomic<bool>& cancelled)
    : suppressed_(tokens.begin(), tokens.end()), end_(whisper_token_eot(&context)),
      first_timestamp_(whisper_token_beg(&context)), n_vocab_(whisper_n_vocab(&context)),
      seconds_per_timestamp_(WHISPER_CHUNK_SIZE / static_cast<float>(whisper_n_audio_ctx(&context))) {
  suppressed_.erase(std::remove(suppressed_.begin(), suppressed_.end(), end_), suppressed_.end());
  if (!regex.empty())
    suppress_matching(context, regex, cancelled);
}

void TokenFilter::suppress_matching(const whisper_context& context, const std::string& regex,
                                    const std::atomic<bool>& cancelled) {
  try {
    const std::regex expression(regex, std::regex::ECMAScript | std::regex::optimize | kBounded);
    for (whisper_token token = 0; token < end_; ++token) {
      check(cancelled);
      if (std::regex_match(token_bytes(context, token), expression))
        suppressed_.push_back(token);
    }
  } catch (const std::regex_error& error) {
    throw Error("ERR_INVALID_ARGUMENT", "Expected a regular expression for suppressRegex but received \"" +
                                            regex + "\": " + error.what());
  }
}

void TokenFilter::suppress_nul(const whisper_context& context) {
  for (whisper_token token = 0; token < end_; ++token) {
    if (token_bytes(context, token).find('\0') != std::string::npos)
      suppressed_.push_back(token);
  }
}

void TokenFilter::install(whisper_full_params& params) {
  suppress_blank_ = params.suppress_blank;
  first_choices_ =
      first_timestamp_ + 1 + static_cast<int>(std::round(params.max_initial_ts / seconds_per_timestamp_));
  params.logits_filter_callback = [](whisper_context*, whisper_state*, const whisper_token_data*,
                                     int n_tokens, float* logits, void* self) {
    static_cast<TokenFilter*>(self)->apply(logits, n_tokens == 0);
  };
  params.logits_filter_callback_user_data = this;
}

void TokenFilter::apply(float* logits, bool is_first) {
  bool damaged = false;
  for (int i = 0; i < n_vocab_; ++i)
    damaged |= !(logits[i] <= FLT_MAX);
  // Only whisper.cpp's rule for the first token forbids the end, and none forbids all words there.
  const bool may_forbid_end = is_first && suppress_blank_;
  damaged |= may_forbid_end
                 ? std::all_of(logits, logits + end_, [](float logit) { return logit == -INFINITY; })
                 : logits[end_] == -INFINITY;
  if (damaged) {
    damaged_ = true;
    std::fill(logits, logits + n_vocab_, -INFINITY);
  }
  for (whisper_token token : suppressed_)
    logits[token] = -INFINITY;

  const int choices = is_first ? std::min(first_choices_, n_vocab_) : n_vocab_;
  const bool has_choice =
      std::any_of(logits, logits + choices, [](float logit) { return logit > -INFINITY; });
  if (!has_choice)
    logits[end_] = 0.0f;
}

} // namespace whisper_hip
