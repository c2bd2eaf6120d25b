#include "transcribe/token_filter.h"

#include <cmath>
#include <regex>

#include "support/error.h"

namespace whisper_hip {

namespace {

// libstdc++ matches by backtracking unless it is told to keep the time polynomial; it then refuses
// back-references.
#ifdef __GLIBCXX__
constexpr auto kBounded = std::regex_constants::__polynomial;
#else
constexpr auto kBounded = std::regex_constants::ECMAScript;
#endif

} // namespace

TokenFilter::TokenFilter(const whisper_context& context, const std::vector<int>& tokens,
                         const std::string& regex, const std::atomic<bool>& cancelled)
    : suppressed_(tokens.begin(), tokens.end()) {
  if (regex.empty())
    return;
  try {
    const std::regex expression(regex, std::regex::ECMAScript | std::regex::optimize | kBounded);
    const whisper_token end = whisper_token_eot(const_cast<whisper_context*>(&context));
    for (whisper_token token = 0; token < end; ++token) {
      if (cancelled.load(std::memory_order_relaxed))
        throw Error("ERR_CANCELLED", "The job was cancelled");
      if (std::regex_match(token_bytes(context, token), expression))
        suppressed_.push_back(token);
    }
  } catch (const std::regex_error& error) {
    throw Error("ERR_INVALID_ARGUMENT", "Expected a regular expression for suppressRegex but received \"" +
                                            regex + "\": " + error.what());
  }
}

void TokenFilter::install(whisper_full_params& params) {
  if (suppressed_.empty())
    return;
  params.logits_filter_callback = [](whisper_context*, whisper_state*, const whisper_token_data*, int,
                                     float* logits, void* data) {
    for (whisper_token token : static_cast<TokenFilter*>(data)->suppressed_)
      logits[token] = -INFINITY;
  };
  params.logits_filter_callback_user_data = this;
}

} // namespace whisper_hip
