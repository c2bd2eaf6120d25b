// Asks a HIP module for operations that Whisper runs and for others.
//
//   operations HIP_MODULE            which operations the module claims, one line of JSON each
//   operations HIP_MODULE OPERATION  computes an operation, whatever the module claims
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "ggml-backend.h"
#include "ggml.h"

namespace {

ggml_backend_dev_t gpu = nullptr;

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
      {"sub", ggml_sub(c, x, x)},
      {"div", ggml_div(c, x, x)},
      {"scale", ggml_scale(c, x, 2.0f)},
      {"concat", ggml_concat(c, x, x, 1)},
      {"set_rows", ggml_set_rows(c, half, x, ggml_new_tensor_1d(c, GGML_TYPE_I64, 8))},
      {"mul_mat q4_K", ggml_mul_mat(c, tensor(GGML_TYPE_Q4_K, 512, 512), x)},
      {"get_rows q4_K", ggml_get_rows(c, tensor(GGML_TYPE_Q4_K, 512, 512), ids)},
      {"norm", ggml_norm(c, x, 1e-5f)},
      {"gelu", ggml_gelu(c, x)},
  };
  return all;
}

int claims(ggml_context* c) {
  for (const auto& [name, operation] : operations(c))
    std::printf("{\"operation\":\"%s\",\"claimed\":%s}\n", name.c_str(),
                ggml_backend_dev_supports_op(gpu, operation) ? "true" : "false");
  return 0;
}

int call(ggml_context* c, const std::string& name) {
  ggml_tensor* operation = operations(c).at(name);
  ggml_backend_t backend = ggml_backend_dev_init(gpu, nullptr);
  ggml_backend_alloc_ctx_tensors(c, backend);
  ggml_cgraph* graph = ggml_new_graph(c);
  ggml_build_forward_expand(graph, operation);
  return ggml_backend_graph_compute(backend, graph) == GGML_STATUS_SUCCESS ? 0 : 1;
}

} // namespace

int main(int count, char** arguments) {
  setenv("GGML_NO_BACKTRACE", "1", 1);
  ggml_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  ggml_backend_reg_t hip = ggml_backend_load(arguments[1]);
  if (hip == nullptr || ggml_backend_reg_dev_count(hip) == 0)
    return 2;
  gpu = ggml_backend_reg_dev_get(hip, 0);
  ggml_context* c = ggml_init({16 * 1024 * 1024, nullptr, true});
  return count > 2 ? call(c, arguments[2]) : claims(c);
}
