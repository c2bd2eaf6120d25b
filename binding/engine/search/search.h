// How a text is chosen from the logits that a decoder gives, one token after the other. Pure: a search knows
// neither the model nor the caches, so that it can be tested with logits that are made up.
//
// The definition is OpenAI's (decoding.py); where another library differs, it is said beside the option.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace whisper_hip {

using Token = int32_t;

// The tokens that are no text.
struct SpecialTokens {
  int vocabulary = 0;  // logits in a row
  Token end = 0;       // <|endoftext|>; all text is below it
  Token start = 0;     // <|startoftranscript|>
  Token no_speech = 0; // <|nospeech|>
  Token no_timestamps = 0;
  Token first_timestamp = 0; // <|0.00|>; they ascend by 0.02 s to the end of the vocabulary
};

// What may not come next. Applied to each row of logits before a token is chosen.
class Rules {
 public:
  virtual ~Rules() = default;
  // `text`: what was chosen so far, with the prefix. Makes logits of tokens that may not follow -infinity.
  virtual void apply(const std::vector<Token>& text, float* logits) const = 0;
};

struct SearchOptions {
  int beam_size = 5; // 1 = greedy; 1..32
  // Of a beam search: it ends with round(beam_size * patience) texts. Below 1 they do not compete with texts
  // that have not ended, as they do with OpenAI: those would be cut off in the middle. Greedy has none.
  float patience = 1.0f;
  std::optional<float> length_penalty; // alpha of ((5 + length) / 6)^alpha; none = the length itself
  float temperature = 0.0f;            // above 0: sampling, with best_of sequences and no beams
  int best_of = 5;
  uint64_t seed = 0;         // the same seed gives the same samples
  int max_tokens = 224;      // after the prefix
  std::vector<Token> prefix; // the beginning of the text, which is given
};

struct Sequence {
  std::vector<Token> text;          // with the prefix, without the end
  std::vector<float> probabilities; // of each token after the prefix, by the model and the rules
  double log_probability = 0;       // sum over what follows the prefix, with the end
  bool ended = false;               // by <|endoftext|>

  // The mean over what follows the prefix, with the end of the text.
  double mean() const {
    const size_t count = probabilities.size() + (ended ? 1 : 0);
    return log_probability / static_cast<double>(count > 0 ? count : 1);
  }
};

// A live sequence of the next step.
struct Branch {
  int parent; // the live sequence of this step that it goes on from
  Token token;
};

class Search {
 public:
  virtual ~Search() = default;
  // Most sequences that may be live at once.
  virtual int width() const = 0;
  // Takes a row of logits for each live sequence, which it may change: at first one, of what comes after the
  // prompt, then those of the branches that it returned last, in their order. Returns what is decoded next;
  // nothing when the search has come to its end. Throws Error(ERR_MODEL_CORRUPT) of logits that are not
  // numbers.
  virtual std::vector<Branch> advance(const std::vector<float*>& logits) = 0;
  // After the end.
  virtual Sequence best() const = 0;
  // Whether the best text ends in a loop, in which the search was ended (loop.h). Texts that have ended are
  // preferred to it.
  virtual bool repeats() const = 0;
};

// Greedy, beams or samples, as the options say. The rules must outlive the search.
std::unique_ptr<Search> make_search(const SpecialTokens& tokens, const SearchOptions& options,
                                    const Rules& rules);

} // namespace whisper_hip
