// The kernels of each instruction set that this processor has, beside sums in double precision and each
// other.
//
// cpu-kernels             prints a line for each check that failed, then "N checks of KERNELS…"
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "cpu/kernels.h"
#include "ggml.h"

using namespace whisper_hip;

namespace {

int checks = 0, failures = 0;

void check(bool passed, const std::string& what) {
  checks++;
  if (passed)
    return;
  failures++;
  std::printf("failed: %s\n", what.c_str());
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

std::mt19937 generator(7);

// Values as activations have them: many small, a few large.
std::vector<float> random_values(size_t count, float spread = 1.0f) {
  std::normal_distribution<float> normal(0.0f, spread);
  std::uniform_int_distribution<int> rare(0, 99);
  std::vector<float> values(count);
  for (float& value : values)
    value = normal(generator) * (rare(generator) == 0 ? 20.0f : 1.0f);
  return values;
}

struct Matrix {
  const PackedType* type;
  int64_t columns, channels;
  std::vector<uint8_t> packed;
  std::vector<float> values; // [channels, columns], as ggml unpacks them
};

Matrix matrix(const PackedType& type, int64_t columns, int64_t channels, const std::vector<float>& values) {
  Matrix made = {&type, columns, channels, {}, {}};
  std::vector<uint8_t> blocks(ggml_row_size(type.type, columns) * channels);
  ggml_quantize_chunk(type.type, values.data(), blocks.data(), 0, channels, columns, nullptr);
  made.packed.resize(packed_size(type, columns, channels));
  pack(type, blocks.data(), columns, channels, made.packed.data());
  made.values.resize(values.size());
  const auto to_float = ggml_get_type_traits(type.type)->to_float;
  if (type.type == GGML_TYPE_F32)
    made.values = values;
  else
    to_float(blocks.data(), made.values.data(), static_cast<int64_t>(values.size()));
  return made;
}

// Activations in blocks of 32, as the kernels quantise them.
std::vector<float> rounded(const Kernels& kernels, const std::vector<float>& values) {
  const auto steps = static_cast<float>(kernels.most_activation);
  std::vector<float> result(values.size());
  for (size_t block = 0; block < values.size(); block += 32) {
    float most = 0;
    for (size_t i = block; i < block + 32; ++i)
      most = std::max(most, std::fabs(values[i]));
    const float inverse = most > 1e-35f ? steps / most : 0.0f;
    for (size_t i = block; i < block + 32; ++i)
      result[i] = std::nearbyint(values[i] * inverse) * (most / steps);
  }
  return result;
}

std::vector<float> multiply(const Kernels& kernels, const Matrix& weights, const std::vector<float>& input,
                            int64_t rows) {
  const PackedType& type = *weights.type;
  const int64_t columns = weights.columns;
  std::vector<float> output(rows * weights.channels, -1.0f);
  std::vector<uint8_t> panels(type.is_float() ? 1 : quantized_size(kernels, type, columns, rows));
  std::vector<uint8_t> scratch(product_scratch(columns));
  const QuantizedRows quantized =
      type.is_float() ? QuantizedRows{} : quantized_at(kernels, columns, rows, panels.data());
  for (int64_t row = 0; row < rows && !type.is_float(); ++row)
    kernels.quantize_row(type, input.data() + row * columns, columns, row, quantized);
  const Product product = {&type,     weights.packed.data(), 0,       columns, weights.channels, input.data(),
                           quantized, output.data(),         nullptr, false,   nullptr,          nullptr,
                           {}};
  kernels.multiply(product, 0, rows, 0, (weights.channels + kGroup - 1) / kGroup, scratch.data());
  return output;
}

std::string name_of(const Kernels& kernels, const Matrix& weights, int64_t rows) {
  return std::string(kernels.name) + " " + ggml_type_name(weights.type->type) + " " + std::to_string(rows) +
         " x " + std::to_string(weights.columns) + " x " + std::to_string(weights.channels);
}

void check_product(const Kernels& kernels, const Matrix& weights, const std::vector<float>& input,
                   int64_t rows, std::vector<float>* firsts) {
  const std::string name = name_of(kernels, weights, rows);
  const std::vector<float> output = multiply(kernels, weights, input, rows);
  const std::vector<float> operand = weights.type->is_float() ? input : rounded(kernels, input);
  double worst = 0;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t channel = 0; channel < weights.channels; ++channel) {
      double sum = 0, size = 1e-30;
      for (int64_t k = 0; k < weights.columns; ++k) {
        const double term = static_cast<double>(operand[row * weights.columns + k]) *
                            weights.values[channel * weights.columns + k];
        sum += term;
        size += std::fabs(term);
      }
      worst = std::max(worst, std::fabs(output[row * weights.channels + channel] - sum) / size);
    }
  }
  check(worst < 1e-5, name + ": error " + std::to_string(worst * 1e6) + "e-6 of the terms");
  // One row at a time.
  std::vector<float> alone;
  for (int64_t row = 0; row < rows; ++row) {
    const std::vector<float> one(input.begin() + row * weights.columns,
                                 input.begin() + (row + 1) * weights.columns);
    const std::vector<float> result = multiply(kernels, weights, one, 1);
    alone.insert(alone.end(), result.begin(), result.end());
  }
  check(same_bits(output, alone), name + ": a row alone has other numbers");
  // Of those with as many bits.
  std::vector<float>& first = firsts[weights.type->is_float() || kernels.most_activation == 127];
  if (first.empty())
    first = output;
  check(same_bits(output, first), name + ": other numbers than of the first kernels");
}

