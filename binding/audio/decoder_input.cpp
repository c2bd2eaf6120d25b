#include "audio/decoder_input.h"

#include <cstdlib>

namespace whisper_hip {

namespace {

// The largest honest request is a FLAC block of 2 MB with its seek table.
constexpr size_t kLargestAllocation = 8 << 20;

} // namespace

size_t read_input(void* user, void* out, size_t n) {
  auto* input = static_cast<DecoderInput*>(user);
  if (input->failure)
    return 0;
  try {
    return input->reader->read(out, n);
  } catch (...) {
    input->failure = std::current_exception();
    return 0;
  }
}

bool seek_input(void* user, int64_t offset, Whence whence) {
  auto* input = static_cast<DecoderInput*>(user);
  const auto size = static_cast<int64_t>(input->reader->size());
  const auto origin = static_cast<int64_t>(input->origin);
  int64_t base = origin;
  if (whence == Whence::current)
    base = static_cast<int64_t>(input->reader->position());
  if (whence == Whence::end)
    base = size;
  const int64_t target = base + offset;
  if (target < origin || target > size)
    return false;
  input->reader->seek(static_cast<uint64_t>(target));
  return true;
}

int64_t tell_input(void* user) {
  const auto* input = static_cast<DecoderInput*>(user);
  return static_cast<int64_t>(input->reader->position() - input->origin);
}

void* bounded_malloc(size_t size) {
  return size > kLargestAllocation ? nullptr : std::malloc(size);
}

void* bounded_realloc(void* memory, size_t size) {
  return size > kLargestAllocation ? nullptr : std::realloc(memory, size);
}

} // namespace whisper_hip
