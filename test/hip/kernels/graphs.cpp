// Runs the graphs of the engine on a HIP module, for models of all sizes and types. Meant for the stub of the
// HIP runtime: nothing is computed there, but the module chooses and launches every kernel, and dies of one
// that it was built without.
//
//   graphs HIP_MODULE CPU_MODULE [SIZE...]   a line of JSON for each model, of all sizes or of some
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

#include "backend/node_signature.h"
#include "backend/weight_types.h"
#include "blank_model.h"
#include "engine/runner.h"
#include "ggml-backend-impl.h"

using namespace whisper_hip;

namespace {

// Positions of a window. Keys have other kernels where they are a multiple of 256.
constexpr int kPositions[] = {1500, 512, 750, 33, 16, 5, 1};
// Tokens of a prompt, which are columns of products: one, few, the tile widths, the longest prompt.
constexpr int kTokens[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  12,  15,  16, 17,
                           24, 31, 33, 48, 56, 64, 72, 80, 96, 112, 128, 224};
// Where a step is: with few keys of the text, and with all of them.
const std::vector<int> kPlaces = {230, 440};

struct Counts {
  int nodes = 0, not_claimed = 0;
};
Counts* counts = nullptr; // of what is computed now
ggml_status (*compute)(ggml_backend_t, ggml_cgraph*) = nullptr;

ggml_status count_and_compute(ggml_backend_t backend, ggml_cgraph* graph) {
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    const ggml_tensor* node = ggml_graph_node(graph, i);
    if (!does_work(node->op))
      continue;
    counts->nodes++;
    counts->not_claimed += ggml_backend_supports_op(backend, node) ? 0 : 1;
  }
  return compute(backend, graph);
}

// Its sequences branch off the only one after the prompt, and go on by themselves.
class Fan : public Search {
 public:
  explicit Fan(int width) : width_(width) {}
  int width() const override { return width_; }
  std::vector<Branch> advance(const std::vector<float*>& logits) override {
    std::vector<Branch> branches;
    for (int i = 0; i < width_; ++i)
      branches.push_back({std::min(i, static_cast<int>(logits.size()) - 1), 0});
    return branches;
  }
  Sequence best() const override { return {}; }
  bool repeats() const override { return false; }

 private:
  int width_;
};

class ModelRun {
 public:
  ModelRun(const ModelWeights& weights, bool flash)
      : weights_(weights), runner_(weights, {weights.vocabulary, 0, 1, 2, 3, 4}, options(flash)) {
    ggml_backend_t gpu = runner_.device().backends().front();
    compute = std::exchange(gpu->iface.graph_compute, count_and_compute);
  }

  void encode(int positions) {
    counts = &all["encode"];
    const auto request = ask(0);
    request->positions = positions;
    request->mel.resize(static_cast<size_t>(2 * positions * weights_.mels));
    runner_.encode(*request);
    windows_.push_back(request->encoded);
  }

  // Reads prompts for windows of several lengths together, and decodes so many sequences of each at some
  // places.
  void decode(int windows, int width, int tokens, const std::vector<int>& places) {
    Fan fan(width);
    std::vector<std::unique_ptr<ActiveSearch>> searches;
    std::vector<ActiveSearch*> each;
    for (int i = 0; i < windows; ++i) {
      const auto request = ask(tokens);
      request->window = windows_[static_cast<size_t>(i) % windows_.size()];
      request->search = &fan;
      request->width = width;
      searches.push_back(runner_.begin(request));
      each.push_back(searches.back().get());
    }
    counts = &all["prompt"];
    runner_.read_prompts(each);
    require_success(each);
    counts = &all["step"];
    for (const int place : places) {
      for (ActiveSearch* search : each)
        search->position = place;
      runner_.step(each);
      require_success(each);
    }
  }

  void align(int tokens) {
    counts = &all["align"];
    const auto request = ask(tokens);
    request->window = windows_.front();
    request->heads = {{0, 0}, {0, weights_.text_heads - 1}};
    runner_.align(*request);
  }

  std::map<std::string, Counts> all;

 private:
  static EngineOptions options(bool flash) { return {0, /*gpu_only*/ true, flash}; }

  static std::shared_ptr<Request> ask(int tokens) {
    auto request = std::make_shared<Request>();
    request->client = std::make_shared<ClientRecord>();
    request->tokens.assign(static_cast<size_t>(tokens), 0);
    return request;
  }

  static void require_success(const std::vector<ActiveSearch*>& searches) {
    for (ActiveSearch* search : searches) {
      search->request->finish(); // unless it has failed
      search->request->wait(false);
    }
  }

  const ModelWeights& weights_;
  Runner runner_;
  std::vector<std::shared_ptr<const EncodedWindow>> windows_;
};

void run_model(const Size& size, ggml_type type, bool flash, ggml_backend_buffer_type_t memory) {
  std::printf("{\"model\":\"%s\",\"type\":\"%s\",\"flash\":%s", size.names, ggml_type_name(type),
              flash ? "true" : "false");
  std::fflush(stdout); // a module that dies has named the model
  const BlankModel model(size, /*layers, which are alike*/ 1, type, memory);
  ModelRun run(model.weights, flash);
  for (const int positions : kPositions)
    run.encode(positions);
  for (const int tokens : kTokens) {
    run.decode(1, 1, tokens, {});
    run.decode(2, 1, tokens, {});
    run.align(tokens);
  }
  for (int width = 1; width <= 8; ++width)
    run.decode(1, width, 3, kPlaces);
  for (const int windows : {2, 8}) {
    for (const int beams : {1, 2, 5, 8})
      run.decode(windows, beams, 3, {kPlaces.back()});
  }
  for (const auto& [graph, counts] : run.all)
    std::printf(",\"%s\":{\"nodes\":%d,\"notClaimed\":%d}", graph.c_str(), counts.nodes, counts.not_claimed);
  std::printf("}\n");
}

} // namespace

int main(int count, char** arguments) {
  setenv("GGML_NO_BACKTRACE", "1", 1);
  ggml_log_set(
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
  ggml_backend_buffer_type_t memory = ggml_backend_dev_buffer_type(ggml_backend_reg_dev_get(hip, 0));
  const std::vector<std::string> wanted(arguments + 3, arguments + count);
  for (const Size& size : kSizes) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), size.names) == wanted.end())
      continue;
    for (const WeightType& weights : kWeightTypes) {
      if (size.state % ggml_blck_size(weights.type) != 0)
        continue; // K-quants of tiny models cannot be
      run_model(size, weights.type, /*flash*/ true, memory);
      // Attention does not see what the weights are.
      if (weights.type == GGML_TYPE_F16)
        run_model(size, weights.type, /*flash*/ false, memory);
    }
  }
  return 0;
}
