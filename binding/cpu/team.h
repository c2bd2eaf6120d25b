// The threads that compute a node together, the memory that they work in, and how they share the work.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ggml-cpu-impl.h"

namespace whisper_hip {

// The threads, and which of them this is.
struct Team {
  int index;
  int size;
  ggml_threadpool* pool;
};

// Hands out pieces of the working memory, each aligned to a cache line.
class Memory {
 public:
  explicit Memory(uint8_t* base) : start_(base), next_(aligned(base)) {}

  template <typename Value = uint8_t> Value* take(size_t count) {
    uint8_t* piece = next_;
    next_ = aligned(piece + count * sizeof(Value));
    return reinterpret_cast<Value*>(piece);
  }
  // A piece for each thread, of which this one's is returned.
  template <typename Value = uint8_t> Value* take_own(const Team& team, size_t count) {
    Value* own = nullptr;
    for (int i = 0; i < team.size; ++i) {
      Value* piece = take<Value>(count);
      if (i == team.index)
        own = piece;
    }
    return own;
  }
  size_t used() const { return static_cast<size_t>(next_ - start_) + 64; }

 private:
  static uint8_t* aligned(uint8_t* place) {
    return reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(place) + 63) / 64 * 64);
  }
  uint8_t* start_;
  uint8_t* next_;
};

// Work in equal pieces, taken by whoever is free.
template <typename Piece> inline void share(const Team& team, int64_t pieces, Piece piece) {
  for (int64_t next = team.index; next < pieces; next = ggml_threadpool_chunk_add(team.pool, 1))
    piece(next);
}
// Before share(), by all threads; also waits until all have come here.
inline void gather(const Team& team) {
  if (team.index == 0)
    ggml_threadpool_chunk_set(team.pool, team.size);
  ggml_barrier(team.pool);
}

inline int64_t divided_up(int64_t count, int64_t by) {
  return (count + by - 1) / by;
}

} // namespace whisper_hip