void check_rows(const Kernels& kernels, const Matrix& weights) {
  std::vector<uint8_t> scratch(product_scratch(weights.columns));
  std::vector<float> row(weights.columns);
  bool equal = true;
  for (int64_t channel = 0; channel < weights.channels; ++channel) {
    kernels.unpack_row(*weights.type, weights.packed.data(), weights.columns, channel, row.data(),
                       scratch.data());
    for (int64_t k = 0; k < weights.columns; ++k) {
      const float wanted = weights.values[channel * weights.columns + k];
      equal = equal && std::fabs(row[k] - wanted) <= std::fabs(wanted) * 1e-6f + 1e-7f;
    }
  }
  check(equal, name_of(kernels, weights, 0) + ": rows are unpacked wrongly");
}

// What is not finite must be seen in the result, and only in its row.
void check_hostile(const Kernels& kernels, const Matrix& weights) {
  const int64_t columns = weights.columns;
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    std::vector<float> input = random_values(3 * columns);
    input[columns + columns / 2] = bad;
    const std::vector<float> output = multiply(kernels, weights, input, 3);
    bool seen = true, kept = true;
    for (int64_t channel = 0; channel < weights.channels; ++channel) {
      // A weight of 0 beside an infinity gives NaN, any other an infinity.
      seen = seen && !std::isfinite(output[weights.channels + channel]);
      kept = kept && std::isfinite(output[channel]) && std::isfinite(output[2 * weights.channels + channel]);
    }
    check(seen && kept, name_of(kernels, weights, 3) + ": with " + std::to_string(bad));
  }
  for (const float tiny : {0.0f, 1e-42f, 1e-37f, FLT_MIN}) {
    const std::vector<float> input(columns, tiny);
    for (const float value : multiply(kernels, weights, input, 1))
      check(std::fabs(value) < 1e-30f, name_of(kernels, weights, 1) + ": with " + std::to_string(tiny));
  }
}

struct Scene {
  int size, keys, queries;
  bool masked;
  std::vector<float> query;
  std::vector<ggml_fp16_t> key, value, mask;
};

Scene scene(int size, int keys, int queries, bool masked, float spread = 2.0f) {
  Scene made = {size, keys, queries, masked, random_values(size * queries, spread), {}, {}, {}};
  const auto halves = [](const std::vector<float>& values) {
    std::vector<ggml_fp16_t> result(values.size());
    ggml_fp32_to_fp16_row(values.data(), result.data(), static_cast<int64_t>(values.size()));
    return result;
  };
  made.key = halves(random_values(size * keys));
  made.value = halves(random_values(size * keys));
  if (masked) {
    std::vector<float> mask(static_cast<size_t>(keys) * queries);
    for (int query = 0; query < queries; ++query)
      for (int key = 0; key < keys; ++key)
        mask[query * keys + key] = (key + query) % 3 == 0 || (key > 70 && key < 140) ? -INFINITY : 0.0f;
    // A query that may look at nothing.
    std::fill(mask.begin(), mask.begin() + keys, -INFINITY);
    made.mask = halves(mask);
  }
  return made;
}

