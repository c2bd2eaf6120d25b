// Tokens that may not be sampled: given by id, or because their text matches a regular expression.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "model/whisper_unit.h"

namespace whisper_hip {

class TokenFilter {
 public:
  // `regex`: ECMAScript, matched against the whole text of each token once, here; empty = none.
  // Throws Error(ERR_INVALID_ARGUMENT) for a bad expression, Error(ERR_CANCELLED).
  TokenFilter(const whisper_context& context, const std::vector<int>& tokens, const std::string& regex,
              const std::atomic<bool>& cancelled);

  // Must outlive the parameters.
  void install(whisper_full_params& params);

 private:
  std::vector<whisper_token> suppressed_;
};

} // namespace whisper_hip
