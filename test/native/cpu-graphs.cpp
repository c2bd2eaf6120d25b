// A layer of a decoder as a graph: by ggml's own kernels, by ours node by node, and by ours with joined nodes.
//
// cpu-graphs CPU_MODULE KERNELS    prints a line for each comparison that failed, then "N comparisons"
#include <dlfcn.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "backend/join_nodes.h"
#include "ggml-alloc.h"
#include "ggml-backend-impl.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"

using namespace whisper_hip;

namespace {

std::mt19937 generator(3);

std::vector<float> random_values(size_t count, float spread) {
  std::normal_distribution<float> normal(0.0f, spread);
  std::vector<float> values(count);
  for (float& value : values)
    value = normal(generator);
  return values;
}

struct Weights {
  std::vector<float> norm, norm_bias, first, first_bias, second, second_bias;
};

constexpr int kWidth = 256, kHidden = 512;

void set(ggml_tensor* tensor, const std::vector<float>& values) {
  if (tensor->type == GGML_TYPE_F32) {
    ggml_backend_tensor_set(tensor, values.data(), 0, ggml_nbytes(tensor));
    return;
  }
  std::vector<uint8_t> blocks(ggml_nbytes(tensor));
  ggml_quantize_chunk(tensor->type, values.data(), blocks.data(), 0, tensor->ne[1], tensor->ne[0], nullptr);
  ggml_backend_tensor_set(tensor, blocks.data(), 0, blocks.size());
}

// norm, two products with a GELU between them, and the residual; a second reader of the norm where `shared`.
std::vector<float> compute(ggml_backend_t backend, ggml_backend_buffer_type_t weights_type,
                           const Kernels* joined_for, ggml_type type, int rows, bool shared,
                           const Weights& weights, const std::vector<float>& input) {
  ggml_init_params params = {1 << 20, nullptr, true};
  ggml_context* held = ggml_init(params);
  ggml_context* plain = ggml_init(params);
  ggml_context* context = ggml_init(params);
  ggml_tensor* first = ggml_new_tensor_2d(held, type, kWidth, kHidden);
  ggml_tensor* second = ggml_new_tensor_2d(held, type, kHidden, kWidth);
  ggml_tensor* vectors[4];
  for (int i = 0; i < 4; ++i)
    vectors[i] = ggml_new_tensor_1d(plain, GGML_TYPE_F32, i == 2 ? kHidden : kWidth);
  ggml_tensor* x = ggml_new_tensor_2d(plain, GGML_TYPE_F32, kWidth, rows);
  ggml_backend_buffer_t held_buffer = ggml_backend_alloc_ctx_tensors_from_buft(held, weights_type);
  ggml_backend_buffer_t plain_buffer =
      ggml_backend_alloc_ctx_tensors_from_buft(plain, ggml_backend_get_default_buffer_type(backend));
  set(first, weights.first);
  set(second, weights.second);
  set(vectors[0], weights.norm);
  set(vectors[1], weights.norm_bias);
  set(vectors[2], weights.first_bias);
  set(vectors[3], weights.second_bias);
  set(x, input);

  ggml_cgraph* graph = ggml_new_graph(context);
  ggml_tensor* normed = ggml_add(context, ggml_mul(context, ggml_norm(context, x, 1e-5f), vectors[0]), vectors[1]);
  ggml_tensor* hidden = ggml_gelu(context, ggml_add(context, ggml_mul_mat(context, first, normed), vectors[2]));
  ggml_tensor* result =
      ggml_add(context, ggml_add(context, ggml_mul_mat(context, second, hidden), vectors[3]), x);
  if (shared)
    result = ggml_add(context, result, normed);
  ggml_build_forward_expand(graph, result);
  ggml_gallocr_t allocator = ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend));
  ggml_gallocr_alloc_graph(allocator, graph);
  if (joined_for != nullptr) {
    const JoinedNodes joined(graph, *joined_for);
    ggml_backend_graph_compute(backend, graph);
  } else {
    ggml_backend_graph_compute(backend, graph);
  }
  std::vector<float> output(static_cast<size_t>(kWidth) * rows);
  ggml_backend_tensor_get(result, output.data(), 0, output.size() * sizeof(float));
  ggml_gallocr_free(allocator);
  ggml_backend_buffer_free(held_buffer);
  ggml_backend_buffer_free(plain_buffer);
  for (ggml_context* each : {held, plain, context})
    ggml_free(each);
  return output;
}

