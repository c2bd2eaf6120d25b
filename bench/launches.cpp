// Decodes windows of 30 s side by side on a HIP module, with the search and the caches of the engine, and a
// model whose weights nobody has written: for what a stub of the HIP runtime counts. All tokens are equally
// probable.
//
//   launches HIP_MODULE CPU_MODULE MODEL WINDOWS BEAMS TOKENS ROUNDS
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "../test/hip/kernels/blank_model.h"
#include "engine/runner.h"

using namespace whisper_hip;

namespace {

constexpr int kPrompt = 3; // <|startoftranscript|>, language, task

struct NoRules : Rules {
  void apply(const std::vector<Token>&, float*) const override {}
};

std::shared_ptr<Request> ask() {
  auto request = std::make_shared<Request>();
  request->client = std::make_shared<ClientRecord>();
  return request;
}

// So many windows, until all have their tokens.
void decode(Runner& runner, const ModelWeights& weights, const SpecialTokens& tokens,
            const SearchOptions& options, int windows) {
  const NoRules rules;
  std::vector<std::unique_ptr<Search>> searches;
  std::vector<std::unique_ptr<ActiveSearch>> active;
  for (int i = 0; i < windows; ++i) {
    const auto audio = ask(), text = ask();
    audio->positions = weights.audio_positions;
    audio->mel.resize(static_cast<size_t>(2 * weights.audio_positions * weights.mels));
    runner.encode(*audio);
    searches.push_back(make_search(tokens, options, rules));
    text->window = audio->encoded;
    text->tokens.assign(kPrompt, tokens.start);
    text->search = searches.back().get();
    text->width = text->search->width();
    active.push_back(runner.begin(text));
  }
  const auto unfinished = [&] {
    std::vector<ActiveSearch*> all;
    for (const auto& search : active) {
      if (!search->ended)
        all.push_back(search.get());
    }
    return all;
  };
  runner.read_prompts(unfinished());
  for (auto all = unfinished(); !all.empty(); all = unfinished())
    runner.step(all);
  for (const auto& search : active) {
    search->request->finish(); // unless it has failed
    search->request->wait(false);
  }
}

} // namespace

int main(int, char** arguments) {
  setenv("GGML_NO_BACKTRACE", "1", 1);
  ggml_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  ggml_backend_reg_t hip = ggml_backend_load(arguments[1]);
  if (hip == nullptr || ggml_backend_load(arguments[2]) == nullptr || ggml_backend_reg_dev_count(hip) == 0) {
    std::fprintf(stderr, "the modules cannot be loaded, or there is no device\n");
    return 2;
  }
  const auto* size = std::find_if(std::begin(kSizes), std::end(kSizes),
                                  [&](const Size& one) { return std::string(one.names) == arguments[3]; });
  if (size == std::end(kSizes)) {
    std::fprintf(stderr, "there is no model of the name %s\n", arguments[3]);
    return 2;
  }
  const BlankModel model(*size, size->layers, GGML_TYPE_F16,
                         ggml_backend_dev_buffer_type(ggml_backend_reg_dev_get(hip, 0)));
  const Token end = size->vocabulary - 1;
  const SpecialTokens tokens = {size->vocabulary, end, 1, 2, 3, end};
  Runner runner(model.weights, tokens, {0, /*gpu_only*/ true, /*flash_attention*/ true});
  SearchOptions options;
  options.beam_size = std::atoi(arguments[5]);
  options.max_tokens = std::atoi(arguments[6]);
  for (int round = std::atoi(arguments[7]); round > 0; --round)
    decode(runner, model.weights, tokens, options, std::atoi(arguments[4]));
}
