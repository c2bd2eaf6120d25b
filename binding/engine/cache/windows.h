// Windows of audio as the decoder reads them: keys and values of its cross-attention.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "engine/device.h"
#include "engine/weights.h"

namespace whisper_hip {

class WindowCache;

// One window, f16: keys and values [text_state, positions] of each layer of the decoder. Its memory goes back
// to the cache with the last reference.
class EncodedWindow {
 public:
  EncodedWindow(std::shared_ptr<WindowCache> cache, int positions);
  ~EncodedWindow();
  EncodedWindow(const EncodedWindow&) = delete;
  EncodedWindow& operator=(const EncodedWindow&) = delete;

  int positions() const { return positions_; } // that were encoded, of 20 ms
  ggml_tensor* keys(int layer) const { return memory_.keys[static_cast<size_t>(layer)]; }
  ggml_tensor* values(int layer) const { return memory_.values[static_cast<size_t>(layer)]; }
  // Differs from that of every other window that has been.
  int64_t id() const { return id_; }

 private:
  friend class WindowCache;
  struct Memory {
    Tensors tensors;
    Buffer buffer;
    std::vector<ggml_tensor*> keys, values;
  };

  std::shared_ptr<WindowCache> cache_;
  int positions_;
  int64_t id_;
  Memory memory_;
};

// Keeps the memory of past windows for the next ones. Windows may be let go of by any thread.
class WindowCache : public std::enable_shared_from_this<WindowCache> {
 public:
  WindowCache(const Device& device, const ModelWeights& weights) : device_(device), weights_(weights) {}

  // Memory for a window of up to this many positions. Throws Error(ERR_OUT_OF_MEMORY).
  std::shared_ptr<EncodedWindow> make(int positions);
  // Of one whole window, in bytes.
  size_t window_bytes() const;
  // That are in use.
  int count() const;

 private:
  friend class EncodedWindow;
  EncodedWindow::Memory take();
  void give_back(EncodedWindow::Memory memory);

  const Device& device_;
  const ModelWeights& weights_;
  mutable std::mutex mutex_;
  std::vector<EncodedWindow::Memory> idle_;
  int used_ = 0;
  int64_t next_id_ = 0;
};

} // namespace whisper_hip
