// Converts a tensor with several threads while memory runs out, at each allocation in turn, in all threads.
// Prints how often it failed, as bad_alloc, before it succeeded; an exception that nobody catches ends the
// program.
#include "model/row_converter.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

namespace {

std::atomic<bool> is_short{false};
std::atomic<long> allocations_left{0}; // while memory is short

} // namespace

void* operator new(size_t size) {
  if (is_short && allocations_left.fetch_sub(1) <= 0)
    throw std::bad_alloc();
  void* memory = std::malloc(size != 0 ? size : 1);
  if (memory == nullptr)
    throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}

namespace whisper_hip {
// Of backend/compute.h, which would bring all of ggml's scheduler along.
int compute_threads() {
  return 4;
}
} // namespace whisper_hip

int main() {
  using namespace whisper_hip;
  constexpr int64_t kColumns = 1024, kRows = 2048; // 8 MB: enough for all threads
  const auto store = std::make_shared<ByteStore>();
  for (int64_t row = 0; row < kRows; ++row) {
    const std::vector<float> values(kColumns, static_cast<float>(row));
    store->append(reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float));
  }
  std::vector<PlanSource> sources;
  sources.emplace_back(store);
  PlanTensor tensor{"tensor", {kColumns, kRows}, GGML_TYPE_F16, {}};
  tensor.parts.push_back({0, 0, GGML_TYPE_F32, kRows, {}, {}});
  std::vector<uint8_t> out(tensor.bytes());
  const std::function<void(size_t)> done = [](size_t) {};

  int failures = 0;
  for (long limit = 0;; ++limit) {
    allocations_left = limit;
    is_short = true;
    try {
      convert_tensor(sources, tensor, {}, out.data(), done);
      is_short = false;
      break;
    } catch (const std::bad_alloc&) {
      is_short = false;
      ++failures;
    }
  }
  const auto* values = reinterpret_cast<const ggml_fp16_t*>(out.data());
  bool right = true;
  for (int64_t row = 0; row < kRows; ++row)
    right = right && ggml_fp16_to_fp32(values[row * kColumns + row % kColumns]) == static_cast<float>(row);
  std::printf("%d %s\n", failures, right ? "right" : "wrong");
}
