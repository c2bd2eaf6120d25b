// Runs whisper.cpp's own graphs on a HIP module, for models of all sizes and types, and says which backend
// took each node. Meant for the stub of the HIP runtime: nothing is computed there, but the module chooses
// and launches every kernel, and dies of one that it was built without. The models have no weights:
// whisper.cpp takes a file that ends before them.
//
//   graphs HIP_MODULE CPU_MODULE run [SIZE...]   one line of JSON for each model, of all sizes or of some
//   graphs HIP_MODULE CPU_MODULE claims          which operations the module claims, one line each
//   graphs HIP_MODULE CPU_MODULE call OP         computes an operation, whatever the module claims
#define GGML_USE_CUDA
#include "whisper.cpp"
#undef GGML_USE_CUDA

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

ggml_backend_dev_t gpu = nullptr;

struct Size {
  const char* names;
  int state, heads, vocabulary, mels;
};

const Size kSizes[] = {
    {"tiny", 384, 6, 51865, 80},
    {"tiny.en", 384, 6, 51864, 80},
    {"base", 512, 8, 51865, 80},
    {"base.en", 512, 8, 51864, 80},
    {"small", 768, 12, 51865, 80},
    {"small.en, distil-small.en", 768, 12, 51864, 80},
    {"medium", 1024, 16, 51865, 80},
    {"medium.en, distil-medium.en", 1024, 16, 51864, 80},
    {"large-v1, large-v2, distil-large-v2", 1280, 20, 51865, 80},
    {"large-v3, large-v3-turbo, distil-large-v3", 1280, 20, 51866, 128},
};
// All layers of a model are alike.
const int kLayers = 1;

// The types of weights that the library loads.
const std::pair<ggml_ftype, ggml_type> kTypes[] = {
    {GGML_FTYPE_MOSTLY_F16, GGML_TYPE_F16},   {GGML_FTYPE_MOSTLY_BF16, GGML_TYPE_BF16},
    {GGML_FTYPE_MOSTLY_Q4_0, GGML_TYPE_Q4_0}, {GGML_FTYPE_MOSTLY_Q4_1, GGML_TYPE_Q4_1},
    {GGML_FTYPE_MOSTLY_Q5_0, GGML_TYPE_Q5_0}, {GGML_FTYPE_MOSTLY_Q5_1, GGML_TYPE_Q5_1},
    {GGML_FTYPE_MOSTLY_Q8_0, GGML_TYPE_Q8_0}, {GGML_FTYPE_MOSTLY_Q2_K, GGML_TYPE_Q2_K},
    {GGML_FTYPE_MOSTLY_Q3_K, GGML_TYPE_Q3_K}, {GGML_FTYPE_MOSTLY_Q4_K, GGML_TYPE_Q4_K},
    {GGML_FTYPE_MOSTLY_Q5_K, GGML_TYPE_Q5_K}, {GGML_FTYPE_MOSTLY_Q6_K, GGML_TYPE_Q6_K},
};

// Columns of a decoder step: one token, few (sequences side by side, short prompts), the tile widths, the
// longest prompt.
const int kTokens[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  12,  15,  16, 17,
                       24, 31, 33, 48, 56, 64, 72, 80, 96, 112, 128, 224};
// Frames of the encoder, for audio_ctx too.
const int kFrames[] = {1500, 750, 33, 16, 5, 1};

struct File {
  std::string bytes;
  size_t position = 0;
  bool ended = false;

  void put(uint32_t value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof(value)); }
};

File model_file(const Size& size, ggml_ftype type) {
  File file;
  const int numbers[] = {GGML_FILE_MAGIC, size.vocabulary, 1500,    size.state, size.heads, kLayers, 448,
                         size.state,      size.heads,      kLayers, size.mels,  type};
  for (int number : numbers)
    file.put(static_cast<uint32_t>(number));
  file.put(static_cast<uint32_t>(size.mels));
  file.put(201);
  file.bytes.append(sizeof(float) * 201 * static_cast<size_t>(size.mels), '\0');
  file.put(0); // words; whisper.cpp makes up the rest
  return file;
}

struct Counts {
  ggml_backend_sched_t scheduler = nullptr;
  int on_gpu = 0, on_cpu = 0, not_claimed = 0;
  std::map<std::string, int> cpu_operations;
};

bool is_nothing(ggml_op op) {
  return op == GGML_OP_NONE || op == GGML_OP_RESHAPE || op == GGML_OP_VIEW || op == GGML_OP_PERMUTE ||
         op == GGML_OP_TRANSPOSE;
}

bool count_node(ggml_tensor* node, bool, void* data) {
  auto* counts = static_cast<Counts*>(data);
  if (is_nothing(node->op))
    return false;
  ggml_backend_t backend = ggml_backend_sched_get_tensor_backend(counts->scheduler, node);
  if (ggml_backend_get_device(backend) == gpu) {
    counts->on_gpu++;
    counts->not_claimed += ggml_backend_dev_supports_op(gpu, node) ? 0 : 1;
  } else {
    counts->on_cpu++;
    counts->cpu_operations[std::string(ggml_op_desc(node)) + " " + ggml_type_name(node->src[0]->type)]++;
  }
  return false;
}

