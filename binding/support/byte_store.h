// Bytes in native memory that grow chunk by chunk and shrink from the front.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

namespace whisper_hip {

// A sequence of bytes in blocks: growing never copies what is there, so memory never peaks at twice the size.
//
// Not thread safe. It is filled on the JS thread and then handed, as a shared_ptr, to one job, which alone
// reads it and releases it; nobody appends after that.
class ByteStore {
 public:
  // Copies `size` bytes to the end. Throws std::bad_alloc; the bytes that fitted before that stay.
  void append(const uint8_t* bytes, size_t size);

  // All bytes ever appended, released ones included.
  uint64_t size() const { return size_; }

  // Copies up to `n` bytes from `offset` on and returns how many there were: 0 at or after the end.
  // Throws Error(ERR_INTERNAL) when `offset` has been released.
  size_t read(uint64_t offset, void* out, size_t n) const;

  // Frees every block that lies wholly before `offset`; offsets keep their meaning.
  void release_before(uint64_t offset);

 private:
  struct Block {
    std::unique_ptr<uint8_t[]> bytes;
    uint64_t start; // offset of its first byte
    size_t used;
    size_t capacity;
  };

  std::deque<Block> blocks_;
  uint64_t size_ = 0;
};

} // namespace whisper_hip