enum class Keys { rows, words, turned };

std::vector<float> attend(const Kernels& kernels, const Scene& scene, int first, int end, Keys how) {
  std::vector<float> output(static_cast<size_t>(scene.size) * (end - first));
  const size_t row = scene.size * sizeof(ggml_fp16_t);
  Attention head = {scene.size,
                    scene.keys,
                    0.125f,
                    reinterpret_cast<const uint8_t*>(scene.query.data() + first * scene.size),
                    scene.size * sizeof(float),
                    reinterpret_cast<const uint8_t*>(scene.key.data()),
                    row,
                    nullptr,
                    reinterpret_cast<const uint8_t*>(scene.value.data()),
                    row,
                    scene.masked ? reinterpret_cast<const uint8_t*>(scene.mask.data() + first * scene.keys)
                                 : nullptr,
                    scene.keys * sizeof(ggml_fp16_t),
                    output.data(),
                    static_cast<size_t>(scene.size),
                    nullptr};
  std::vector<uint8_t> packed(packed_head_size(scene.keys, scene.size));
  std::vector<uint16_t> turned(static_cast<size_t>(padded_keys(scene.keys)) * scene.size);
  if (how == Keys::turned) {
    for (int key = 0; key < scene.keys; ++key) {
      for (int i = 0; i < scene.size; ++i)
        turned[(key / kGroup * scene.size + i) * kGroup + key % kGroup] = scene.key[key * scene.size + i];
    }
    head.turned_key = turned.data();
  } else if (how == Keys::words) {
    head.packed = packed.data();
    kernels.pack_head(head);
  }
  std::vector<uint8_t> scratch(attention_scratch(scene.keys, scene.size));
  kernels.attend(head, 0, end - first, scratch.data());
  return output;
}

double largest_value(const Scene& scene) {
  double largest = 0;
  for (const ggml_fp16_t value : scene.value)
    largest = std::max<double>(largest, std::fabs(ggml_fp16_to_fp32(value)));
  return largest;
}

// The largest error beside sums in double precision.
double error_of(const Scene& scene, const std::vector<float>& output) {
  double worst = 0;
  for (int query = 0; query < scene.queries; ++query) {
    std::vector<double> weights(scene.keys);
    double most = -INFINITY, sum = 0;
    for (int key = 0; key < scene.keys; ++key) {
      double score = 0;
      for (int i = 0; i < scene.size; ++i)
        score += static_cast<double>(scene.query[query * scene.size + i]) *
                 ggml_fp16_to_fp32(scene.key[key * scene.size + i]);
      weights[key] =
          score * 0.125 + (scene.masked ? ggml_fp16_to_fp32(scene.mask[query * scene.keys + key]) : 0.0);
      most = std::max(most, weights[key]);
    }
    for (double& weight : weights)
      sum += weight = most == -INFINITY ? 0.0 : std::exp(weight - most);
    for (int i = 0; i < scene.size; ++i) {
      double value = 0;
      for (int key = 0; key < scene.keys; ++key)
        value += weights[key] * ggml_fp16_to_fp32(scene.value[key * scene.size + i]);
      worst = std::max(worst, std::fabs(output[query * scene.size + i] - (sum > 0 ? value / sum : 0.0)));
    }
  }
  return worst;
}

