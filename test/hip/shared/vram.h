// The memory of a device: memory of the host that nobody but the double can touch.
//
// A real GPU's memory is not in reach of the CPU. So the pages at the addresses that ggml sees have no access
// rights but while the double computes: code that takes a pointer of a device buffer for one of the host dies
// here too. For copies the double has a second view of the same pages.
#pragma once

#include <cstddef>

namespace doubles {

// Memory of a device, full of `content`, as what others left there: 0xff is not a number in every floating
// type. Returns null when the system has no more.
void* allocate(size_t size, unsigned char content = 0xff);
void release(void* memory);

// Where the double itself may read and write what lies at an address; an address of the host is given back as
// it is.
void* view(const void* address);

// Access to the memory of all devices at its own addresses while the object lives.
class Access {
 public:
  Access();
  ~Access();
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;
};

} // namespace doubles