whisper_context* open_model(const Size& size, ggml_ftype type, bool flash, bool alignment) {
  File file = model_file(size, type);
  whisper_model_loader loader = {
      &file,
      [](void* context, void* output, size_t bytes) {
        auto* file = static_cast<File*>(context);
        const size_t left = file->bytes.size() - file->position;
        file->ended = bytes > left;
        bytes = std::min(bytes, left);
        std::memcpy(output, file->bytes.data() + file->position, bytes);
        file->position += bytes;
        return bytes;
      },
      [](void* context) { return static_cast<File*>(context)->ended; },
      [](void*) {},
  };
  whisper_context_params params = whisper_context_default_params();
  params.flash_attn = flash;
  params.dtw_token_timestamps = alignment;
  params.dtw_aheads_preset = alignment ? WHISPER_AHEADS_N_TOP_MOST : WHISPER_AHEADS_NONE;
  params.dtw_n_top = alignment ? kLayers : -1;
  return whisper_init_with_params(&loader, params);
}

bool run_model(const Size& size, std::pair<ggml_ftype, ggml_type> type, bool flash, bool alignment) {
  std::printf("{\"model\":\"%s\",\"type\":\"%s\",\"flash\":%s,\"alignment\":%s", size.names,
              ggml_type_name(type.second), flash ? "true" : "false", alignment ? "true" : "false");
  std::fflush(stdout); // a module that dies has named the model
  whisper_context* context = open_model(size, type.first, flash, alignment);
  if (context == nullptr) {
    std::printf(",\"failed\":\"load\"}\n");
    return false;
  }
  whisper_state& state = *context->state;
  Counts counts[4];
  whisper_sched* schedulers[] = {&state.sched_conv, &state.sched_encode, &state.sched_cross,
                                 &state.sched_decode};
  for (int i = 0; i < 4; i++) {
    counts[i].scheduler = schedulers[i]->sched;
    ggml_backend_sched_set_eval_callback(counts[i].scheduler, count_node, &counts[i]);
  }

  bool done = true;
  const std::vector<float> mel(static_cast<size_t>(size.mels) * 3000, 0.0f);
  whisper_set_mel(context, mel.data(), 3000, size.mels);
  for (int frames : kFrames) {
    state.exp_n_audio_ctx = frames;
    done = done && whisper_encode(context, 0, 1) == 0;
  }
  state.exp_n_audio_ctx = 0;
  const std::vector<whisper_token> tokens(448, 0);
  for (int n : kTokens) {
    whisper_kv_cache_clear(state.kv_self);
    whisper_batch_prep_legacy(state.batch, tokens.data(), n, 0, 0);
    done = done && whisper_decode_internal(*context, state, state.batch, 1, alignment, nullptr, nullptr);
  }

  const char* names[] = {"conv", "encode", "cross", "decode"};
  for (int i = 0; i < 4; i++) {
    std::printf(",\"%s\":{\"gpu\":%d,\"cpu\":%d,\"notClaimed\":%d,\"cpuOperations\":[", names[i],
                counts[i].on_gpu, counts[i].on_cpu, counts[i].not_claimed);
    const char* separator = "";
    for (const auto& [operation, times] : counts[i].cpu_operations) {
      std::printf("%s\"%s\"", separator, operation.c_str());
      separator = ",";
    }
    std::printf("]}");
  }
  std::printf("%s}\n", done ? "" : ",\"failed\":\"run\"");
  std::fflush(stdout);
  whisper_free(context);
  return done;
}

