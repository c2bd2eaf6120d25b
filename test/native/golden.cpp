// The engine's numbers against those of whisper.cpp's own graphs, from the same weights: what the decoder
// says of each token of a text that is given, and the keys and values of a window. golden MODULE MODEL write
// FILE: computes with whisper.cpp, fused attention off. golden MODULE MODEL compare FILE FLASH_ATTENTION:
// computes with the engine, prints the relative errors of the logits (largest of a position), of keys and of
// values.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>

// whisper.cpp with its public functions and what they hide: its source is unmodified, but for the maps of the
// vocabulary and the memory of the weights.
#include "model/whisper_unit.cpp"

#include "backend/cpu_module.h"
#include "cpu/kernels.h"
#include "engine/runner.h"
#include "support/abort.h"
#include "support/log.h"

using namespace whisper_hip;

namespace {

constexpr int kLength = 24; // some in a prompt, some each in a pass of its own
constexpr int kPrompt = 5;

using Row = std::vector<float>;

struct Golden {
  std::vector<Row> logits; // after the prompt, and after each further token
  Row keys, values;        // of all layers: [positions, state]
};

std::vector<Token> text_of(int vocabulary) {
  std::minstd_rand random(3);
  std::vector<Token> tokens;
  for (int i = 0; i < kLength; ++i)
    tokens.push_back(static_cast<Token>(random() % static_cast<unsigned>(vocabulary)));
  return tokens;
}

Row mel_of(int mels, int frames) {
  std::minstd_rand random(9);
  std::normal_distribution<float> draw(0, 0.7f);
  Row mel(static_cast<size_t>(mels * frames));
  for (float& value : mel)
    value = draw(random);
  return mel;
}

Row halves(const void* data, size_t count) {
  Row row(count);
  ggml_fp16_to_fp32_row(static_cast<const ggml_fp16_t*>(data), row.data(), static_cast<int64_t>(count));
  return row;
}

Golden of_whisper(whisper_context& context) {
  context.state = whisper_init_state(&context);
  const int mels = whisper_model_n_mels(&context), positions = whisper_model_n_audio_ctx(&context);
  const Row mel = mel_of(mels, 2 * positions);
  const std::vector<Token> text = text_of(whisper_n_vocab(&context));
  Golden golden;
  if (whisper_set_mel(&context, mel.data(), 2 * positions, mels) != 0 || whisper_encode(&context, 0, 1) != 0)
    std::abort();
  // Its cache: keys [state, positions], values turned [positions, state], of each layer.
  const auto& cache = context.state->kv_cross;
  const auto state = static_cast<size_t>(context.model.hparams.n_text_state);
  const auto length = static_cast<size_t>(positions);
  const auto* const k = static_cast<const uint16_t*>(cache.k->data);
  const auto* const v = static_cast<const uint16_t*>(cache.v->data);
  for (size_t layer = 0; layer < context.model.layers_decoder.size(); ++layer) {
    const Row key = halves(k + layer * state * length, state * length);
    const Row turned = halves(v + layer * state * length, state * length);
    // Keys are stored with a part of the scale of the scores.
    const float scale = std::pow(static_cast<float>(context.model.hparams.n_text_state) /
                                     static_cast<float>(context.model.hparams.n_text_head),
                                 0.25f);
    for (const float value : key)
      golden.keys.push_back(value * scale);
    for (size_t position = 0; position < length; ++position) {
      for (size_t i = 0; i < state; ++i)
        golden.values.push_back(turned[i * length + position]);
    }
  }
  for (int past = 0; past < kLength;) {
    const int count = past == 0 ? kPrompt : 1;
    if (whisper_decode(&context, text.data() + past, count, past, 1) != 0)
      std::abort();
    const float* logits = whisper_get_logits(&context) + (count - 1) * whisper_n_vocab(&context);
    golden.logits.emplace_back(logits, logits + whisper_n_vocab(&context));
    past += count;
  }
  whisper_free_state(context.state);
  context.state = nullptr;
  return golden;
}

// Chooses the text that is given.
class Given : public Search {
 public:
  Given(std::vector<Token> text, std::vector<Row>& rows) : text_(std::move(text)), rows_(rows) {}
  int width() const override { return 1; }
  std::vector<Branch> advance(const std::vector<float*>& logits) override {
    rows_.emplace_back(logits[0], logits[0] + vocabulary);
    if (at_ == text_.size())
      return {};
    return {{0, text_[at_++]}};
  }
  Sequence best() const override { return {}; }
  bool repeats() const override { return false; }
  int vocabulary = 0;

