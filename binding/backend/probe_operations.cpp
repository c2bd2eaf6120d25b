#include "backend/probe_operations.h"

#include <cmath>
#include <cstring>

namespace whisper_hip {

namespace {

constexpr double kExact = 1e-7;
constexpr double kProduct = 5e-4;
// Shapes of Whisper tiny: 6 heads of 64, 1500 frames of 30 s.
constexpr int kState = 384, kHead = 64, kHeads = 6, kFrames = 1500, kMels = 80;

using Inputs = std::vector<ggml_tensor*>;

ggml_tensor* input(Inputs& inputs, ggml_tensor* tensor) {
  inputs.push_back(tensor);
  return tensor;
}

// [kState, rows] x [kState, columns]: few columns and many take different kernels.
ProbeOperation product(const char* name, ggml_type type, int rows, int columns) {
  return {name,
          [=](ggml_context* context, Inputs& inputs) {
            ggml_tensor* weights = input(inputs, ggml_new_tensor_2d(context, type, kState, rows));
            ggml_tensor* values = input(inputs, ggml_new_tensor_2d(context, GGML_TYPE_F32, kState, columns));
            return ggml_mul_mat(context, weights, values);
          },
          kProduct};
}

// Without a mask as in the encoder, or with one as in the decoder.
ProbeOperation attention(const char* name, int queries, int keys, bool masked) {
  return {name,
          [=](ggml_context* context, Inputs& inputs) {
            ggml_tensor* q =
                input(inputs, ggml_new_tensor_3d(context, GGML_TYPE_F32, kHead, queries, kHeads));
            ggml_tensor* k = input(inputs, ggml_new_tensor_3d(context, GGML_TYPE_F16, kHead, keys, kHeads));
            ggml_tensor* v = input(inputs, ggml_new_tensor_3d(context, GGML_TYPE_F16, kHead, keys, kHeads));
            ggml_tensor* mask =
                masked ? input(inputs, ggml_new_tensor_2d(context, GGML_TYPE_F16, keys, queries)) : nullptr;
            return ggml_flash_attn_ext(context, q, k, v, mask, 0.125f, 0.0f, 0.0f);
          },
          kProduct};
}

} // namespace

std::vector<ProbeOperation> probe_operations() {
  return {
      {"add",
       [](ggml_context* context, Inputs& inputs) {
         ggml_tensor* a = input(inputs, ggml_new_tensor_2d(context, GGML_TYPE_F32, kState, kFrames));
         ggml_tensor* b = input(inputs, ggml_new_tensor_1d(context, GGML_TYPE_F32, kState));
         return ggml_add(context, a, b);
       },
       kExact},
      {"get_rows",
       [](ggml_context* context, Inputs& inputs) {
         ggml_tensor* table = input(inputs, ggml_new_tensor_2d(context, GGML_TYPE_F16, kState, 1000));
         ggml_tensor* rows = input(inputs, ggml_new_tensor_1d(context, GGML_TYPE_I32, 64));
         return ggml_get_rows(context, table, rows);
       },
       kExact},
      {"norm",
       [](ggml_context* context, Inputs& inputs) {
         ggml_tensor* a = input(inputs, ggml_new_tensor_2d(context, GGML_TYPE_F32, kState, kFrames));
         return ggml_gelu(context, ggml_norm(context, a, 1e-5f));
       },
       1e-6}, // the CPU looks GELU up in a table of half precision
      {"soft_max",
       [](ggml_context* context, Inputs& inputs) {
         ggml_tensor* a = input(inputs, ggml_new_tensor_3d(context, GGML_TYPE_F32, kFrames, 64, kHeads));
         return ggml_soft_max(context, a);
       },
       1e-6},
      product("mul_mat f16", GGML_TYPE_F16, kState, kFrames),
      product("mul_mat f16 of one column", GGML_TYPE_F16, 1024, 1),
      product("mul_mat q8_0", GGML_TYPE_Q8_0, kState, kFrames),
      product("mul_mat q8_0 of one column", GGML_TYPE_Q8_0, 1024, 1),
      product("mul_mat q5_0", GGML_TYPE_Q5_0, kState, 64),
      attention("flash_attn_ext of the encoder", 256, kFrames + 36, false),
      attention("flash_attn_ext of the decoder", 1, 256, true),
      {"conv_1d",
       [](ggml_context* context, Inputs& inputs) {
         ggml_tensor* kernel = input(inputs, ggml_new_tensor_3d(context, GGML_TYPE_F16, 3, kMels, kState));
         ggml_tensor* mel = input(inputs, ggml_new_tensor_2d(context, GGML_TYPE_F32, 2 * kFrames, kMels));
         return ggml_conv_1d_ph(context, kernel, mel, 1, 1);
       },
       kProduct},
  };
}

std::vector<char> probe_values(const ggml_tensor* input) {
  const size_t count = ggml_nelements(input);
  std::vector<char> bytes(ggml_nbytes(input));
  if (input->type == GGML_TYPE_I32) {
    std::vector<int32_t> rows(count);
    for (size_t i = 0; i < count; ++i)
      rows[i] = static_cast<int32_t>((i * 37) % 1000);
    std::memcpy(bytes.data(), rows.data(), bytes.size());
    return bytes;
  }
  // A linear congruential generator (constants of Numerical Recipes), from -1 to 1.
  std::vector<float> values(count);
  uint32_t state = 12345;
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(static_cast<int32_t>(state)) / 2147483648.0f;
  }
  if (input->type == GGML_TYPE_F32) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
  } else {
    const int64_t columns = input->ne[0];
    ggml_quantize_chunk(input->type, values.data(), bytes.data(), 0, static_cast<int64_t>(count) / columns,
                        columns, nullptr);
  }
  return bytes;
}

} // namespace whisper_hip
