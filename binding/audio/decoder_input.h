// What a decoder in C reads from by callbacks, and the memory that it may take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>

#include "audio/byte_reader.h"

namespace whisper_hip {

// Exceptions of the reader wait here while the C code is on the stack.
struct DecoderInput {
  std::unique_ptr<ByteReader> reader;
  uint64_t origin; // the byte that the decoder takes for the first one
  std::exception_ptr failure;

  void rethrow() {
    if (failure)
      std::rethrow_exception(std::exchange(failure, nullptr));
  }
};

enum class Whence { start, current, end };

// Callbacks; `user` is a DecoderInput.
size_t read_input(void* user, void* out, size_t n);
bool seek_input(void* user, int64_t offset, Whence whence);
int64_t tell_input(void* user);

// As malloc() and realloc(), but for sizes that no honest header leads to.
void* bounded_malloc(size_t size);
void* bounded_realloc(void* memory, size_t size);

} // namespace whisper_hip
