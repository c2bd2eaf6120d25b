#include "vram.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

namespace fake_gpu {

namespace {

std::mutex& mutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

std::map<void*, size_t>& blocks() {
  static auto* blocks = new std::map<void*, size_t>;
  return *blocks;
}

int users = 0;

void protect(void* memory, size_t size, int rights) {
  if (mprotect(memory, size, rights) == 0)
    return;
  perror("fake GPU: mprotect");
  abort();
}

} // namespace

void* allocate(size_t size) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t bytes = (size + page) / page * page; // at least one byte behind the end is fenced off too
  std::lock_guard<std::mutex> lock(mutex());
  void* memory = mmap(nullptr, bytes + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return nullptr;
  protect(memory, bytes, PROT_READ | PROT_WRITE);
  memset(memory, 0xff, bytes);
  if (users == 0)
    protect(memory, bytes, PROT_NONE);
  blocks()[memory] = bytes;
  return memory;
}

void release(void* memory) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  std::lock_guard<std::mutex> lock(mutex());
  auto block = blocks().find(memory);
  munmap(memory, block->second + page);
  blocks().erase(block);
}

Access::Access() {
  std::lock_guard<std::mutex> lock(mutex());
  if (users++ == 0)
    for (auto& [memory, size] : blocks())
      protect(memory, size, PROT_READ | PROT_WRITE);
}

Access::~Access() {
  std::lock_guard<std::mutex> lock(mutex());
  if (--users == 0)
    for (auto& [memory, size] : blocks())
      protect(memory, size, PROT_NONE);
}

} // namespace fake_gpu
