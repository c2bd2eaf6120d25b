#include "support/byte_store.h"

#include <algorithm>
#include <cstring>

#include "support/error.h"

namespace whisper_hip {

namespace {
constexpr uint64_t kSmallestBlock = 64 << 10;
constexpr uint64_t kLargestBlock = 4 << 20;
} // namespace

void ByteStore::append(const uint8_t* bytes, size_t size) {
  while (size > 0) {
    if (blocks_.empty() || blocks_.back().used == blocks_.back().capacity) {
      // Blocks grow with the store: many small appends make few blocks, a small store stays small.
      const uint64_t wanted = std::max<uint64_t>(size, size_);
      const size_t capacity = std::clamp(wanted, kSmallestBlock, kLargestBlock);
      blocks_.push_back({std::unique_ptr<uint8_t[]>(new uint8_t[capacity]), size_, 0, capacity});
    }
    Block& block = blocks_.back();
    const size_t n = std::min(size, block.capacity - block.used);
    std::memcpy(block.bytes.get() + block.used, bytes, n);
    block.used += n;
    size_ += n;
    bytes += n;
    size -= n;
  }
}

size_t ByteStore::read(uint64_t offset, void* out, size_t n) const {
  if (offset >= size_)
    return 0;
  if (blocks_.empty() || offset < blocks_.front().start) {
    throw Error("ERR_INTERNAL",
                "Byte " + std::to_string(offset) + " of a byte store was read after its release");
  }
  auto block =
      std::upper_bound(blocks_.begin(), blocks_.end(), offset,
                       [](uint64_t value, const Block& candidate) { return value < candidate.start; });
  --block;
  size_t done = 0;
  for (; done < n && block != blocks_.end(); ++block) {
    const size_t skip = offset + done - block->start;
    const size_t count = std::min(n - done, block->used - skip);
    std::memcpy(static_cast<uint8_t*>(out) + done, block->bytes.get() + skip, count);
    done += count;
  }
  return done;
}

void ByteStore::release_before(uint64_t offset) {
  while (!blocks_.empty() && blocks_.front().start + blocks_.front().used <= offset)
    blocks_.pop_front();
}

} // namespace whisper_hip
