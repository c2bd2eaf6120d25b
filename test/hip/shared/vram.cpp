#include "vram.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

namespace doubles {

namespace {

struct Block {
  size_t bytes;
  char* view;
};

std::mutex& mutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

std::map<char*, Block>& blocks() {
  static auto* blocks = new std::map<char*, Block>;
  return *blocks;
}

int users = 0;

void protect(void* memory, size_t size, int rights) {
  if (mprotect(memory, size, rights) == 0)
    return;
  perror("test double: mprotect");
  abort();
}

} // namespace

void* allocate(size_t size, unsigned char content) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t bytes = (size + page) / page * page; // at least one byte behind the end is fenced off too
  std::lock_guard<std::mutex> lock(mutex());
  const int file = memfd_create("vram", MFD_CLOEXEC);
  if (file < 0)
    return nullptr;
  void* memory = MAP_FAILED;
  void* view = MAP_FAILED;
  if (ftruncate(file, static_cast<off_t>(bytes)) == 0) {
    memory = mmap(nullptr, bytes, users > 0 ? PROT_READ | PROT_WRITE : PROT_NONE, MAP_SHARED, file, 0);
    view = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  close(file);
  if (memory == MAP_FAILED || view == MAP_FAILED)
    return nullptr;
  if (content != 0) // as new pages are
    memset(view, content, bytes);
  blocks()[static_cast<char*>(memory)] = {bytes, static_cast<char*>(view)};
  return memory;
}

void release(void* memory) {
  std::lock_guard<std::mutex> lock(mutex());
  auto block = blocks().find(static_cast<char*>(memory));
  munmap(block->second.view, block->second.bytes);
  munmap(memory, block->second.bytes);
  blocks().erase(block);
}

void* view(const void* address) {
  char* const place = static_cast<char*>(const_cast<void*>(address));
  std::lock_guard<std::mutex> lock(mutex());
  auto block = blocks().upper_bound(place);
  if (block == blocks().begin())
    return place;
  --block;
  const size_t offset = static_cast<size_t>(place - block->first);
  return offset < block->second.bytes ? block->second.view + offset : place;
}

Access::Access() {
  std::lock_guard<std::mutex> lock(mutex());
  if (users++ == 0)
    for (auto& [memory, block] : blocks())
      protect(memory, block.bytes, PROT_READ | PROT_WRITE);
}

Access::~Access() {
  std::lock_guard<std::mutex> lock(mutex());
  if (--users == 0)
    for (auto& [memory, block] : blocks())
      protect(memory, block.bytes, PROT_NONE);
}

} // namespace doubles
