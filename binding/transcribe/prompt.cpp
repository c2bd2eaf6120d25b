#include "transcribe/prompt.h"

#include <algorithm>

namespace whisper_hip {

namespace {

// At most the last 224 tokens of a prompt are used; whisper.cpp's tokenizer recurses with the length of a
// word.
constexpr size_t kMostBytes = 4096;

} // namespace

std::vector<whisper_token> prompt_tokens(whisper_context& context, const std::string& prompt) {
  if (prompt.empty())
    return {};
  size_t start = prompt.size() > kMostBytes ? prompt.size() - kMostBytes : 0;
  while (start < prompt.size() && (static_cast<unsigned char>(prompt[start]) & 0xC0) == 0x80)
    ++start;
  const char* text = prompt.c_str() + start;
  std::vector<whisper_token> tokens(kMostBytes);
  const int count = whisper_tokenize(&context, text, tokens.data(), static_cast<int>(tokens.size()));
  tokens.resize(static_cast<size_t>(std::max(count, 0)));
  return tokens;
}

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
