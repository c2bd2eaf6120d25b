// The memory of a fake GPU: host memory that nobody but the fake GPU can touch.
//
// A real GPU's memory is not in reach of the CPU. So the pages have no access rights but while the fake GPU
// copies or computes: code that takes a pointer of a device buffer for one of the host dies here too.
#pragma once

#include <cstddef>

namespace fake_gpu {

// Memory of a device: full of 0xff (not a number in every floating type), as freed memory of others would be.
// Returns null when the system has no more.
void* allocate(size_t size);
void release(void* memory);

// Access to all memory of all fake GPUs while the object lives.
class Access {
 public:
  Access();
  ~Access();
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;
};

} // namespace fake_gpu