 private:
  std::vector<Token> text_;
  std::vector<Row>& rows_;
  size_t at_ = kPrompt;
};

Golden of_engine(const whisper_context& context, bool flash_attention) {
  const ModelWeights weights = model_weights(context);
  EngineOptions options;
  options.flash_attention = flash_attention;
  Runner runner(weights, special_tokens(context), options);
  const std::vector<Token> text = text_of(weights.vocabulary);
  Golden golden;
  Given search(text, golden.logits);
  search.vocabulary = weights.vocabulary;
  auto request = std::make_shared<Request>();
  request->client = std::make_shared<ClientRecord>();
  request->positions = weights.audio_positions;
  request->mel = mel_of(weights.mels, 2 * weights.audio_positions);
  request->tokens.assign(text.begin(), text.begin() + kPrompt);
  request->search = &search;
  runner.encode(*request);
  request->window = request->encoded;
  const auto state = static_cast<size_t>(weights.text_state);
  const auto positions = static_cast<size_t>(weights.audio_positions);
  const bool turned = flash_attention && cpu_kernels() != nullptr;
  for (size_t layer = 0; layer < weights.decoder.size(); ++layer) {
    const Row value = halves(request->window->values(static_cast<int>(layer))->data,
                             state * static_cast<size_t>(padded_keys(weights.audio_positions)));
    if (!turned) {
      const Row key = halves(request->window->keys(static_cast<int>(layer))->data, state * positions);
      golden.keys.insert(golden.keys.end(), key.begin(), key.end());
      golden.values.insert(golden.values.end(), value.begin(), value.begin() + state * positions);
      continue;
    }
    // Values are stored head by head.
    const size_t size = state / static_cast<size_t>(weights.text_heads);
    const size_t padded = static_cast<size_t>(padded_keys(weights.audio_positions));
    for (size_t position = 0; position < positions; ++position) {
      for (size_t i = 0; i < state; ++i)
        golden.values.push_back(value[(i / size * padded + position) * size + i % size]);
    }
  }
  auto active = runner.begin(request);
  runner.read_prompts({active.get()});
  while (!active->ended)
    runner.step({active.get()});
  return golden;
}

double relative_error(const Row& row, const Row& wanted) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    difference += std::pow(static_cast<double>(row.at(i)) - wanted[i], 2);
    size += std::pow(static_cast<double>(wanted[i]), 2);
  }
  return std::sqrt(difference / size);
}

void write(std::ofstream& file, const Row& row) {
  const uint64_t size = row.size();
  file.write(reinterpret_cast<const char*>(&size), sizeof size);
  file.write(reinterpret_cast<const char*>(row.data()), static_cast<std::streamsize>(size * sizeof(float)));
}

Row read(std::ifstream& file) {
  uint64_t size = 0;
  file.read(reinterpret_cast<char*>(&size), sizeof size);
  Row row(size);
  file.read(reinterpret_cast<char*>(row.data()), static_cast<std::streamsize>(size * sizeof(float)));
  return row;
}

} // namespace

int main(int, char** arguments) {
  install_abort_handler();
  const AbortScope abort;
  load_cpu_module({arguments[1]});
  whisper_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  whisper_context_params parameters = whisper_context_default_params();
  parameters.use_gpu = parameters.flash_attn = false;
  whisper_context* context = whisper_init_from_file_with_params_no_state(arguments[2], parameters);
  if (context == nullptr)
    return 1;
  if (std::string(arguments[3]) == "write") {
    const Golden golden = of_whisper(*context);
    std::ofstream file(arguments[4], std::ios::binary);
    write(file, golden.keys);
    write(file, golden.values);
    for (const Row& row : golden.logits)
      write(file, row);
    std::printf("%zu rows\n", golden.logits.size());
  } else {
    const Golden own = of_engine(*context, std::atoi(arguments[5]) != 0);
    std::ifstream file(arguments[4], std::ios::binary);
    const Row keys = read(file), values = read(file);
    double worst = own.logits.size() == kLength - kPrompt + 1 ? 0 : 1;
    for (const Row& row : own.logits)
      worst = std::max(worst, relative_error(row, read(file)));
    std::printf("%.2e %.2e %.2e\n", worst, own.keys.empty() ? 0.0 : relative_error(own.keys, keys),
                relative_error(own.values, values));
  }
  whisper_free(context);
}
