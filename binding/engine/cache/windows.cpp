#include "engine/cache/windows.h"

#include <utility>

#include "backend/buffer_pages.h"
#include "cpu/kernels.h"

namespace whisper_hip {

EncodedWindow::EncodedWindow(std::shared_ptr<WindowCache> cache, int positions)
    : cache_(std::move(cache)), positions_(positions), memory_(cache_->take()) {
  std::lock_guard<std::mutex> lock(cache_->mutex_);
  id_ = cache_->next_id_++;
}

EncodedWindow::~EncodedWindow() {
  cache_->give_back(std::move(memory_));
}

std::shared_ptr<EncodedWindow> WindowCache::make(int positions) {
  return std::make_shared<EncodedWindow>(shared_from_this(), positions);
}

EncodedWindow::Memory WindowCache::take() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      EncodedWindow::Memory memory = std::move(idle_.back());
      idle_.pop_back();
      ++used_;
      return memory;
    }
  }
  const size_t layers = weights_.decoder.size();
  EncodedWindow::Memory memory;
  memory.tensors = describe_tensors(2 * layers);
  for (size_t i = 0; i < layers; ++i) {
    for (auto* list : {&memory.keys, &memory.values})
      list->push_back(ggml_new_tensor_2d(memory.tensors.get(), GGML_TYPE_F16, weights_.text_state,
                                         padded_keys(weights_.audio_positions)));
  }
  memory.buffer = device_.allocate(memory.tensors.get(), "the keys and values of a window");
  if (!device_.is_gpu())
    ask_for_large_pages(memory.buffer.get()); // each token reads all of it
  std::lock_guard<std::mutex> lock(mutex_);
  ++used_;
  return memory;
}

void WindowCache::give_back(EncodedWindow::Memory memory) {
  std::lock_guard<std::mutex> lock(mutex_);
  --used_;
  idle_.push_back(std::move(memory));
}

size_t WindowCache::window_bytes() const {
  return 2 * sizeof(uint16_t) * weights_.decoder.size() * static_cast<size_t>(weights_.text_state) *
         static_cast<size_t>(padded_keys(weights_.audio_positions));
}

int WindowCache::count() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return used_;
}

} // namespace whisper_hip
