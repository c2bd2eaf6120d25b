#include "transcribe/prompt.h"

#include <algorithm>

namespace whisper_hip {

std::vector<Token> start_tokens(const whisper_context& context, const std::string& language, bool translate,
                                bool timestamps) {
  auto* whisper = const_cast<whisper_context*>(&context); // whisper.cpp's interface has no const
  std::vector<Token> tokens = {whisper_token_sot(whisper)};
  if (whisper_is_multilingual(whisper)) {
    tokens.push_back(whisper_token_lang(whisper, std::max(whisper_lang_id(language.c_str()), 0)));
    tokens.push_back(translate ? whisper_token_translate(whisper) : whisper_token_transcribe(whisper));
  }
  if (!timestamps)
    tokens.push_back(whisper_token_not(whisper));
  return tokens;
}

Prompt make_prompt(const whisper_context& context, const std::vector<Token>& always,
                   const std::vector<Token>& history, const std::vector<Token>& start) {
  auto* whisper = const_cast<whisper_context*>(&context);
  const auto most = static_cast<size_t>(whisper_n_text_ctx(whisper) / 2 - 1);
  Prompt prompt;
  std::vector<Token>& tokens = prompt.tokens;
  if (!always.empty() || !history.empty()) {
    const size_t fixed = std::min(always.size(), most);
    const size_t rest = std::min(history.size(), most - fixed);
    tokens.push_back(whisper_token_prev(whisper));
    tokens.insert(tokens.end(), always.end() - static_cast<ptrdiff_t>(fixed), always.end());
    tokens.insert(tokens.end(), history.end() - static_cast<ptrdiff_t>(rest), history.end());
  }
  prompt.start = static_cast<int>(tokens.size());
  tokens.insert(tokens.end(), start.begin(), start.end());
  return prompt;
}

int room_for_text(const whisper_context& context, size_t prompt) {
  const int context_size = whisper_n_text_ctx(const_cast<whisper_context*>(&context));
  return std::max(std::min(context_size / 2, context_size - static_cast<int>(prompt)), 1);
}

} // namespace whisper_hip
