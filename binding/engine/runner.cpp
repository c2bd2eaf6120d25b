#include "engine/runner.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>

#include "backend/cpu_module.h"
#include "backend/gpu_state.h"
#include "engine/graph/encoder.h"
#include "engine/search/choose.h"
#include "support/error.h"
#include "support/log.h"

namespace whisper_hip {

namespace {

using Clock = std::chrono::steady_clock;

// Nodes of a graph of the encoder, of each layer and beside them.
constexpr size_t kEncoderNodes = 48;
constexpr int kMostWindows = 10;
constexpr int kUsualBeams = 5;
constexpr size_t kWindowShare = 4; // of the free memory

constexpr uint16_t kMinusInfinity = 0xfc00; // f16

int rounded_up(int count, int step) {
  return (count + step - 1) / step * step;
}

} // namespace

Runner::Runner(const ModelWeights& weights, const SpecialTokens& tokens, const EngineOptions& options)
    : weights_(weights), tokens_(tokens), options_(options), device_(options.gpu),
      windows_(std::make_shared<WindowCache>(device_, weights)), sequences_(device_, weights),
      copier_(device_, weights, sequences_, options.gpu_only) {
  turned_keys_ = options.flash_attention && !device_.is_gpu() && cpu_kernels() != nullptr;
  const size_t affordable = device_.free_memory() / kWindowShare / windows_->window_bytes();
  most_windows_ = static_cast<int>(std::clamp<size_t>(affordable, 1, kMostWindows));
  recover();
  if (device_.is_gpu())
    reserve();
}

void Runner::recover() {
  const bool is_first = !encoder_;
  waiting_copies_.clear();
  encoder_.reset();
  prompt_.reset();
  step_.reset();
  copier_.restart();
  if (!is_first)
    device_.restart();
  encoder_.emplace(device_);
  prompt_.emplace(device_);
  step_.emplace(device_);
}

GraphBuilder Runner::builder(ggml_context* context, ggml_cgraph* graph) const {
  return {context,
          graph,
          device_.is_gpu() ? device_.backends().front() : nullptr,
          weights_.epsilon,
          options_.flash_attention,
          turned_keys_};
}

// Fused attention of GPUs has its fastest kernel for whole blocks of 256 keys; ours skips blocks of 32 that
// are masked.
int Runner::padded_keys(int count) const {
  return std::min(rounded_up(count, device_.is_gpu() ? 256 : 32), weights_.text_positions);
}

// Where the attention of several windows comes together.
ggml_tensor* Runner::scratch(const DecoderShape& shape) {
  if (shape.parts.size() == 1)
    return nullptr;
  const int rows = shape.rows();
  if (scratch_ != nullptr && scratch_->ne[1] >= rows)
    return scratch_;
  // Graphs that are kept may write there.
  prompt_->forget();
  step_->forget();
  scratch_ = nullptr;
  scratch_tensors_ = describe_tensors(1);
  scratch_ =
      ggml_new_tensor_2d(scratch_tensors_.get(), GGML_TYPE_F32, weights_.text_state, rounded_up(rows, 64));
  scratch_buffer_ = device_.allocate(scratch_tensors_.get(), "the attention of several windows");
  return scratch_;
}

bool Runner::compute(Pass& pass, const Requests& requests, double PassSeconds::*phase) {
  ComputeJob job = {};
  job.gpu_only = options_.gpu_only;
  job.threads = 1;
  for (const Request* request : requests)
    job.threads = std::max(job.threads, request->threads);
  job.is_cancelled = [&requests] {
    return std::all_of(requests.begin(), requests.end(),
                       [](const Request* request) { return request->abandoned.load(); });
  };
  const auto begun = Clock::now();
  if (!pass.compute(job))
    return false;
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  for (const Request* request : requests) {
    std::lock_guard<std::mutex> lock(request->client->mutex);
    request->client->seconds.*phase += seconds / static_cast<double>(requests.size());
    request->client->counts.gpu += job.counts.gpu;
    request->client->counts.cpu += job.counts.cpu;
    request->client->counts.cpu_operations.insert(job.counts.cpu_operations.begin(),
                                                  job.counts.cpu_operations.end());
  }
  return true;
}

// What needs memory of a GPU before the first job needs it: where there is none, another device can still be
// used.
void Runner::reserve() {
  const std::shared_ptr<EncodedWindow> window = windows_->make(weights_.audio_positions);
  const std::unique_ptr<SequenceBlock> block = sequences_.take(kUsualBeams);
  if (!block)
    throw Error("ERR_OUT_OF_MEMORY",
                "Memory of " + device_.name() + " for the self-attention of sequences could not be allocated",
                "OUT_OF_MEMORY");
  prepare_encoder(*window);
  DecoderShape prompt = {};
  prompt.parts = {{window.get(), block.get(), 1}};
  prompt.tokens = std::max(weights_.text_positions / 2, 1);
  prompt.keys = padded_keys(prompt.tokens);
  prompt.logit_rows = 2;
  prepare_prompt(prompt);
  DecoderShape step = {};
  step.parts = {{window.get(), block.get(), kUsualBeams}};
  step.tokens = 1;
  step.keys = weights_.text_positions;
  step.logit_rows = kUsualBeams;
  step.all_rows = true;
  prepare_step(step);
  copier_.prepare(block->chunk());
}

// The graph writes into the window's own memory.
void Runner::prepare_encoder(const EncodedWindow& window) {
  encoder_->prepare({reinterpret_cast<int64_t>(window.keys(0)), window.positions()},
                    (weights_.encoder.size() + weights_.decoder.size()) * kEncoderNodes + 64,
                    [&](ggml_context* context, ggml_cgraph* graph) {
                      mel_ = build_encoder(builder(context, graph), weights_, window);
                    });
}

bool Runner::encode(Request& request) {
  std::shared_ptr<EncodedWindow> window;
  try {
    window = windows_->make(request.positions);
  } catch (const Abort&) {
    throw;
  } catch (const Error&) {
    if (windows_->count() > 0)
      return false;
    throw;
  }
  prepare_encoder(*window);
  encoder_->set(mel_, request.mel.data(), request.mel.size() * sizeof(float));
  if (compute(*encoder_, {&request}, &PassSeconds::encode))
    request.encoded = std::move(window);
  return true;
}

std::unique_ptr<ActiveSearch> Runner::begin(const std::shared_ptr<Request>& request) {
  auto search = std::make_unique<ActiveSearch>();
  search->block = sequences_.take(request->width);
  if (!search->block)
    return nullptr;
  search->request = request;
  return search;
}

// What the searches read next, as the rows of a graph.
void Runner::fill(Pass& pass, const DecoderGraph& graph, const std::vector<ActiveSearch*>& searches,
                  const DecoderShape& shape) {
  std::vector<int32_t> tokens, positions;
  std::vector<int64_t> cells;
  std::vector<uint16_t> mask;
  for (size_t i = 0; i < searches.size(); ++i) {
    const ActiveSearch& search = *searches[i];
    const DecoderPart& part = shape.parts[i];
    const bool is_prompt = search.position == 0;
    for (int sequence = 0; sequence < part.sequences; ++sequence) {
      for (int k = 0; k < shape.tokens; ++k) {
        tokens.push_back(is_prompt ? search.request->tokens[static_cast<size_t>(k)]
                                   : search.next[static_cast<size_t>(sequence)]);
        positions.push_back(search.position + k);
        cells.push_back(static_cast<int64_t>(part.block->first() + sequence) * weights_.text_positions +
                        search.position + k);
      }
    }
    for (int k = 0; k < shape.tokens; ++k) {
      const auto seen = static_cast<size_t>(search.position + k + 1);
      mask.insert(mask.end(), seen, 0);
      mask.insert(mask.end(), static_cast<size_t>(shape.keys) - seen, kMinusInfinity);
    }
  }
  pass.set(graph.tokens, tokens.data(), tokens.size() * sizeof(int32_t));
  pass.set(graph.positions, positions.data(), positions.size() * sizeof(int32_t));
  pass.set(graph.cells, cells.data(), cells.size() * sizeof(int64_t));
  pass.set(graph.mask, mask.data(), mask.size() * sizeof(uint16_t));
}

namespace {

// Those of a chunk side by side.
std::vector<ActiveSearch*> by_chunk(std::vector<ActiveSearch*> searches) {
  std::stable_sort(searches.begin(), searches.end(), [](const ActiveSearch* a, const ActiveSearch* b) {
    return std::less<const SequenceChunk*>()(&a->block->chunk(), &b->block->chunk());
  });
  return searches;
}

PassKey key_of(const DecoderShape& shape) {
  PassKey key = {shape.tokens, shape.keys, shape.logit_rows, shape.all_rows, shape.heads != nullptr};
  for (const DecoderPart& part : shape.parts) {
    // A window's memory is used again for another one.
    for (const void* place :
         {static_cast<const void*>(part.window->keys(0)), static_cast<const void*>(&part.block->chunk())})
      key.push_back(reinterpret_cast<int64_t>(place));
    for (const int number : {part.window->positions(), part.block->first(), part.sequences})
      key.push_back(number);
  }
  return key;
}

std::vector<Request*> requests_of(const std::vector<ActiveSearch*>& searches) {
  std::vector<Request*> requests;
  for (const ActiveSearch* search : searches)
    requests.push_back(search->request.get());
  return requests;
}

} // namespace

void Runner::prepare_prompt(const DecoderShape& shape) {
  prompt_->prepare(key_of(shape), decoder_nodes(weights_, shape.parts.size()),
                   [&](ggml_context* context, ggml_cgraph* graph) {
                     prompt_graph_ = build_decoder(builder(context, graph), weights_, shape, scratch(shape));
                   });
}

void Runner::prepare_step(const DecoderShape& shape) {
  step_->prepare(key_of(shape), decoder_nodes(weights_, shape.parts.size()),
                 [&](ggml_context* context, ggml_cgraph* graph) {
                   step_graph_ = build_decoder(builder(context, graph), weights_, shape, scratch(shape));
                 });
}

void Runner::read_prompts(const std::vector<ActiveSearch*>& unordered) {
  const std::vector<ActiveSearch*> searches = by_chunk(unordered);
  const int tokens = static_cast<int>(searches.front()->request->tokens.size());
  DecoderShape shape = {};
  std::vector<int32_t> wanted;
  for (const ActiveSearch* search : searches) {
    shape.parts.push_back({search->request->window.get(), search->block.get(), 1});
    const auto first = static_cast<int32_t>(wanted.size() / 2) * tokens;
    wanted.push_back(first + search->request->start);
    wanted.push_back(first + tokens - 1);
  }
  shape.tokens = tokens;
  shape.keys = padded_keys(tokens);
  shape.logit_rows = static_cast<int>(wanted.size());
  prepare_prompt(shape);
  fill(*prompt_, prompt_graph_, searches, shape);
  prompt_->set(prompt_graph_.wanted, wanted.data(), wanted.size() * sizeof(int32_t));
  // Until the logits are known to be numbers.
  for (const ActiveSearch* search : searches)
    search->block->suspect(tokens);
  if (!compute(*prompt_, requests_of(searches), &PassSeconds::prompt))
    return;
  float* logits = prompt_->read(prompt_graph_.logits, logits_);
  for (ActiveSearch* search : searches) {
    Request& request = *search->request;
    search->read = {request.tokens};
    search->position = tokens;
    search->order = {0};
    try {
      request.no_speech =
          std::exp(logits[tokens_.no_speech] - choose(logits, weights_.vocabulary, 0).log_sum);
      advance(*search, {logits + weights_.vocabulary});
    } catch (const Error&) {
      request.finish(std::current_exception());
      search->ended = true;
    }
    logits += 2 * static_cast<ptrdiff_t>(weights_.vocabulary);
  }
  copy_sequences(searches);
}

void Runner::step(const std::vector<ActiveSearch*>& unordered) {
  const std::vector<ActiveSearch*> searches = by_chunk(unordered);
  DecoderShape shape = {};
  int longest = 0;
  for (const ActiveSearch* search : searches) {
    shape.parts.push_back(
        {search->request->window.get(), search->block.get(), static_cast<int>(search->next.size())});
    longest = std::max(longest, search->position + 1);
  }
  shape.tokens = 1;
  shape.keys = padded_keys(longest);
  shape.logit_rows = shape.rows();
  shape.all_rows = true;
  prepare_step(shape);
  fill(*step_, step_graph_, searches, shape);
  for (const ActiveSearch* search : searches)
    search->block->suspect(search->position + 1);
  if (!compute(*step_, requests_of(searches), &PassSeconds::sample))
    return;
  float* logits = step_->read(step_graph_.logits, logits_);
  for (ActiveSearch* search : searches) {
    const size_t count = search->next.size();
    for (size_t i = 0; i < count; ++i)
      search->read[i].push_back(search->next[i]);
    search->position++;
    std::vector<float*> rows;
    for (const int place : search->order)
      rows.push_back(logits + static_cast<ptrdiff_t>(place) * weights_.vocabulary);
    advance(*search, rows);
    logits += static_cast<ptrdiff_t>(count) * weights_.vocabulary;
  }
  copy_sequences(searches);
}

// Lets the search choose. What is wrong with one search is no matter of the others.
void Runner::advance(ActiveSearch& search, const std::vector<float*>& rows) {
  Request& request = *search.request;
  std::vector<Branch> branches;
  try {
    const std::lock_guard<std::mutex> lock(request.searching);
    if (!request.abandoned) {
      branches = request.search->advance(rows);
      search.block->suspect(0);
    }
  } catch (...) {
    request.finish(std::current_exception());
    search.ended = true;
    return;
  }
  search.ended = branches.empty() || search.position >= weights_.text_positions;
  if (search.ended)
    return;
  for (const SequenceCopy& copy : search.branch(branches))
    waiting_copies_.push_back(copy);
}

// A search whose copies could not be made cannot go on.
void Runner::copy_sequences(const std::vector<ActiveSearch*>& searches) {
  std::vector<SequenceCopy> copies;
  copies.swap(waiting_copies_);
  try {
    copier_.copy(copies);
  } catch (...) {
    const std::exception_ptr failure = device_.is_gpu() ? note_gpu_failure() : std::current_exception();
    for (ActiveSearch* search : searches) {
      if (!search->ended)
        search->request->finish(failure);
      search->ended = true;
    }
    throw;
  }
}

bool Runner::align(Request& request) {
  const std::unique_ptr<SequenceBlock> block = sequences_.take(1);
  if (!block)
    return false;
  const int tokens = static_cast<int>(request.tokens.size());
  DecoderShape shape = {};
  shape.parts = {{request.window.get(), block.get(), 1}};
  shape.tokens = tokens;
  shape.keys = padded_keys(tokens);
  shape.heads = &request.heads;
  // The heads are those of the model, but for tests.
  PassKey key = key_of(shape);
  for (const AttentionHead& head : request.heads)
    key.insert(key.end(), {head.layer, head.head});
  prompt_->prepare(key, decoder_nodes(weights_, shape.parts.size()) + 8 * request.heads.size(),
                   [&](ggml_context* context, ggml_cgraph* graph) {
                     prompt_graph_ = build_decoder(builder(context, graph), weights_, shape, nullptr);
                   });
  ActiveSearch reading;
  reading.request = std::shared_ptr<Request>(std::shared_ptr<Request>(), &request);
  fill(*prompt_, prompt_graph_, {&reading}, shape);
  block->suspect(tokens);
  if (!compute(*prompt_, {&request}, &PassSeconds::prompt))
    return true;
  std::vector<float> copy;
  for (ggml_tensor* weights : prompt_graph_.attention) {
    const float* values = prompt_->read(weights, copy);
    request.attention.insert(request.attention.end(), values, values + ggml_nelements(weights));
  }
  if (std::all_of(request.attention.begin(), request.attention.end(),
                  [](float weight) { return std::isfinite(weight); }))
    block->suspect(0);
  return true;
}

} // namespace whisper_hip
