#include "engine/cache/sequences.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "backend/buffer_pages.h"
#include "backend/gpu_state.h"
#include "backend/gpu_watch.h"
#include "support/error.h"

namespace whisper_hip {

namespace {

// Eight windows of five beams.
constexpr int kUsualSequences = 40;
// The part of the free memory that a chunk may take.
constexpr size_t kShare = 4;

} // namespace

SequenceBlock::~SequenceBlock() {
  if (suspected_ > 0)
    cache_.clear(*chunk_, first_, count_, suspected_);
  for (int i = first_; i < first_ + count_; ++i)
    chunk_->used[static_cast<size_t>(i)] = false;
  // Ordinary memory takes pages only where something was written: they are given back when nobody is left.
  const bool is_idle = std::none_of(chunk_->used.begin(), chunk_->used.end(), [](bool used) { return used; });
  if (!is_idle || cache_.device_.is_gpu())
    return;
  const Pages pages = pages_of(chunk_->buffer.get());
  if (pages.size > 0)
    madvise(pages.start, pages.size, MADV_DONTNEED);
}

SequenceCache::SequenceCache(const Device& device, const ModelWeights& weights)
    : device_(device), weights_(weights) {}

size_t SequenceCache::sequence_bytes() const {
  return 2 * sizeof(uint16_t) * weights_.decoder.size() * static_cast<size_t>(weights_.text_state) *
         static_cast<size_t>(weights_.text_positions);
}

std::shared_ptr<SequenceChunk> SequenceCache::make_chunk(int sequences) {
  auto chunk = std::make_shared<SequenceChunk>();
  const size_t layers = weights_.decoder.size();
  chunk->tensors = describe_tensors(2 * layers);
  for (size_t i = 0; i < layers; ++i) {
    for (auto* list : {&chunk->keys, &chunk->values})
      list->push_back(ggml_new_tensor_2d(chunk->tensors.get(), GGML_TYPE_F16, weights_.text_state,
                                         static_cast<int64_t>(weights_.text_positions) * sequences));
  }
  chunk->buffer = device_.allocate(chunk->tensors.get(), "the self-attention of sequences");
  chunk->used.assign(static_cast<size_t>(sequences), false);
  // Positions that are masked are read all the same, and what is no number times zero is none.
  if (device_.is_gpu()) {
    const GpuScope waiting(true);
    ggml_backend_buffer_clear(chunk->buffer.get(), 0);
  } else {
    const Pages pages = pages_of(chunk->buffer.get());
    auto* base = static_cast<uint8_t*>(ggml_backend_buffer_get_base(chunk->buffer.get()));
    const size_t size = ggml_backend_buffer_get_size(chunk->buffer.get());
    if (pages.size == 0 || madvise(pages.start, pages.size, MADV_DONTNEED) != 0) {
      std::memset(base, 0, size);
    } else {
      const auto before = static_cast<size_t>(pages.start - base);
      std::memset(base, 0, before);
      std::memset(pages.start + pages.size, 0, size - before - pages.size);
    }
  }
  return chunk;
}

void SequenceCache::clear(const SequenceChunk& chunk, int first, int count, int positions) const {
  if (device_.is_gpu() && !gpu_failure().empty())
    return;
  const auto row = static_cast<size_t>(weights_.text_state) * sizeof(uint16_t);
  const auto sequence = row * static_cast<size_t>(weights_.text_positions);
  try {
    const GpuScope waiting(device_.is_gpu());
    for (const auto* list : {&chunk.keys, &chunk.values}) {
      for (ggml_tensor* tensor : *list) {
        for (int i = first; i < first + count; ++i)
          ggml_backend_tensor_memset(tensor, 0, sequence * static_cast<size_t>(i),
                                     row * static_cast<size_t>(positions));
      }
    }
  } catch (...) {
    (void)note_gpu_failure();
  }
}

std::unique_ptr<SequenceBlock> SequenceCache::take(int count) {
  for (const auto& chunk : chunks_) {
    int free = 0;
    for (int i = 0; i < static_cast<int>(chunk->used.size()); ++i) {
      free = chunk->used[static_cast<size_t>(i)] ? 0 : free + 1;
      if (free < count)
        continue;
      const int first = i + 1 - count;
      std::fill_n(chunk->used.begin() + first, count, true);
      return std::make_unique<SequenceBlock>(*this, chunk, first, count);
    }
  }
  const size_t affordable = device_.free_memory() / kShare / sequence_bytes();
  const int wanted =
      std::max(count, static_cast<int>(std::min<size_t>(affordable, static_cast<size_t>(kUsualSequences))));
  for (const int sequences : {wanted, count}) {
    try {
      chunks_.push_back(make_chunk(sequences));
    } catch (const Abort&) {
      throw;
    } catch (const Error&) {
      continue;
    }
    std::fill_n(chunks_.back()->used.begin(), count, true);
    return std::make_unique<SequenceBlock>(*this, chunks_.back(), 0, count);
  }
  return nullptr;
}

void SequenceCache::copy(const std::vector<SequenceCopy>& copies) const {
  const auto row = static_cast<size_t>(weights_.text_state) * sizeof(uint16_t);
  const auto sequence = row * static_cast<size_t>(weights_.text_positions);
  for (const SequenceCopy& copy : copies) {
    for (const auto* list : {&copy.chunk->keys, &copy.chunk->values}) {
      for (ggml_tensor* tensor : *list) {
        auto* data = static_cast<uint8_t*>(tensor->data) + row * static_cast<size_t>(copy.first);
        std::memcpy(data + sequence * static_cast<size_t>(copy.to),
                    data + sequence * static_cast<size_t>(copy.from),
                    row * static_cast<size_t>(copy.end - copy.first));
      }
    }
  }
}

} // namespace whisper_hip
