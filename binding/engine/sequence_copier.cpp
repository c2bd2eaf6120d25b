#include "engine/sequence_copier.h"

#include <map>

#include "backend/graph_record.h"

namespace whisper_hip {

namespace {

// At a time: four beams that leave a prompt, or what some beams have not in common.
constexpr size_t kCopiedRows = 256;

} // namespace

void SequenceCopier::copy(const std::vector<SequenceCopy>& copies) {
  if (!device_.is_gpu() && !graphs_are_recorded())
    return cache_.copy(copies);
  std::map<const SequenceChunk*, std::vector<SequenceCopy>> by_chunk;
  for (const SequenceCopy& copy : copies)
    by_chunk[copy.chunk].push_back(copy);
  for (const auto& [chunk, own] : by_chunk)
    copy_by_graph(*chunk, own);
}

// All layers in one graph of always the same size, so that it never needs more memory. What is left over
// copies a row again.
void SequenceCopier::copy_by_graph(const SequenceChunk& chunk, const std::vector<SequenceCopy>& copies) {
  std::vector<int32_t> from;
  std::vector<int64_t> to;
  for (const SequenceCopy& copy : copies) {
    for (int position = copy.first; position < copy.end; ++position) {
      from.push_back(copy.from * weights_.text_positions + position);
      to.push_back(copy.to * weights_.text_positions + position);
    }
  }
  const size_t rows = GGML_PAD(from.size(), kCopiedRows);
  if (rows == 0)
    return;
  from.resize(rows, from.front());
  to.resize(rows, to.front());
  prepare(chunk);
  ComputeJob job = {};
  job.gpu_only = gpu_only_;
  job.threads = 1;
  job.is_cancelled = [] { return false; };
  for (size_t first = 0; first < rows; first += kCopiedRows) {
    pass_->set(from_, from.data() + first, kCopiedRows * sizeof(int32_t));
    pass_->set(to_, to.data() + first, kCopiedRows * sizeof(int64_t));
    pass_->compute(job);
  }
}

void SequenceCopier::prepare(const SequenceChunk& chunk) {
  if (!pass_)
    pass_.emplace(device_);
  pass_->prepare({reinterpret_cast<int64_t>(&chunk)}, weights_.decoder.size() * 8 + 16,
                 [&](ggml_context* context, ggml_cgraph* graph) {
                   from_ = ggml_new_tensor_1d(context, GGML_TYPE_I32, kCopiedRows);
                   to_ = ggml_new_tensor_1d(context, GGML_TYPE_I64, kCopiedRows);
                   ggml_set_input(from_);
                   ggml_set_input(to_);
                   for (const auto* list : {&chunk.keys, &chunk.values}) {
                     for (ggml_tensor* tensor : *list)
                       ggml_build_forward_expand(
                           graph, ggml_set_rows(context, tensor, ggml_get_rows(context, tensor, from_), to_));
                   }
                 });
}

} // namespace whisper_hip
