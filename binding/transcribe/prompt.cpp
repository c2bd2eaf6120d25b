#include "transcribe/prompt.h"

#include <algorithm>

namespace whisper_hip {

std::vector<whisper_token> start_tokens(whisper_context& context, const std::string& language,
                                        bool translate) {
  std::vector<whisper_token> tokens = {whisper_token_sot(&context)};
  if (whisper_is_multilingual(&context)) {
    tokens.push_back(whisper_token_lang(&context, std::max(whisper_lang_id(language.c_str()), 0)));
    tokens.push_back(translate ? whisper_token_translate(&context) : whisper_token_transcribe(&context));
  }
  tokens.push_back(whisper_token_not(&context));
  return tokens;
}

} // namespace whisper_hip
