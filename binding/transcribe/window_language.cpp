#include "transcribe/window_language.h"

#include <algorithm>
#include <cmath>

namespace whisper_hip {

namespace {

// Looks at the logits after the start of a transcript, and ends.
class LanguageLogits : public Search {
 public:
  explicit LanguageLogits(Token first, int count) : first_(first), logits_(static_cast<size_t>(count)) {}

  int width() const override { return 1; }
  std::vector<Branch> advance(const std::vector<float*>& rows) override {
    std::copy_n(rows.front() + first_, logits_.size(), logits_.begin());
    return {};
  }
  Sequence best() const override { return {}; }
  bool repeats() const override { return false; }

  const std::vector<float>& logits() const { return logits_; }

 private:
  Token first_;
  std::vector<float> logits_;
};

} // namespace

bool is_multilingual(const whisper_context& context) {
  return whisper_is_multilingual(const_cast<whisper_context*>(&context)) != 0;
}

std::vector<float> language_probabilities(const whisper_context& context, Engine& engine, Client& client,
                                          const Window& window) {
  const Token start = engine.tokens().start;
  LanguageLogits search(start + 1, language_count(context));
  engine.decode(client, window, {{start}, 0}, search);
  std::vector<float> probabilities = search.logits();
  const float most = *std::max_element(probabilities.begin(), probabilities.end());
  float sum = 0.0f;
  for (float& probability : probabilities)
    sum += probability = std::exp(probability - most);
  if (!(sum > 0.0f && std::isfinite(sum)))
    engine.throw_not_numbers();
  for (float& probability : probabilities)
    probability /= sum;
  return probabilities;
}

} // namespace whisper_hip
