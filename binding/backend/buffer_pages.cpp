#include "backend/buffer_pages.h"

#include <sys/mman.h>
#include <unistd.h>

namespace whisper_hip {

Pages pages_of(ggml_backend_buffer_t buffer) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto base = reinterpret_cast<uintptr_t>(ggml_backend_buffer_get_base(buffer));
  const uintptr_t start = (base + page - 1) / page * page;
  const uintptr_t end = (base + ggml_backend_buffer_get_size(buffer)) / page * page;
  return end > start ? Pages{reinterpret_cast<uint8_t*>(start), end - start} : Pages{};
}

void ask_for_large_pages(ggml_backend_buffer_t buffer) {
  const Pages pages = pages_of(buffer);
  if (pages.size > 0)
    (void)madvise(pages.start, pages.size, MADV_HUGEPAGE);
}

} // namespace whisper_hip
