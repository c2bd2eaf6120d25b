// Random access to the bytes of an audio file, wherever they lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace whisper_hip {

class ByteStore;

class ByteReader {
 public:
  // The regular file at `path`. Throws Error(ERR_AUDIO_DECODE) that names the path and the system's reason.
  static std::unique_ptr<ByteReader> open_file(const std::string& path);
  // The bytes of a store, which nobody releases while the reader lives.
  static std::unique_ptr<ByteReader> from_store(std::shared_ptr<const ByteStore> store);

  virtual ~ByteReader() = default;

  // Copies up to `n` bytes from the cursor on and moves it; fewer than `n` only at the end.
  // Throws Error(ERR_AUDIO_DECODE) when the file cannot be read.
  size_t read(void* out, size_t n);
  // Moves the cursor; a position after the end is allowed, there is nothing to read there.
  void seek(uint64_t offset) { position_ = offset; }
  uint64_t position() const { return position_; }
  // Bytes in total, as it was when the reader was made.
  uint64_t size() const { return size_; }

 protected:
  explicit ByteReader(uint64_t size) : size_(size) {}

 private:
  // Copies up to `n` bytes from `offset` on: 0 means the end, fewer than `n` are allowed.
  virtual size_t read_at(uint64_t offset, void* out, size_t n) = 0;

  uint64_t size_;
  uint64_t position_ = 0;
};

} // namespace whisper_hip
