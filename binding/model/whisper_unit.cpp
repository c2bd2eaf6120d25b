#include "model/whisper_unit.h"

#include "backend/gpu_watch.h"
#include "ggml-backend.h"
#include "model/vocabulary_maps.h"
#include "model/whisper_hooks.h"

// What stands in the place of functions of ggml: see whisper_hooks.h.
#define ggml_backend_tensor_set whisper_hip::watched<ggml_backend_tensor_set>
#define ggml_backend_buffer_free whisper_hip::watched<ggml_backend_buffer_free>
#define ggml_backend_alloc_ctx_tensors_from_buft whisper_hip::alloc_weights_for_whisper
// The maps of the vocabulary: see vocabulary_maps.h.
#define map map_for_whisper
#include "whisper.cpp"
#undef map
#undef ggml_backend_alloc_ctx_tensors_from_buft
#undef ggml_backend_buffer_free
#undef ggml_backend_tensor_set

#include "support/error.h"

namespace whisper_hip {

namespace {

// whisper_free() without its crash after a failed load: the weights are freed, there is no state.
void free_context(whisper_context* context) {
  for (ggml_context* tensors : context->model.ctxs)
    ggml_free(tensors);
  for (ggml_backend_buffer_t buffer : context->model.buffers)
    watched<ggml_backend_buffer_free>(buffer);
  delete context;
}

// whisper.cpp ignores a failed weight allocation and asserts later; asking first turns it into an error.
void try_allocation(const whisper_context& context, size_t bytes) {
  whisper_context_params params = context.params;
  const buft_list_t types = make_buft_list(params);
  // Room for the vocabulary, graph metadata and alignment beside the weights themselves.
  constexpr size_t kOverhead = 48u << 20;
  const GpuScope waiting(context.params.use_gpu);
  ggml_backend_buffer_t trial = ggml_backend_buft_alloc_buffer(types.front().second, bytes + kOverhead);
  if (trial == nullptr) {
    throw Error("ERR_OUT_OF_MEMORY",
                "The weights need " + std::to_string((bytes >> 20) + 1) + " MiB of memory of " +
                    ggml_backend_buft_name(types.front().second) + ", which could not be allocated",
                "OUT_OF_MEMORY");
  }
  ggml_backend_buffer_free(trial);
}

Affine affine(ggml_tensor* weight, ggml_tensor* bias = nullptr) {
  return {weight, bias};
}

} // namespace

void ContextDeleter::operator()(whisper_context* context) const {
  free_of_device(context->params.use_gpu, [context] { free_context(context); });
}

Context load_context(whisper_model_loader& loader, const ContextOptions& options) {
  ggml_time_init();
  Context context(new whisper_context);
  context->params = whisper_context_default_params();
  context->params.use_gpu = options.use_gpu;
  context->params.gpu_device = options.gpu_device;
  context->params.flash_attn = options.flash_attention;
  context->params.dtw_token_timestamps = false;
  try_allocation(*context, options.weight_bytes);
  if (!whisper_model_load(&loader, *context)) {
    throw Error("ERR_MODEL_CORRUPT", "whisper.cpp refused the model");
  }
  return context;
}

std::map<std::string, size_t> weight_buffers(const whisper_context& context) {
  std::map<std::string, size_t> bytes;
  for (ggml_backend_buffer_t buffer : context.model.buffers) {
    // How weights lie in ordinary memory is our own matter.
    const char* name = is_of_gpu(buffer) ? ggml_backend_buffer_name(buffer) : "CPU";
    bytes[name] += ggml_backend_buffer_get_size(buffer);
  }
  return bytes;
}

ModelWeights model_weights(const whisper_context& context) {
  const whisper_model& model = context.model;
  const whisper_hparams& hparams = model.hparams;
  ModelWeights weights = {};
  weights.mels = hparams.n_mels;
  weights.audio_positions = hparams.n_audio_ctx;
  weights.audio_heads = hparams.n_audio_head;
  weights.text_positions = hparams.n_text_ctx;
  weights.text_state = hparams.n_text_state;
  weights.text_heads = hparams.n_text_head;
  weights.vocabulary = hparams.n_vocab;
  weights.epsilon = hparams.eps;
  weights.convolutions[0] = affine(model.e_conv_1_w, model.e_conv_1_b);
  weights.convolutions[1] = affine(model.e_conv_2_w, model.e_conv_2_b);
  weights.audio_position_table = model.e_pe;
  weights.encoder_norm = affine(model.e_ln_w, model.e_ln_b);
  weights.token_table = model.d_te;
  weights.text_position_table = model.d_pe;
  weights.decoder_norm = affine(model.d_ln_w, model.d_ln_b);
  for (const whisper_layer_encoder& layer : model.layers_encoder) {
    weights.encoder.push_back(
        {{affine(layer.attn_ln_0_w, layer.attn_ln_0_b), affine(layer.attn_q_w, layer.attn_q_b),
          affine(layer.attn_k_w), affine(layer.attn_v_w, layer.attn_v_b),
          affine(layer.attn_ln_1_w, layer.attn_ln_1_b)},
         {affine(layer.mlp_ln_w, layer.mlp_ln_b), affine(layer.mlp_0_w, layer.mlp_0_b),
          affine(layer.mlp_1_w, layer.mlp_1_b)}});
  }
  for (const whisper_layer_decoder& layer : model.layers_decoder) {
    weights.decoder.push_back(
        {{affine(layer.attn_ln_0_w, layer.attn_ln_0_b), affine(layer.attn_q_w, layer.attn_q_b),
          affine(layer.attn_k_w), affine(layer.attn_v_w, layer.attn_v_b),
          affine(layer.attn_ln_1_w, layer.attn_ln_1_b)},
         {affine(layer.cross_attn_ln_0_w, layer.cross_attn_ln_0_b),
          affine(layer.cross_attn_q_w, layer.cross_attn_q_b), affine(layer.cross_attn_k_w),
          affine(layer.cross_attn_v_w, layer.cross_attn_v_b),
          affine(layer.cross_attn_ln_1_w, layer.cross_attn_ln_1_b)},
         {affine(layer.mlp_ln_w, layer.mlp_ln_b), affine(layer.mlp_0_w, layer.mlp_0_b),
          affine(layer.mlp_1_w, layer.mlp_1_b)}});
  }
  return weights;
}

SpecialTokens special_tokens(const whisper_context& context) {
  const whisper_vocab& vocab = context.vocab;
  SpecialTokens tokens;
  tokens.vocabulary = context.model.hparams.n_vocab;
  tokens.end = vocab.token_eot;
  tokens.start = vocab.token_sot;
  tokens.no_speech = vocab.token_nosp;
  tokens.no_timestamps = vocab.token_not;
  tokens.first_timestamp = vocab.token_beg;
  return tokens;
}

int language_count(const whisper_context& context) {
  return std::min(context.vocab.num_languages(), whisper_lang_max_id() + 1);
}

const std::vector<float>& mel_filters(const whisper_context& context) {
  return context.model.filters.data;
}

std::vector<AttentionHead> known_alignment_heads(const whisper_context& context) {
  const auto& hparams = context.model.hparams;
  const bool multilingual = context.vocab.is_multilingual();
  const bool is_v3 = hparams.n_mels == 128;
  std::vector<AttentionHead> heads;
  const auto known = [&] {
    if (hparams.n_text_layer == 4 && hparams.n_text_state == 1280)
      return WHISPER_AHEADS_LARGE_V3_TURBO;
    if (hparams.n_text_layer != hparams.n_audio_layer)
      return WHISPER_AHEADS_NONE;
    switch (hparams.n_text_layer) {
    case 4:
      return multilingual ? WHISPER_AHEADS_TINY : WHISPER_AHEADS_TINY_EN;
    case 6:
      return multilingual ? WHISPER_AHEADS_BASE : WHISPER_AHEADS_BASE_EN;
    case 12:
      return multilingual ? WHISPER_AHEADS_SMALL : WHISPER_AHEADS_SMALL_EN;
    case 24:
      return multilingual ? WHISPER_AHEADS_MEDIUM : WHISPER_AHEADS_MEDIUM_EN;
    case 32:
      return is_v3 ? WHISPER_AHEADS_LARGE_V3 : WHISPER_AHEADS_LARGE_V2;
    default:
      return WHISPER_AHEADS_NONE;
    }
  }();
  if (known != WHISPER_AHEADS_NONE) {
    const whisper_aheads& table = g_aheads.at(known);
    for (size_t i = 0; i < table.n_heads; ++i) {
      const whisper_ahead& head = table.heads[i];
      if (head.n_text_layer < hparams.n_text_layer && head.n_head < hparams.n_text_head)
        heads.push_back({head.n_text_layer, head.n_head});
    }
  }
  for (int layer = hparams.n_text_layer / 2; heads.empty() && layer < hparams.n_text_layer; ++layer) {
    for (int head = 0; head < hparams.n_text_head; ++head)
      heads.push_back({layer, head});
  }
  return heads;
}

const std::string& token_bytes(const whisper_context& context, whisper_token token) {
  return context.vocab.id_to_token.at(token);
}

Token token_of(const whisper_context& context, const std::string& bytes) {
  const auto found = context.vocab.token_to_id.find(bytes);
  return found != context.vocab.token_to_id.end() ? found->second : -1;
}

std::vector<Token> non_speech_tokens_of(const whisper_context& context) {
  std::vector<Token> tokens;
  const auto add = [&](const std::string& bytes) {
    const Token token = token_of(context, bytes);
    if (token >= 0)
      tokens.push_back(token);
  };
  for (const std::string& symbol : non_speech_tokens) {
    add(symbol);
    add(" " + symbol);
  }
  // Between words they may stand, but not begin one.
  add(" -");
  add(" '");
  return tokens;
}

struct GrammarState::State {
  whisper_grammar grammar;
};

GrammarState::GrammarState(const std::vector<const whisper_grammar_element*>& rules, size_t start_rule)
    : state_(std::make_unique<State>()) {
  auto own = rules;
  state_->grammar = whisper_grammar_init(own.data(), own.size(), start_rule);
}
GrammarState::~GrammarState() = default;

// The stacks point into the rules, which a copy has of its own.
GrammarState::GrammarState(const GrammarState& other) : state_(std::make_unique<State>(*other.state_)) {
  whisper_grammar& grammar = state_->grammar;
  for (auto& stack : grammar.stacks) {
    for (const whisper_grammar_element*& place : stack) {
      for (size_t i = 0; i < grammar.rules.size(); ++i) {
        const auto& old = other.state_->grammar.rules[i];
        if (place >= old.data() && place < old.data() + old.size()) {
          place = grammar.rules[i].data() + (place - old.data());
          break;
        }
      }
    }
  }
}

void GrammarState::accept(const whisper_context& context, Token token) {
  whisper_grammar_accept_token(const_cast<whisper_context&>(context), state_->grammar, token);
}

void GrammarState::apply(const whisper_context& context, float penalty, float* logits) const {
  whisper_full_params params = {};
  params.grammar_penalty = penalty;
  std::vector<float> row(logits, logits + context.model.hparams.n_vocab);
  whisper_suppress_invalid_grammar(const_cast<whisper_context&>(context), params, row, state_->grammar);
  std::copy(row.begin(), row.end(), logits);
}

} // namespace whisper_hip
