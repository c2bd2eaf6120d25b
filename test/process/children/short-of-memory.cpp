// To be preloaded: while the variable ALLOCATIONS_LEFT is a number, operator new, called by the addon, finds
// memory that many times on each thread that the addon starts, and not after that.
// (Other code of Node's process does not expect to find none.)
#include <link.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

uintptr_t addon_begin = 0, addon_end = 0;

int note_addon(dl_phdr_info* info, size_t, void*) {
  if (strstr(info->dlpi_name, "/whisper_hip.node") == nullptr)
    return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    if (part.p_type == PT_LOAD)
      addon_end = info->dlpi_addr + part.p_vaddr + part.p_memsz;
  }
  addon_begin = info->dlpi_addr;
  return 1;
}

bool is_of_addon(const void* address) {
  if (addon_begin == 0)
    dl_iterate_phdr(note_addon, nullptr);
  const auto number = reinterpret_cast<uintptr_t>(address);
  return number >= addon_begin && number < addon_end;
}

thread_local bool knows = false;   // whether this thread has looked at the variable
thread_local bool is_ours = false; // and has its number
thread_local long left = 0;

void look() {
  const char* text = getenv("ALLOCATIONS_LEFT");
  is_ours = text != nullptr && syscall(SYS_gettid) != getpid();
  if (is_ours)
    left = atol(text);
  knows = true;
}

bool fails(const void* caller) {
  if (getenv("ALLOCATIONS_LEFT") == nullptr || !is_of_addon(caller))
    return false;
  if (!knows)
    look();
  return is_ours && left-- <= 0;
}

} // namespace

__attribute__((visibility("default"))) void* operator new(size_t size) {
  void* memory = fails(__builtin_return_address(0)) ? nullptr : malloc(size > 0 ? size : 1);
  if (memory == nullptr)
    throw std::bad_alloc();
  return memory;
}
__attribute__((visibility("default"))) void operator delete(void* memory) noexcept {
  free(memory);
}
__attribute__((visibility("default"))) void operator delete(void* memory, size_t) noexcept {
  free(memory);
}