// Operations that Whisper does not run, and one of each kind that it does.
std::map<std::string, ggml_tensor*> operations(ggml_context* c) {
  const auto tensor = [c](ggml_type type, int64_t a, int64_t b, int64_t d = 1) {
    return ggml_new_tensor_3d(c, type, a, b, d);
  };
  const auto attention = [&](int64_t size, ggml_type type, int64_t heads, int64_t key_heads,
                             float soft_cap = 0.0f) {
    ggml_tensor* q = tensor(GGML_TYPE_F32, size, 32, heads);
    ggml_tensor* k = tensor(type, size, 256, key_heads);
    return ggml_flash_attn_ext(c, q, k, tensor(type, size, 256, key_heads), nullptr, 1.0f, 0.0f, soft_cap);
  };
  ggml_tensor* x = tensor(GGML_TYPE_F32, 512, 8);
  ggml_tensor* column = tensor(GGML_TYPE_F32, 512, 1);
  ggml_tensor* half = tensor(GGML_TYPE_F16, 512, 8);
  ggml_tensor* wide = tensor(GGML_TYPE_F32, 512, 64);
  ggml_tensor* ids = tensor(GGML_TYPE_I32, 8, 1);
  std::map<std::string, ggml_tensor*> all = {
      {"rope", ggml_rope(c, tensor(GGML_TYPE_F32, 64, 8, 8), ids, 64, 0)},
      {"argsort", ggml_argsort(c, x, GGML_SORT_ORDER_ASC)},
      {"rms_norm", ggml_rms_norm(c, x, 1e-5f)},
      {"group_norm", ggml_group_norm(c, x, 8, 1e-5f)},
      {"sum_rows", ggml_sum_rows(c, x)},
      {"mul_mat iq4_nl", ggml_mul_mat(c, tensor(GGML_TYPE_IQ4_NL, 512, 512), wide)},
      {"mul_mat mxfp4", ggml_mul_mat(c, tensor(GGML_TYPE_MXFP4, 512, 512), wide)},
      {"mul_mat_id", ggml_mul_mat_id(c, tensor(GGML_TYPE_F16, 512, 512, 4), tensor(GGML_TYPE_F32, 512, 2, 8),
                                     ggml_new_tensor_2d(c, GGML_TYPE_I32, 2, 8))},
      {"attention 128", attention(128, GGML_TYPE_F16, 8, 8)},
      {"attention 64 q8_0", attention(64, GGML_TYPE_Q8_0, 8, 8)},
      {"attention 64 grouped", attention(64, GGML_TYPE_F16, 8, 2)},
      {"attention 64 capped", attention(64, GGML_TYPE_F16, 8, 8, 30.0f)},
      {"attention 64", attention(64, GGML_TYPE_F16, 8, 8)},
      {"add f16", ggml_add(c, half, half)},
      {"add f16 f32", ggml_add(c, half, x)},
      {"repeat f16", ggml_repeat(c, tensor(GGML_TYPE_F16, 512, 1), half)},
      {"mul_mat iq2_xs", ggml_mul_mat(c, tensor(GGML_TYPE_IQ2_XS, 512, 512), column)},
      {"add", ggml_add(c, x, x)},
      {"repeat", ggml_repeat(c, column, x)},
      {"mul_mat q4_K", ggml_mul_mat(c, tensor(GGML_TYPE_Q4_K, 512, 512), x)},
      {"get_rows q4_K", ggml_get_rows(c, tensor(GGML_TYPE_Q4_K, 512, 512), ids)},
      {"norm", ggml_norm(c, x, 1e-5f)},
      {"gelu", ggml_gelu(c, x)},
  };
  return all;
}

ggml_context* scratch() {
  return ggml_init({16 * 1024 * 1024, nullptr, true});
}

int claims() {
  ggml_context* c = scratch();
  for (const auto& [name, operation] : operations(c))
    std::printf("{\"operation\":\"%s\",\"claimed\":%s}\n", name.c_str(),
                ggml_backend_dev_supports_op(gpu, operation) ? "true" : "false");
  ggml_free(c);
  return 0;
}

int call(const std::string& name) {
  ggml_context* c = scratch();
  ggml_tensor* operation = operations(c).at(name);
  ggml_backend_t backend = ggml_backend_dev_init(gpu, nullptr);
  ggml_backend_alloc_ctx_tensors(c, backend);
  ggml_cgraph* graph = ggml_new_graph(c);
  ggml_build_forward_expand(graph, operation);
  return ggml_backend_graph_compute(backend, graph) == GGML_STATUS_SUCCESS ? 0 : 1;
}

} // namespace

int main(int count, char** arguments) {
  if (count < 4)
    return 2;
  setenv("GGML_NO_BACKTRACE", "1", 1);
  whisper_log_set(
      [](ggml_log_level level, const char* text, void*) {
        if (level == GGML_LOG_LEVEL_ERROR)
          std::fputs(text, stderr);
      },
      nullptr);
  ggml_backend_reg_t hip = ggml_backend_load(arguments[1]);
  if (hip == nullptr || ggml_backend_load(arguments[2]) == nullptr || ggml_backend_reg_dev_count(hip) == 0) {
    std::fprintf(stderr, "the modules cannot be loaded, or there is no device\n");
    return 2;
  }
  gpu = ggml_backend_reg_dev_get(hip, 0);
  const std::string what = arguments[3];
  if (what == "claims")
    return claims();
  if (what == "call" && count > 4)
    return call(arguments[4]);
  bool done = true;
  const std::vector<std::string> wanted(arguments + 4, arguments + count);
  for (const Size& size : kSizes) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), size.names) == wanted.end())
      continue;
    for (const auto& type : kTypes) {
      if (size.state % ggml_blck_size(type.second) != 0)
        continue; // K-quants of tiny models cannot be
      for (bool flash : {true, false})
        done = run_model(size, type, flash, false) && done;
    }
    done = run_model(size, kTypes[0], false, true) && done; // timestamps of tokens by alignment
  }
  return done ? 0 : 1;
}
