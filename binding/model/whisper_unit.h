// The one translation unit that includes whisper.cpp, and what the rest of the binding may ask of it.
//
// Including the unmodified source gives access to what its C API hides: freeing the weights of a failed load,
// the schedulers (where did each node run), the decoders of the last window (score, failure), the mel buffer.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "whisper.h"

namespace whisper_hip {

// Most sequences that are decoded side by side: WHISPER_MAX_DECODERS.
constexpr int kMaxDecoders = 8;

// Of a GPU's memory nothing is freed after a failure of the GPU (gpu_state.h), as which also a failure to
// free it counts.
struct ContextDeleter {
  void operator()(whisper_context* context) const;
};
struct StateDeleter {
  void operator()(whisper_state* state) const;
};
// The weights and the vocabulary. May be used by several states at once.
using Context = std::unique_ptr<whisper_context, ContextDeleter>;
// What one job needs: caches, compute buffers, schedulers, results.
using State = std::unique_ptr<whisper_state, StateDeleter>;

struct AttentionHead {
  int layer;
  int head;
};

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

// Throws Error(ERR_OUT_OF_MEMORY).
State create_state(whisper_context& context);

// Frees a state in whose use an exception was thrown.
void free_interrupted_state(State state);

// Name of the device that computes: "CPU", "ROCm0".
std::string compute_device(const whisper_state& state);

// True when the device is not a CPU.
bool computes_on_gpu(const whisper_state& state);

// Forgets the previous job: results, prompt history, random generators, timings.
void reset_state(whisper_state& state);

// Makes room for `count` sequences that are decoded side by side (1..kMaxDecoders).
// Throws Error(ERR_OUT_OF_MEMORY); the state stays usable.
void reserve_decoders(whisper_context& context, whisper_state& state, int count);

// The mel filter bank of the model: [n_mels, 201] row-major.
const std::vector<float>& mel_filters(const whisper_context& context);

// The buffer of the window that is decoded next: [n_mels, frames] row-major.
std::vector<float>& mel_window(whisper_state& state, int n_mels, int frames);

// Prompt tokens that the next window is conditioned on; after a window: what the one after it should be
// given.
std::vector<whisper_token>& prompt_history(whisper_state& state);

// Language probabilities (index: whisper.cpp's language id) of the window in `state`. Encodes it, as
// encode_window() does.
std::vector<float> language_probabilities(whisper_context& context, whisper_state& state, int audio_context);

struct WindowToken {
  whisper_token id;
  float probability;
};

struct WindowSegment {
  int start; // frames of 10 ms from the start of the window
  int end;
  std::vector<WindowToken> tokens;
};

struct WindowResult {
  int status;  // of whisper_full_with_state()
  bool failed; // every sequence ended in a loop or without a result
  double average_log_probability;
  float no_speech_probability;
  int seek_delta; // frames to the next window
  std::vector<WindowSegment> segments;
};

// Decodes one window (the mel buffer) once, at params.temperature. `remaining` is the number of frames from
// the start of the window to the end of what shall be transcribed; `decoders` the number of sequences side by
// side.
WindowResult decode_window(whisper_context& context, whisper_state& state, whisper_full_params params,
                           int remaining, int decoders);

// One step at a time, for decoding that whisper_full_with_state() does not do. These functions return false
// where whisper.cpp fails, and as decode_window() let exceptions of the computation out.

// Encodes the mel buffer for `audio_context` positions of 20 ms, 0 for all: fewer cost less, and what lies
// beyond them does not exist for the decoder. Flash attention reads keys in blocks of 256 positions: other
// numbers count as 0.
bool encode_window(whisper_context& context, whisper_state& state, int audio_context);

// A decoder pass over `tokens`, the first of which stands at `position` of the sequence; what stood from
// there on is forgotten. The logits of the last `rows` tokens can be asked for until the next pass.
bool decode_tokens(whisper_context& context, whisper_state& state, const std::vector<whisper_token>& tokens,
                   int position, int rows);

struct Continuation {
  int parent; // sequence that it goes on from
  whisper_token token;
};
// One more token for each of several sequences: sequence i goes on from what its parent was before. There may
// be as many as reserve_decoders() made room for. Row i belongs to sequence i.
bool decode_continuations(whisper_context& context, whisper_state& state,
                          const std::vector<Continuation>& continuations, int position);

struct Choice {
  whisper_token id;
  float probability;
  float log_probability;
};
// The `count` most probable tokens after `text`, best first, by row `row` (of all tokens) of the last pass,
// with the rules and filters of `params`.
std::vector<Choice> best_tokens(whisper_context& context, whisper_state& state,
                                const whisper_full_params& params, int row,
                                const std::vector<whisper_token>& text, size_t count);
// Probability of a token by row `row` of the last pass, without any rule.
float token_probability(const whisper_context& context, const whisper_state& state, int row,
                        whisper_token token);

// The heads of the decoder that follow the audio: as the model card of this size names them (whisper.cpp's
// table), or all of the upper half of the layers.
std::vector<AttentionHead> known_alignment_heads(const whisper_context& context);

// The cross-attention of `heads` while `tokens` are decoded from an empty sequence: softmax over all audio
// positions, [heads, tokens, positions]; `positions` is set to their number, of which flash attention may
// have a padding. Empty where whisper.cpp fails.
std::vector<float> cross_attention(whisper_context& context, whisper_state& state,
                                   const std::vector<whisper_token>& tokens,
                                   const std::vector<AttentionHead>& heads, size_t& positions);

// Timings that whisper.cpp keeps, in seconds.
struct StateTimings {
  double encode;
  double prompt;
  double decode;
  double sample;
};
StateTimings timings(const whisper_state& state);

// For NaN or infinity where the model has to give numbers: throws Error(ERR_MODEL_CORRUPT) of weights that
// are damaged, or where a GPU computes Error(ERR_INTERNAL, GPU_RESULT_INVALID).
[[noreturn]] void throw_not_numbers(const whisper_state& state);

// Raw bytes of a token, not necessarily valid UTF-8.
const std::string& token_bytes(const whisper_context& context, whisper_token token);

} // namespace whisper_hip
