#include "transcribe/align_text.h"

#include <algorithm>

#include "transcribe/token_times.h"

namespace whisper_hip {

std::vector<double> align_text(Engine& engine, Client& client, const Window& window,
                               const std::vector<AttentionHead>& heads, const std::vector<Token>& start,
                               const std::vector<Token>& text, int frames) {
  const int positions = window->positions();
  const int columns = std::min(frames / 2, positions);
  if (columns < 1)
    return {};
  std::vector<Token> tokens = start;
  tokens.insert(tokens.end(), text.begin(), text.end());
  return token_times(engine.align(client, window, tokens, heads), heads.size(),
                     static_cast<int>(tokens.size()), positions, columns, static_cast<int>(text.size()));
}

} // namespace whisper_hip