void check_attention(const Kernels& kernels, const Scene& scene, Keys how, double most,
                     std::vector<float>& first) {
  const std::string name = std::string(kernels.name) + " attention of " + std::to_string(scene.queries) +
                           " queries, " + std::to_string(scene.keys) + " keys of " +
                           std::to_string(scene.size) + (scene.masked ? ", masked" : "") +
                           (how == Keys::words ? ", words" : "");
  const std::vector<float> output = attend(kernels, scene, 0, scene.queries, how);
  const double error = error_of(scene, output);
  check(error < most, name + ": error " + std::to_string(error));
  if (how == Keys::rows)
    check(same_bits(output, attend(kernels, scene, 0, scene.queries, Keys::turned)),
          name + ": turned has other numbers");
  std::vector<float> alone;
  for (int query = 0; query < scene.queries; ++query) {
    const std::vector<float> one = attend(kernels, scene, query, query + 1, how);
    alone.insert(alone.end(), one.begin(), one.end());
  }
  check(same_bits(output, alone), name + ": a query alone has other numbers");
  if (first.empty())
    first = output;
  check(same_bits(output, first), name + ": other numbers than of the first kernels");
}

// What is not finite must be seen: of a query in its results, of a key or a value in all that read it.
void check_hostile_attention(const Kernels& kernels) {
  const ggml_fp16_t nan = ggml_fp32_to_fp16(NAN), infinity = ggml_fp32_to_fp16(INFINITY);
  for (const Keys how : {Keys::rows, Keys::words}) {
    const auto finite = [&](const Scene& scene) {
      int count = 0;
      for (const float value : attend(kernels, scene, 0, scene.queries, how))
        count += std::isfinite(value);
      return count;
    };
    const std::string name = std::string(kernels.name) + (how == Keys::words ? " words" : " halves");
    Scene made = scene(64, 100, 13, false);
    check(finite(made) == 13 * 64, name + ": of finite numbers");
    for (const float bad : {NAN, INFINITY}) {
      Scene of_query = made;
      of_query.query[5 * 64 + 3] = bad;
      check(finite(of_query) == 12 * 64, name + ": a query that is not finite");
    }
    for (const ggml_fp16_t bad : {nan, infinity}) {
      Scene of_key = made, of_value = made;
      of_key.key[99 * 64 + 7] = bad;
      check(finite(of_key) < 13 * 64, name + ": a key that is not finite");
      of_value.value[70 * 64 + 7] = bad;
      check(finite(of_value) == 13 * 63, name + ": a value that is not finite");
    }
    std::fill(made.query.begin(), made.query.end(), 0.0f);
    std::fill(made.key.begin(), made.key.end(), ggml_fp16_t{0});
    const double error = error_of(made, attend(kernels, made, 0, made.queries, how));
    check(error < 1e-3 * largest_value(made), name + ": of zeros");
  }
}

void check_functions(const Kernels& kernels, std::vector<float>& first) {
  std::vector<float> from;
  for (float x = -120.0f; x < 120.0f; x += 0.0173f)
    from.push_back(x);
  for (const float x : {0.0f, -0.0f, 1e-40f, INFINITY, NAN})
    from.push_back(x);
  std::vector<float> to(from.size());
  kernels.gelu(from.data(), to.data(), static_cast<int64_t>(from.size()));
  double worst = 0;
  for (size_t i = 0; i + 2 < from.size(); ++i) {
    const double x = from[i];
    const double wanted = 0.5 * x * (1 + std::tanh(0.79788456080286535587989 * x * (1 + 0.044715 * x * x)));
    worst = std::max(worst, std::fabs(to[i] - wanted) / (std::fabs(wanted) + 1e-4));
  }
  const std::string name = std::string(kernels.name) + " gelu";
  check(worst < 1e-5, name + ": error " + std::to_string(worst));
  check(to[to.size() - 2] == INFINITY && std::isnan(to.back()), name + ": of infinity and NaN");
  to.back() = 0;
  if (first.empty())
    first = to;
  check(same_bits(to, first), name + ": other numbers than of the first kernels");
}

