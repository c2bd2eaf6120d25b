#include "model/whisper_unit.h"

#include "backend/compute.h"
#include "backend/gpu_state.h"
#include "backend/gpu_watch.h"
#include "ggml-backend.h"
#include "model/log_probabilities.h"
#include "model/sampling.h"
#include "model/vocabulary_maps.h"
#include "model/whisper_hooks.h"

namespace whisper_hip {
static ggml_status compute_for_whisper(ggml_backend_sched_t scheduler, ggml_cgraph* graph);
} // namespace whisper_hip

// Every graph computation of whisper.cpp goes through the shared compute threads.
#define ggml_backend_sched_graph_compute whisper_hip::compute_for_whisper
// What stands in the place of functions of ggml: see whisper_hooks.h.
#define ggml_backend_dev_init whisper_hip::init_device_for_whisper
#define ggml_backend_tensor_get whisper_hip::watched<ggml_backend_tensor_get>
#define ggml_backend_tensor_set whisper_hip::watched<ggml_backend_tensor_set>
#define ggml_backend_alloc_ctx_tensors whisper_hip::watched<ggml_backend_alloc_ctx_tensors>
#define ggml_backend_buffer_free whisper_hip::watched<ggml_backend_buffer_free>
#define ggml_backend_sched_alloc_graph whisper_hip::watched<ggml_backend_sched_alloc_graph>
#define ggml_backend_sched_free whisper_hip::watched<ggml_backend_sched_free>
#define ggml_backend_free whisper_hip::watched<ggml_backend_free>
#define ggml_backend_alloc_ctx_tensors_from_buft whisper_hip::alloc_weights_for_whisper
#define ggml_backend_buffer_clear whisper_hip::clear_for_whisper
#define ggml_conv_1d_ph whisper_hip::conv_for_whisper
#define ggml_flash_attn_ext whisper_hip::flash_attention_for_whisper
#define ggml_soft_max_ext whisper_hip::soft_max_for_whisper
#define ggml_build_forward_expand whisper_hip::expand_for_whisper
// Sampling: see sampling.h. The sorted list that std::partial_sort makes is not read.
#define discrete_distribution TokenDistribution
#define partial_sort sort_nothing
// The maps of the vocabulary: see vocabulary_maps.h.
#define map map_for_whisper
#include "whisper.cpp"
#undef map
#undef partial_sort
#undef discrete_distribution
#undef ggml_build_forward_expand
#undef ggml_soft_max_ext
#undef ggml_flash_attn_ext
#undef ggml_conv_1d_ph
#undef ggml_backend_buffer_clear
#undef ggml_backend_alloc_ctx_tensors_from_buft
#undef ggml_backend_free
#undef ggml_backend_sched_free
#undef ggml_backend_sched_alloc_graph
#undef ggml_backend_buffer_free
#undef ggml_backend_alloc_ctx_tensors
#undef ggml_backend_tensor_set
#undef ggml_backend_tensor_get
#undef ggml_backend_dev_init
#undef ggml_backend_sched_graph_compute

#include <cfloat>
#include <cstdlib>
#include <new>
#include <utility>

#include "support/error.h"
#include "support/log.h"

// whisper_init_state() frees a whisper_batch that it never initialised when it fails early. With zeroed
// memory that is harmless. The replacement stays inside this addon: its symbols are not exported.
//
// It also shows where whisper_init_state() puts its state, which is lost otherwise when an exception ends it.
static thread_local whisper_state** new_state = nullptr;

