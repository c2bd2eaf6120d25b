// The one translation unit that includes whisper.cpp, and what the rest of the binding may ask of it.
//
// whisper.cpp reads the model and holds its weights, its vocabulary, its languages and its mel filters. It
// decodes nothing: see engine/. Including the unmodified source gives access to what its C API hides.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/graph/decoder.h"
#include "engine/search/search.h"
#include "engine/weights.h"
#include "whisper.h"

namespace whisper_hip {

// Of a GPU's memory nothing is freed after a failure of the GPU (gpu_state.h), as which also a failure to
// free it counts.
struct ContextDeleter {
  void operator()(whisper_context* context) const;
};
// The weights and the vocabulary.
using Context = std::unique_ptr<whisper_context, ContextDeleter>;

struct ContextOptions {
  bool use_gpu = false;
  int gpu_device = 0; // place in HipModule::devices
  // Refuse to compute what would need the CPU beside the GPU.
  bool gpu_only = false;
  bool flash_attention = true;
  // Bytes of all weights, tried before anything is loaded.
  size_t weight_bytes = 0;
  // Heads of the decoder that follow the audio, as the model says; empty = known_alignment_heads().
  std::vector<AttentionHead> alignment_heads;
};

// Loads the stream that `loader` serves. What the loader throws comes out; nothing is leaked on failure.
// Throws Error(ERR_OUT_OF_MEMORY | ERR_MODEL_CORRUPT).
Context load_context(whisper_model_loader& loader, const ContextOptions& options);

// Bytes of weights by buffer name, e.g. { "CPU": 147000000 } or { "ROCm0": n }.
std::map<std::string, size_t> weight_buffers(const whisper_context& context);

// The tensors of the context, which owns them.
ModelWeights model_weights(const whisper_context& context);

SpecialTokens special_tokens(const whisper_context& context);

// Languages that this model has a token for; their tokens follow that of the start, in the order of
// whisper.cpp's ids.
int language_count(const whisper_context& context);

// The mel filter bank of the model: [n_mels, 201] row-major.
const std::vector<float>& mel_filters(const whisper_context& context);

// The heads of the decoder that follow the audio: as the model card of this size names them (whisper.cpp's
// table), or all of the upper half of the layers.
std::vector<AttentionHead> known_alignment_heads(const whisper_context& context);

// Raw bytes of a token, not necessarily valid UTF-8.
const std::string& token_bytes(const whisper_context& context, whisper_token token);

// The token of these bytes; -1 without one.
Token token_of(const whisper_context& context, const std::string& bytes);

// Tokens of symbols that are not spoken, alone or after a space (OpenAI's non_speech_tokens).
std::vector<Token> non_speech_tokens_of(const whisper_context& context);

// How far a text has come in a grammar.
class GrammarState {
 public:
  GrammarState(const std::vector<const whisper_grammar_element*>& rules, size_t start_rule);
  ~GrammarState();
  GrammarState(const GrammarState&);
  GrammarState& operator=(const GrammarState&) = delete;

  // The text goes on with this token.
  void accept(const whisper_context& context, Token token);
  // Takes `penalty` from the logits of tokens that the grammar does not allow next.
  void apply(const whisper_context& context, float penalty, float* logits) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace whisper_hip