// The two convolutions of an encoder: as ggml computes them, or as we do.
std::vector<float> convolve(ggml_backend_t backend, const std::vector<float>& input, int length, int channels,
                            const std::vector<float>& kernel, int outputs, const std::vector<float>& bias,
                            int stride) {
  ggml_init_params params = {1 << 20, nullptr, true};
  ggml_context* plain = ggml_init(params);
  ggml_context* context = ggml_init(params);
  ggml_tensor* x = ggml_new_tensor_2d(plain, GGML_TYPE_F32, length, channels);
  ggml_tensor* weights = ggml_new_tensor_3d(plain, GGML_TYPE_F16, 3, channels, outputs);
  ggml_tensor* terms = ggml_new_tensor_2d(plain, GGML_TYPE_F32, 1, outputs);
  ggml_backend_buffer_t buffer =
      ggml_backend_alloc_ctx_tensors_from_buft(plain, ggml_backend_get_default_buffer_type(backend));
  set(x, input);
  set(terms, bias);
  std::vector<ggml_fp16_t> halves(kernel.size());
  ggml_fp32_to_fp16_row(kernel.data(), halves.data(), static_cast<int64_t>(kernel.size()));
  ggml_backend_tensor_set(weights, halves.data(), 0, ggml_nbytes(weights));
  ggml_cgraph* graph = ggml_new_graph(context);
  ggml_tensor* columns =
      ggml_im2col(context, weights, x, stride, 0, 1, 0, 1, 0, false, GGML_TYPE_F16);
  ggml_tensor* product =
      ggml_mul_mat(context, ggml_reshape_2d(context, columns, columns->ne[0], columns->ne[1] * columns->ne[2]),
                   ggml_reshape_2d(context, weights, 3 * channels, outputs));
  ggml_tensor* result = ggml_gelu(context, ggml_add(context, product, terms));
  ggml_build_forward_expand(graph, result);
  ggml_gallocr_t allocator = ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend));
  ggml_gallocr_alloc_graph(allocator, graph);
  ggml_backend_graph_compute(backend, graph);
  std::vector<float> output(static_cast<size_t>(ggml_nelements(result)));
  ggml_backend_tensor_get(result, output.data(), 0, output.size() * sizeof(float));
  ggml_gallocr_free(allocator);
  ggml_backend_buffer_free(buffer);
  ggml_free(plain);
  ggml_free(context);
  return output;
}

// The same in double precision, of an input that is rounded to f16.
std::vector<float> convolved(const std::vector<float>& input, int length, int channels,
                             const std::vector<float>& kernel, int outputs, const std::vector<float>& bias,
                             int stride) {
  const int positions = (length - 1) / stride + 1;
  const auto rounded = [](float x) { return static_cast<double>(ggml_fp16_to_fp32(ggml_fp32_to_fp16(x))); };
  std::vector<float> result(static_cast<size_t>(positions) * outputs);
  for (int output = 0; output < outputs; ++output) {
    for (int position = 0; position < positions; ++position) {
      double sum = bias[output];
      for (int channel = 0; channel < channels; ++channel) {
        for (int tap = 0; tap < 3; ++tap) {
          const int at = position * stride + tap - 1;
          if (at >= 0 && at < length)
            sum += rounded(kernel[(output * channels + channel) * 3 + tap]) * rounded(input[channel * length + at]);
        }
      }
      const double u = 0.79788456080286535587989 * sum * (1 + 0.044715 * sum * sum);
      result[static_cast<size_t>(output) * positions + position] =
          static_cast<float>(0.5 * sum * (1 + std::tanh(u)));
    }
  }
  return result;
}

double apart(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    size += b[i] * b[i];
  }
  return std::sqrt(difference / size);
}

} // namespace