void* operator new(size_t size) {
  void* memory = std::calloc(1, size != 0 ? size : 1);
  if (memory == nullptr)
    throw std::bad_alloc();
  if (new_state != nullptr && size == sizeof(whisper_state)) {
    *std::exchange(new_state, nullptr) = static_cast<whisper_state*>(memory);
  }
  return memory;
}
void* operator new[](size_t size) {
  return operator new(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, size_t) noexcept {
  std::free(memory);
}

namespace whisper_hip {

namespace {

constexpr int kWindowFrames = 100 * WHISPER_CHUNK_SIZE;
static_assert(kMaxDecoders == WHISPER_MAX_DECODERS, "the header's copy of the limit");

// whisper_free() without its crash after a failed load: the weights are freed, there is no state.
void free_context(whisper_context* context) {
  for (ggml_context* tensors : context->model.ctxs)
    ggml_free(tensors);
  for (ggml_backend_buffer_t buffer : context->model.buffers)
    watched<ggml_backend_buffer_free>(buffer);
  delete context;
}

// After a failure of the GPU, freeing its memory may end the process or hang: it is left to the driver. So is
// what fails while it is freed.
template <typename Free> void free_unless_poisoned(bool on_gpu, Free free) {
  if (!on_gpu)
    return free();
  if (!gpu_failure().empty())
    return;
  try {
    free();
  } catch (...) {
    (void)note_gpu_failure();
  }
}

whisper_sched* schedulers(whisper_state& state, size_t index) {
  whisper_sched* all[] = {&state.sched_conv, &state.sched_encode, &state.sched_cross, &state.sched_decode};
  return index < 4 ? all[index] : nullptr;
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

// What the current thread decodes, for compute_for_whisper().
struct Decoding {
  whisper_state* state = nullptr;
  whisper_token start_of_transcript = 0;
};
thread_local Decoding decoding;

// The no-speech probability is that of <|nospeech|> after <|startoftranscript|> (OpenAI's decoding.py).
// whisper.cpp takes it from the first row of its logits, which it fills for the last token of the prompt
// only. So the row that is meant is put there.
void keep_no_speech_logits(ggml_cgraph* graph) {
  whisper_state& state = *decoding.state;
  const whisper_batch& batch = state.batch;
  for (int i = batch.n_tokens - 1; i >= 0 && batch.n_tokens > 1; --i) {
    if (batch.token[i] != decoding.start_of_transcript)
      continue;
    const ggml_tensor* logits = ggml_graph_node(graph, -1);
    const size_t n_vocab = logits->ne[0];
    state.logits.resize(n_vocab * batch.n_tokens);
    watched<ggml_backend_tensor_get>(logits, state.logits.data(), i * n_vocab * sizeof(float),
                                     n_vocab * sizeof(float));
    return;
  }
}

} // namespace

static ggml_status compute_for_whisper(ggml_backend_sched_t scheduler, ggml_cgraph* graph) {
  const ggml_status status = compute_graph(scheduler, graph);
  const bool decoder = decoding.state != nullptr && scheduler == decoding.state->sched_decode.sched;
  if (status == GGML_STATUS_SUCCESS && decoder)
    keep_no_speech_logits(graph);
  return status;
}

void ContextDeleter::operator()(whisper_context* context) const {
  free_unless_poisoned(context->params.use_gpu, [context] { free_context(context); });
}
void StateDeleter::operator()(whisper_state* state) const {
  free_unless_poisoned(computes_on_gpu(*state), [state] { whisper_free_state(state); });
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

State create_state(whisper_context& context) {
  whisper_state* unfinished = nullptr;
  new_state = &unfinished;
  State state;
  try {
    state.reset(whisper_init_state(&context));
  } catch (const Abort&) {
    new_state = nullptr;
    if (!context.params.use_gpu) // what a GPU may still use is left alone
      whisper_free_state(unfinished);
    throw;
  } catch (...) {
    new_state = nullptr;
    whisper_free_state(unfinished);
    throw;
  }
  if (!state)
    throw Error("ERR_OUT_OF_MEMORY", "The caches and compute buffers of a job could not be allocated",
                "OUT_OF_MEMORY");
  for (size_t i = 0; whisper_sched* scheduler = schedulers(*state, i); ++i)
    prepare_scheduler(scheduler->sched);
  return state;
}

void free_interrupted_state(State state) {
  // A CPU backend that failed to enlarge its working memory has freed it, and would free it again. What it is
  // itself is small.
  auto& backends = state->backends;
  backends.erase(std::remove_if(backends.begin(), backends.end(), is_cpu), backends.end());
}

std::string compute_device(const whisper_state& state) {
  return ggml_backend_dev_name(ggml_backend_get_device(state.backends.front()));
}

bool computes_on_gpu(const whisper_state& state) {
  return !std::all_of(state.backends.begin(), state.backends.end(), is_cpu);
}

void reset_state(whisper_state& state) {
  state.result_all.clear();
  state.prompt_past0.clear();
  state.prompt_past1.clear();
  state.decoders[0].rng = std::mt19937(0);
  state.t_sample_us = state.t_encode_us = state.t_decode_us = 0;
  state.t_batchd_us = state.t_prompt_us = state.t_mel_us = 0;
}

void reserve_decoders(whisper_context& context, whisper_state& state, int count) {
  if (state.kv_self_n_dec >= count)
    return;
  const auto& hparams = context.model.hparams;
  // Two spare sequences: a beam is copied before its source is released.
  const int cells = GGML_PAD(hparams.n_text_ctx, 256) * (count > 1 ? count + 2 : 1);
  whisper_kv_cache cache = {};
  if (!whisper_kv_cache_init(cache, state.backends[0], context.itype, hparams.n_text_state,
                             hparams.n_text_layer, cells)) {
    throw Error("ERR_OUT_OF_MEMORY",
                "The self-attention cache for " + std::to_string(count) +
                    " sequences side by side could not be allocated",
                "OUT_OF_MEMORY");
  }
  std::swap(state.kv_self, cache);
  whisper_kv_cache_free(cache);
  state.kv_self_n_dec = count;
}

const std::vector<float>& mel_filters(const whisper_context& context) {
  return context.model.filters.data;
}

std::vector<float>& mel_window(whisper_state& state, int n_mels, int frames) {
  state.mel.n_mel = n_mels;
  state.mel.n_len = frames;
  state.mel.n_len_org = frames;
  state.mel.data.resize(static_cast<size_t>(n_mels) * frames);
  return state.mel.data;
}

std::vector<whisper_token>& prompt_history(whisper_state& state) {
  return state.prompt_past1;
}

// whisper.cpp stores the keys of the audio for flash attention in blocks of 256 positions and gives the whole
// blocks to the decoder. What a window of another length has left behind the last position would be heard: it
// is made silent.
static void use_audio_context(const whisper_context& context, whisper_state& state, int audio_context) {
  if (audio_context % 256 != 0 || audio_context >= context.model.hparams.n_audio_ctx)
    audio_context = 0;
  if (state.exp_n_audio_ctx == audio_context)
    return;
  state.exp_n_audio_ctx = audio_context;
  watched<ggml_backend_buffer_clear>(state.kv_cross.buffer, 0);
}

std::vector<float> language_probabilities(whisper_context& context, whisper_state& state, int audio_context) {
  const whisper_vocab& vocab = context.vocab;
  if (!encode_window(context, state, audio_context) ||
      !decode_tokens(context, state, {vocab.token_sot}, 0, 1))
    return {};
  // One token for each language that this model knows, after that of the start.
  const float* logits = state.logits.data() + vocab.token_sot + 1;
  const size_t count = std::min<size_t>(vocab.num_languages(), whisper_lang_max_id() + 1);
  std::vector<float> probabilities(logits, logits + count);
  const float most = *std::max_element(logits, logits + count);
  float sum = 0.0f;
  for (float& probability : probabilities)
    sum += probability = std::exp(probability - most);
  if (!(sum > 0.0f && sum <= FLT_MAX))
    throw_not_numbers(state);
  for (float& probability : probabilities)
    probability /= sum;
  return probabilities;
}

WindowResult decode_window(whisper_context& context, whisper_state& state, whisper_full_params params,
                           int remaining, int decoders) {
  use_audio_context(context, state, 0);
  params.offset_ms = 0;
  params.duration_ms = remaining * 10;
  params.temperature_inc = 0.0f;
  params.n_threads = 1;

  // One window only: the second request to encode ends the run, with everything kept.
  bool started = false;
  params.encoder_begin_callback = [](whisper_context*, whisper_state*, void* data) {
    bool& begun = *static_cast<bool*>(data);
    const bool first = !begun;
    begun = true;
    if (!first)
      mute_next_line();
    return first;
  };
  params.encoder_begin_callback_user_data = &started;

  struct Scope {
    ~Scope() { decoding = {}; }
  } scope;
  decoding = {&state, context.vocab.token_sot};

  WindowResult result = {};
  result.status = whisper_full_with_state(&context, &state, params, nullptr, 0);
  result.seek_delta = kWindowFrames;
  if (result.status != 0 || !started)
    return result;

  // The sequence that whisper.cpp chose: the best score among those that did not fail.
  int best = 0;
  double best_score = -INFINITY;
  result.failed = true;
  for (int i = 0; i < decoders; ++i) {
    const whisper_decoder& decoder = state.decoders[i];
    if (decoder.failed)
      continue;
    result.failed = false;
    if (best_score < decoder.sequence.score) {
      best_score = decoder.sequence.score;
      best = i;
    }
  }
  const whisper_decoder& decoder = state.decoders[best];
  const auto& tokens = decoder.sequence.tokens;
  result.average_log_probability = decoder.sequence.avg_logprobs;
  result.no_speech_probability = state.no_speech_prob;
  result.seek_delta = decoder.seek_delta;
  if (std::isnan(result.average_log_probability) || std::isnan(result.no_speech_probability))
    throw_not_numbers(state);

  // A single timestamp at the end means that no speech follows in this window (whisper.cpp pull request
  // 2629).
  const whisper_token begin = context.vocab.token_beg;
  const size_t count = tokens.size();
  const bool cut_by_limit = params.max_tokens > 0 && count > static_cast<size_t>(params.max_tokens);
  if (count > 1 && !cut_by_limit && tokens[count - 2].id < begin && tokens[count - 1].id > begin) {
    result.seek_delta = std::min(remaining, kWindowFrames);
  }
  if (result.seek_delta <= 0)
    result.seek_delta = kWindowFrames;

  for (const whisper_segment& segment : state.result_all) {
    WindowSegment copy{static_cast<int>(segment.t0), static_cast<int>(segment.t1), {}};
    for (const whisper_token_data& token : segment.tokens) {
      if (token.id < context.vocab.token_eot)
        copy.tokens.push_back({token.id, token.p});
    }
    result.segments.push_back(std::move(copy));
  }
  return result;
}

bool encode_window(whisper_context& context, whisper_state& state, int audio_context) {
  use_audio_context(context, state, audio_context);
  return whisper_encode_internal(context, state, 0, 1, nullptr, nullptr);
}

bool decode_tokens(whisper_context& context, whisper_state& state, const std::vector<whisper_token>& tokens,
                   int position, int rows) {
  const int count = static_cast<int>(tokens.size());
  if (count == 0 || position + count > context.model.hparams.n_text_ctx)
    return false;
  whisper_kv_cache_seq_rm(state.kv_self, position == 0 ? -1 : 0, position, -1);
  whisper_batch_prep_legacy(state.batch, tokens.data(), count, position, 0);
  for (int i = std::max(count - rows, 0); i < count; ++i)
    state.batch.logits[i] = 1;
  return whisper_decode_internal(context, state, state.batch, 1, false, nullptr, nullptr);
}

bool decode_continuations(whisper_context& context, whisper_state& state,
                          const std::vector<Continuation>& continuations, int position) {
  const int count = static_cast<int>(continuations.size());
  whisper_kv_cache& cache = state.kv_self;
  // By way of spare sequences: a parent may itself be replaced before its last child was copied.
  for (int i = 0; i < count; ++i)
    whisper_kv_cache_seq_cp(cache, continuations[i].parent, kMaxDecoders + i, -1, -1);
  for (int i = 0; i < kMaxDecoders; ++i)
    whisper_kv_cache_seq_rm(cache, i, -1, -1);
  whisper_batch& batch = state.batch;
  batch.n_tokens = count;
  for (int i = 0; i < count; ++i) {
    whisper_kv_cache_seq_cp(cache, kMaxDecoders + i, i, -1, -1);
    whisper_kv_cache_seq_rm(cache, kMaxDecoders + i, -1, -1);
    batch.token[i] = continuations[i].token;
    batch.pos[i] = position;
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = i;
    batch.logits[i] = 1;
  }
  return whisper_decode_internal(context, state, batch, 1, false, nullptr, nullptr);
}

std::vector<Choice> best_tokens(whisper_context& context, whisper_state& state,
                                const whisper_full_params& params, int row,
                                const std::vector<whisper_token>& text, size_t count) {
  whisper_decoder& decoder = state.decoders[0];
  decoder.i_batch = row;
  decoder.has_ts = false;
  decoder.sequence.tokens.resize(text.size());
  for (size_t i = 0; i < text.size(); ++i)
    decoder.sequence.tokens[i].id = text[i];
  whisper_process_logits(context, state, decoder, params, 0.0f);
  std::vector<Choice> best; // ascending in probability, until the end
  for (size_t id = 0; id < decoder.probs.size(); ++id) {
    const float probability = decoder.probs[id];
    if (best.size() == count && probability <= best.front().probability)
      continue;
    const Choice choice = {static_cast<whisper_token>(id), probability, decoder.logprobs[id]};
    const auto place = std::find_if(best.begin(), best.end(), [probability](const Choice& other) {
      return other.probability >= probability;
    });
    best.insert(place, choice);
    if (best.size() > count)
      best.erase(best.begin());
  }
  std::reverse(best.begin(), best.end());
  return best;
}

float token_probability(const whisper_context& context, const whisper_state& state, int row,
                        whisper_token token) {
  const size_t n_vocab = context.vocab.id_to_token.size();
  const float* logits = state.logits.data() + n_vocab * row;
  const float most = *std::max_element(logits, logits + n_vocab);
  double sum = 0;
  for (size_t i = 0; i < n_vocab; ++i)
    sum += std::exp(logits[i] - most);
  if (!std::isfinite(sum))
    throw_not_numbers(state);
  return static_cast<float>(std::exp(logits[token] - most) / sum);
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

std::vector<float> cross_attention(whisper_context& context, whisper_state& state,
                                   const std::vector<whisper_token>& tokens,
                                   const std::vector<AttentionHead>& heads, size_t& positions) {
  std::vector<bool> layers(context.model.hparams.n_text_layer);
  for (const AttentionHead& head : heads)
    layers.at(head.layer) = true;
  const AttentionCapture captured(layers);
  if (!decode_tokens(context, state, tokens, 0, 0))
    return {};
  std::vector<float> attention;
  std::vector<int> place(layers.size()); // of a layer among the captured
  int next = 0;
  for (size_t layer = 0; layer < place.size(); ++layer)
    place[layer] = layers[layer] ? next++ : -1;
  for (const AttentionHead& head : heads) {
    const ggml_tensor* weights = captured.weights().at(place[head.layer]);
    positions = weights->ne[0];
    const size_t count = positions * tokens.size();
    attention.resize(attention.size() + count);
    watched<ggml_backend_tensor_get>(weights, &attention[attention.size() - count],
                                     head.head * weights->nb[2], count * sizeof(float));
  }
  if (!std::all_of(attention.begin(), attention.end(), [](float weight) { return std::isfinite(weight); }))
    throw_not_numbers(state);
  return attention;
}

StateTimings timings(const whisper_state& state) {
  return {state.t_encode_us * 1e-6, state.t_prompt_us * 1e-6, (state.t_decode_us + state.t_batchd_us) * 1e-6,
          state.t_sample_us * 1e-6};
}

void throw_not_numbers(const whisper_state& state) {
  if (!computes_on_gpu(state))
    throw Error("ERR_MODEL_CORRUPT",
                "The model computes values that are not numbers: its weights are damaged");
  ggml_backend_dev_t device = ggml_backend_get_device(state.backends.front());
  throw Error("ERR_INTERNAL",
              std::string("The GPU (") + ggml_backend_dev_name(device) + ", " +
                  ggml_backend_dev_description(device) +
                  ") gave values that are not numbers: it computes wrongly, or the weights are damaged",
              "GPU_RESULT_INVALID");
}

const std::string& token_bytes(const whisper_context& context, whisper_token token) {
  return context.vocab.id_to_token.at(token);
}

} // namespace whisper_hip
