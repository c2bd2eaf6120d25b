#include "engine/search/loop.h"

#include <algorithm>
#include <iterator>

namespace whisper_hip {

bool ends_in_loop(const std::vector<Token>& text, const SpecialTokens& tokens) {
  std::vector<Token> words; // the last comes first
  std::copy_if(text.rbegin(), text.rend(), std::back_inserter(words),
               [&](Token token) { return token < tokens.end; });
  for (size_t period = 1; period * 6 <= words.size(); ++period) {
    const size_t length = period == 1 ? 12 : std::max<size_t>(period * 6, 24);
    if (length <= words.size() && std::equal(words.begin() + period, words.begin() + length, words.begin()))
      return true;
  }
  return false;
}

} // namespace whisper_hip
