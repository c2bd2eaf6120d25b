// Weights of a small Whisper model for tests of the engine: random, but such that attention chooses and texts
// depend on the sound. In memory of the CPU, packed where our kernels want it so; matrices are f16, all else
// is f32. The CPU module must be loaded.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include "backend/cpu_module.h"
#include "engine/device.h"
#include "engine/search/search.h"
#include "engine/weights.h"

namespace whisper_hip {

constexpr int kState = 128, kHeads = 2, kMels = 8, kAudio = 64, kText = 448, kVocabulary = 1000;
constexpr Token kEnd = 900;
// Timestamps from 904 on.
const SpecialTokens kMadeTokens = {kVocabulary, kEnd, 901, 902, 903, 904};

class MadeModel {
 public:
  // `damage`: what stands in one row of a matrix of the encoder; 0 for none.
  explicit MadeModel(float damage = 0) : tensors_(describe_tensors(128)), packed_(describe_tensors(128)) {
    weights.mels = kMels;
    weights.audio_positions = kAudio;
    weights.audio_heads = weights.text_heads = kHeads;
    weights.text_positions = kText;
    weights.text_state = kState;
    weights.vocabulary = kVocabulary;
    weights.epsilon = 1e-5f;
    weights.convolutions[0] = {matrix({3, kMels, kState}, 0.3f), vector({1, kState}, 0.1f)};
    weights.convolutions[1] = {matrix({3, kState, kState}, 0.06f), vector({1, kState}, 0.1f)};
    weights.audio_position_table = vector({kState, kAudio}, 0.3f);
    for (int i = 0; i < 2; ++i)
      weights.encoder.push_back({attention(), feed_forward()});
    weights.encoder_norm = norm();
    weights.token_table = matrix({kState, kVocabulary}, 0.3f);
    weights.text_position_table = vector({kState, kText}, 0.3f);
    for (int i = 0; i < 2; ++i)
      weights.decoder.push_back({attention(), attention(), feed_forward()});
    weights.decoder_norm = norm();
    buffer_.reset(ggml_backend_alloc_ctx_tensors_from_buft(tensors_.get(), ggml_backend_cpu_buffer_type()));
    packed_buffer_.reset(ggml_backend_alloc_ctx_tensors_from_buft(packed_.get(), packed_type()));
    for (const Buffer* buffer : {&buffer_, &packed_buffer_})
      ggml_backend_buffer_set_usage(buffer->get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    for (const Made& made : made_)
      fill(made);
    if (!(damage == 0))
      fill({weights.encoder[0].attention.norm.bias, damage, 0});
  }

  ModelWeights weights = {};

 private:
  struct Made {
    ggml_tensor* tensor;
    float mean, deviation;
  };

  // Of the weights of products, as the loader of a model asks for it.
  static ggml_backend_buffer_type_t packed_type() {
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    const auto others =
        reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(ggml_backend_reg_get_proc_address(
            ggml_backend_dev_backend_reg(cpu), "ggml_backend_dev_get_extra_bufts"));
    ggml_backend_buffer_type_t* types = others != nullptr ? others(cpu) : nullptr;
    return cpu_kernels() != nullptr && types != nullptr && *types != nullptr ? *types
                                                                             : ggml_backend_cpu_buffer_type();
  }

  ggml_tensor* add(ggml_type type, std::vector<int64_t> shape, float mean, float deviation) {
    ggml_context* context = type == GGML_TYPE_F16 && shape.size() == 2 ? packed_.get() : tensors_.get();
    made_.push_back(
        {ggml_new_tensor(context, type, static_cast<int>(shape.size()), shape.data()), mean, deviation});
    return made_.back().tensor;
  }
  ggml_tensor* matrix(std::vector<int64_t> shape, float deviation) {
    return add(GGML_TYPE_F16, std::move(shape), 0, deviation);
  }
  ggml_tensor* vector(std::vector<int64_t> shape, float deviation) {
    return add(GGML_TYPE_F32, std::move(shape), 0, deviation);
  }
  Affine linear(int64_t inputs, int64_t outputs, float deviation) {
    return {matrix({inputs, outputs}, deviation), vector({outputs}, 0.1f)};
  }
  Affine norm() { return {add(GGML_TYPE_F32, {kState}, 1, 0.1f), vector({kState}, 0.1f)}; }
  // Scores of attention deviate by 2: some keys count, and most do not.
  AttentionWeights attention() {
    AttentionWeights made = {norm(), linear(kState, kState, 0.125f), linear(kState, kState, 0.125f),
                             linear(kState, kState, 0.1f), linear(kState, kState, 0.1f)};
    made.key.bias = nullptr;
    return made;
  }
  FeedForwardWeights feed_forward() {
    return {norm(), linear(kState, 4 * kState, 0.08f), linear(4 * kState, kState, 0.03f)};
  }

  void fill(const Made& made) {
    std::normal_distribution<float> draw(made.mean, std::max(made.deviation, 1e-9f));
    std::vector<float> values(static_cast<size_t>(ggml_nelements(made.tensor)));
    for (float& value : values)
      value = made.deviation > 0 ? draw(random_) : made.mean;
    std::vector<ggml_fp16_t> halves(values.size());
    ggml_fp32_to_fp16_row(values.data(), halves.data(), static_cast<int64_t>(values.size()));
    const bool is_half = made.tensor->type == GGML_TYPE_F16;
    ggml_backend_tensor_set(made.tensor, is_half ? static_cast<const void*>(halves.data()) : values.data(), 0,
                            ggml_nbytes(made.tensor));
  }

  std::minstd_rand random_{1};
  std::vector<Made> made_;
  Tensors tensors_, packed_;
  Buffer buffer_, packed_buffer_;
};

inline std::vector<float> made_mel(unsigned seed, int positions) {
  std::minstd_rand random(seed * 7919 + 1);
  std::normal_distribution<float> draw(0, 1);
  std::vector<float> mel(static_cast<size_t>(2 * positions * kMels));
  for (float& value : mel)
    value = draw(random);
  return mel;
}

inline std::vector<Token> made_tokens(unsigned seed, int count) {
  std::minstd_rand random(seed * 104729 + 7);
  random.discard(5);
  std::vector<Token> tokens;
  for (int i = 0; i < count; ++i)
    tokens.push_back(static_cast<Token>(random() % 900));
  return tokens;
}

// No token again within eight, so that texts do not go round in circles; their end becomes likelier.
struct MadeRules : Rules {
  void apply(const std::vector<Token>& text, float* logits) const override {
    for (size_t i = text.size() > 8 ? text.size() - 8 : 0; i < text.size(); ++i)
      logits[text[i]] = -INFINITY;
    for (Token token = kEnd + 1; token < kVocabulary; ++token)
      logits[token] = -INFINITY;
    logits[kEnd] += 0.25f * static_cast<float>(text.size());
  }
};
inline const MadeRules made_rules;

inline int checks = 0, failures = 0;

// Of the main thread. Returns whether it passed.
inline bool check(bool passed, const std::string& what) {
  checks++;
  failures += passed ? 0 : 1;
  if (!passed && failures <= 20)
    std::printf("failed: %s\n", what.c_str());
  return passed;
}

} // namespace whisper_hip