// The best of all logits, beside a sort.
void check_selection(const Kernels& kernels, std::vector<float>& first) {
  std::vector<float> all;
  for (const int count : {1, 15, 16, 17, 1000, 51864, 51865, 51866}) {
    std::vector<float> logits = random_values(count, 3.0f);
    for (int i = 0; i < count; i += 7)
      logits[i] = -INFINITY;
    if (count > 1)
      logits[count - 1] = logits[count / 2]; // ties go to the lower token
    const int wanted = std::min(count - (count + 6) / 7, 10);
    std::vector<int32_t> tokens(10, -1);
    float log_sum = 0;
    const int found = kernels.select(logits.data(), count, 10, tokens.data(), &log_sum);
    std::vector<int32_t> order(count);
    for (int i = 0; i < count; ++i)
      order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return logits[a] > logits[b]; });
    bool equal = found == wanted;
    for (int i = 0; i < wanted && equal; ++i)
      equal = tokens[i] == order[i];
    const std::string name = std::string(kernels.name) + " selection of " + std::to_string(count);
    check(equal, name + ": other tokens");
    double sum = 0;
    for (const float logit : logits)
      sum += std::exp(static_cast<double>(logit));
    if (wanted > 0)
      check(std::fabs(log_sum - std::log(sum)) < 1e-5, name + ": log of the sum");
    all.push_back(log_sum);
    if (count > 100) {
      logits[count / 3] = NAN;
      check(kernels.select(logits.data(), count, 10, tokens.data(), &log_sum) == -1,
            name + ": NaN is not seen");
    }
  }
  if (first.empty())
    first = all;
  check(same_bits(all, first),
        std::string(kernels.name) + " selection: other sums than of the first kernels");
}

} // namespace

int main() {
  const std::vector<const Kernels*> all = usable_kernels();
  const ggml_type types[] = {GGML_TYPE_Q8_0, GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1,
                             GGML_TYPE_Q2_K, GGML_TYPE_Q3_K, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K,
                             GGML_TYPE_F16,  GGML_TYPE_BF16, GGML_TYPE_F32};
  for (const ggml_type id : types) {
    const PackedType& type = *packed_type(id);
    const int64_t block = std::max<int64_t>(ggml_blck_size(id), type.is_float() ? 1 : 32);
    const int64_t widths[] = {block, 3 * block, type.is_float() ? 77 : 2 * block};
    for (const int64_t columns : widths) {
      for (const int64_t channels : {1, 16, 33, 65}) {
        const Matrix weights = matrix(type, columns, channels, random_values(columns * channels, 0.05f));
        for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 17, 64}) {
          const std::vector<float> input = random_values(rows * columns);
          std::vector<float> firsts[2];
          for (const Kernels* kernels : all)
            check_product(*kernels, weights, input, rows, firsts);
        }
        for (const Kernels* kernels : all)
          check_rows(*kernels, weights);
      }
    }
    const Matrix weights = matrix(type, 2 * block, 20, random_values(2 * block * 20, 0.05f));
    const Matrix zeros = matrix(type, block, 16, std::vector<float>(block * 16));
    for (const Kernels* kernels : all) {
      check_hostile(*kernels, weights);
      for (const float value : multiply(*kernels, zeros, random_values(3 * block), 3))
        check(value == 0, name_of(*kernels, zeros, 3) + ": of zeros");
    }
  }
  for (const int size : {16, 32, 48, 64, 80, 128}) {
    for (const int keys : {1, 15, 16, 31, 33, 100, 257}) {
      for (const int queries : {1, 2, 5, 23, 24, 25, 49}) {
        for (const bool masked : {false, true}) {
          const Scene made = scene(size, keys, queries, masked);
          std::vector<float> halves, words;
          for (const Kernels* kernels : all) {
            check_attention(*kernels, made, Keys::rows, 1e-3, halves);
            // Words of scores of hundreds are coarse.
            if (!masked)
              check_attention(*kernels, made, Keys::words, 3e-2 * largest_value(made), words);
          }
        }
      }
    }
  }
  for (const int keys : {100, 700, 1500}) {
    const Scene calm = scene(64, keys, 49, false, 0.2f);
    std::vector<float> words;
    for (const Kernels* kernels : all)
      check_attention(*kernels, calm, Keys::words, 1e-3 * largest_value(calm), words);
  }
  std::vector<float> functions, selections;
  for (const Kernels* kernels : all) {
    check_hostile_attention(*kernels);
    check_functions(*kernels, functions);
    generator.seed(11);
    check_selection(*kernels, selections);
  }
  std::printf("%d checks of", checks);
  for (const Kernels* kernels : all)
    std::printf(" %s", kernels->name);
  std::printf("\n");
  return failures == 0 ? 0 : 1;
}
