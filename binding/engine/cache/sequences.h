// What decoders have seen of their own text: keys and values of the self-attention, f16, of each sequence
// that is decoded. Sequences of one window lie side by side.
#pragma once

#include <memory>
#include <vector>

#include "engine/device.h"
#include "engine/weights.h"

namespace whisper_hip {

// Room for some sequences: of each layer [text_state, text_positions * sequences]. Positions that are masked
// are read all the same, and what is no number times zero is none: so what nobody has written, or was written
// by those that have gone, is always a number.
struct SequenceChunk {
  Tensors tensors;
  Buffer buffer;
  std::vector<ggml_tensor*> keys, values; // of each layer
  std::vector<bool> used;                 // of each sequence
};

class SequenceCache;

// Consecutive sequences of a chunk.
class SequenceBlock {
 public:
  SequenceBlock(SequenceCache& cache, std::shared_ptr<SequenceChunk> chunk, int first, int count)
      : cache_(cache), chunk_(std::move(chunk)), first_(first), count_(count) {}
  ~SequenceBlock();
  SequenceBlock(const SequenceBlock&) = delete;
  SequenceBlock& operator=(const SequenceBlock&) = delete;

  const SequenceChunk& chunk() const { return *chunk_; }
  int first() const { return first_; }
  int count() const { return count_; }
  // Whether the first `positions` of each may hold what is no number: they are cleared before others get
  // them.
  void suspect(int positions) { suspected_ = positions; }

 private:
  SequenceCache& cache_;
  std::shared_ptr<SequenceChunk> chunk_;
  int first_;
  int count_;
  int suspected_ = 0;
};

// A part of one sequence becomes that of another one: positions [first, end).
struct SequenceCopy {
  const SequenceChunk* chunk;
  int from, to; // sequences of the chunk
  int first, end;
};

class SequenceCache {
 public:
  SequenceCache(const Device& device, const ModelWeights& weights);

  // Room for `count` sequences, or nothing where memory or its limit is exhausted.
  std::unique_ptr<SequenceBlock> take(int count);
  // Of ordinary memory. No copy reads what another one writes.
  void copy(const std::vector<SequenceCopy>& copies) const;
  size_t sequence_bytes() const;

 private:
  friend class SequenceBlock;
  std::shared_ptr<SequenceChunk> make_chunk(int sequences);
  // Makes the first positions of some sequences zero.
  void clear(const SequenceChunk& chunk, int first, int count, int positions) const;

  const Device& device_;
  const ModelWeights& weights_;
  std::vector<std::shared_ptr<SequenceChunk>> chunks_;
};

} // namespace whisper_hip