int main(int, char** arguments) {
  void* module = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
  auto use = reinterpret_cast<const char* (*)(const char*, const Kernels**)>(
      module != nullptr ? dlsym(module, "whisper_hip_use_kernels") : nullptr);
  auto init = reinterpret_cast<ggml_backend_reg_t (*)()>(
      module != nullptr ? dlsym(module, "ggml_backend_init") : nullptr);
  if (use == nullptr || init == nullptr) {
    std::printf("%s\n", dlerror());
    return 1;
  }
  const Kernels* kernels = nullptr;
  if (const char* possible = use(arguments[2], &kernels)) {
    std::printf("possible are %s\n", possible);
    return 1;
  }
  ggml_backend_reg_t registry = init();
  ggml_backend_dev_t device = ggml_backend_reg_dev_get(registry, 0);
  ggml_backend_t backend = ggml_backend_dev_init(device, nullptr);
  auto extra = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
      ggml_backend_reg_get_proc_address(registry, "ggml_backend_dev_get_extra_bufts"));
  ggml_backend_buffer_type_t packed = extra(device)[0];
  ggml_backend_buffer_type_t plain = ggml_backend_get_default_buffer_type(backend);
  if (packed == nullptr) {
    std::printf("The module has no packed weights\n");
    return 1;
  }

  int comparisons = 0, failures = 0;
  const auto check = [&](bool passed, const std::string& what) {
    comparisons++;
    if (passed)
      return;
    failures++;
    std::printf("failed: %s\n", what.c_str());
  };
  for (const ggml_type type :
       {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1,
        GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q2_K, GGML_TYPE_Q3_K, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K,
        GGML_TYPE_Q6_K}) {
    const Weights weights = {random_values(kWidth, 1),           random_values(kWidth, 0.1f),
                             random_values(kWidth * kHidden, 0.05f), random_values(kHidden, 0.1f),
                             random_values(kWidth * kHidden, 0.05f), random_values(kWidth, 0.1f)};
    for (const int rows : {1, 2, 3, 5, 6, 7, 13, 100}) {
      for (const bool shared : {false, true}) {
        const std::vector<float> input = random_values(static_cast<size_t>(kWidth) * rows, 1);
        const auto run = [&](ggml_backend_buffer_type_t buffers, const Kernels* joined_for) {
          return compute(backend, buffers, joined_for, type, rows, shared, weights, input);
        };
        const std::string name = std::string(ggml_type_name(type)) + " of " + std::to_string(rows) + " rows" +
                                 (shared ? ", shared" : "");
        const std::vector<float> alone = run(packed, nullptr), joined = run(packed, kernels);
        check(std::memcmp(alone.data(), joined.data(), alone.size() * sizeof(float)) == 0,
              name + ": joined nodes have other numbers, " + std::to_string(apart(joined, alone)));
        // ggml has activations of eight bits too beside quantised weights, of f16 beside f16.
        const double difference = apart(alone, run(plain, nullptr));
        check(difference < (kernels->most_activation == 127 ? 0.015 : 0.03),
              name + ": other numbers than of ggml, " + std::to_string(difference));
      }
    }
  }
  for (const int stride : {1, 2}) {
    for (const int length : {1, 2, 15, 32, 101}) {
      for (const int channels : {16, 80}) {
        const int outputs = 96;
        const std::vector<float> input = random_values(static_cast<size_t>(length) * channels, 1);
        const std::vector<float> kernel = random_values(static_cast<size_t>(3) * channels * outputs, 0.1f);
        const std::vector<float> bias = random_values(outputs, 1);
        const double difference =
            apart(convolve(backend, input, length, channels, kernel, outputs, bias, stride),
                  convolved(input, length, channels, kernel, outputs, bias, stride));
        check(difference < 1e-5, "convolution of " + std::to_string(channels) + " x " + std::to_string(length) +
                                     ", stride " + std::to_string(stride) + ": " + std::to_string(difference));
      }
    }
  }
  std::printf("%d comparisons\n", comparisons);
  return failures == 0 ? 0 : 1;
}
