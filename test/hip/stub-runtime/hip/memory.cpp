// Memory of the device: pages of the host that only the stub can touch. Copies are done at once; kernels
// never.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "shared/vram.h"
#include "stub.h"

namespace stub {

namespace {

struct Block {
  size_t size;
  int device; // -1: memory of the host
};

std::mutex& mutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

std::map<void*, Block>& blocks() {
  static auto* blocks = new std::map<void*, Block>;
  return *blocks;
}

int allocate(void** pointer, size_t size, bool on_device) {
  *pointer = nullptr;
  std::lock_guard<std::mutex> lock(mutex());
  if (on_device) {
    Device& device = devices()[current_device()];
    if (device.used + size > device.memory)
      return kOutOfMemory;
    const auto content =
        static_cast<unsigned char>(strtoul(script().get("fill", "165").c_str(), nullptr, 10));
    *pointer = doubles::allocate(size, content);
    if (*pointer == nullptr)
      return kOutOfMemory;
    device.used += size;
    set_count("memory.device" + std::to_string(current_device()), device.used);
  } else {
    *pointer = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
    if (*pointer == nullptr)
      return kOutOfMemory;
  }
  count(on_device ? "allocations.device" : "allocations.host");
  count(on_device ? "allocations.device.bytes" : "allocations.host.bytes", size);
  blocks()[*pointer] = {size, on_device ? current_device() : -1};
  return kSuccess;
}

int release(void* pointer) {
  if (pointer == nullptr)
    return kSuccess;
  std::lock_guard<std::mutex> lock(mutex());
  auto block = blocks().find(pointer);
  if (block == blocks().end())
    return kInvalidValue;
  const int device = block->second.device;
  if (device >= 0) {
    devices()[device].used -= block->second.size;
    set_count("memory.device" + std::to_string(device), devices()[device].used);
    doubles::release(pointer);
  } else {
    free(pointer);
  }
  blocks().erase(block);
  return kSuccess;
}

bool is_on_device(const void* pointer) {
  std::lock_guard<std::mutex> lock(mutex());
  auto block = blocks().upper_bound(const_cast<void*>(pointer));
  if (block == blocks().begin())
    return false;
  --block;
  return block->second.device >= 0 &&
         static_cast<const char*>(pointer) < static_cast<char*>(block->first) + block->second.size;
}

void count_copy(const void* to, const void* from, size_t bytes) {
  const char* direction = is_on_device(from) ? (is_on_device(to) ? "deviceToDevice" : "deviceToHost")
                                             : (is_on_device(to) ? "hostToDevice" : "hostToHost");
  count(std::string("copies.") + direction);
  count(std::string("copies.") + direction + ".bytes", bytes);
}

} // namespace

} // namespace stub

STUB_API int hipMalloc(void** pointer, size_t size) {
  ENTER(hipMalloc);
  return stub::fail(stub::allocate(pointer, size, true));
}

STUB_API int hipMallocManaged(void** pointer, size_t size, unsigned) {
  ENTER(hipMallocManaged);
  return stub::fail(stub::allocate(pointer, size, true));
}

STUB_API int hipFree(void* pointer) {
  ENTER(hipFree);
  return stub::fail(stub::release(pointer));
}

STUB_API int hipHostMalloc(void** pointer, size_t size, unsigned) {
  ENTER(hipHostMalloc);
  return stub::fail(stub::allocate(pointer, size, false));
}

STUB_API int hipHostFree(void* pointer) {
  ENTER(hipHostFree);
  return stub::fail(stub::release(pointer));
}

STUB_API int hipHostRegister(void*, size_t, unsigned) {
  ENTER(hipHostRegister);
  return kSuccess;
}

STUB_API int hipHostUnregister(void*) {
  ENTER(hipHostUnregister);
  return kSuccess;
}

STUB_API int hipMemAdvise(const void*, size_t, int, int) {
  ENTER(hipMemAdvise);
  return kSuccess;
}

STUB_API int hipMemGetInfo(size_t* free, size_t* total) {
  ENTER(hipMemGetInfo);
  const stub::Device& device = stub::devices()[stub::current_device()];
  *total = device.memory;
  *free = device.memory - device.used;
  return kSuccess;
}

STUB_API int hipMemcpyAsync(void* to, const void* from, size_t size, int, void*) {
  ENTER(hipMemcpyAsync);
  stub::count_copy(to, from, size);
  memcpy(doubles::view(to), doubles::view(from), size);
  return kSuccess;
}

STUB_API int hipMemcpyPeerAsync(void* to, int, const void* from, int, size_t size, void*) {
  ENTER(hipMemcpyPeerAsync);
  stub::count_copy(to, from, size);
  memcpy(doubles::view(to), doubles::view(from), size);
  return kSuccess;
}

STUB_API int hipMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                              size_t height, int, void*) {
  ENTER(hipMemcpy2DAsync);
  stub::count_copy(to, from, width * height);
  char* const target = static_cast<char*>(doubles::view(to));
  const char* const source = static_cast<const char*>(doubles::view(from));
  for (size_t row = 0; row < height; ++row)
    memcpy(target + row * to_pitch, source + row * from_pitch, width);
  return kSuccess;
}

STUB_API int hipMemset(void* to, int value, size_t size) {
  ENTER(hipMemset);
  memset(doubles::view(to), value, size);
  return kSuccess;
}

STUB_API int hipMemsetAsync(void* to, int value, size_t size, void*) {
  ENTER(hipMemsetAsync);
  memset(doubles::view(to), value, size);
  return kSuccess;
}
