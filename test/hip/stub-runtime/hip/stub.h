// What the parts of the stub HIP runtime share. Nothing here comes from a header of HIP: the few types are as
// the real module's calls need them on x86-64 and AArch64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "shared/script.h"

// Values of hipError_t that the stub gives by itself; a script may give any.
enum Error : int {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kInvalidDeviceFunction = 98,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kHostMemoryNotRegistered = 713,
  kPeerAccessUnsupported = 217,
};

#define STUB_API extern "C" __attribute__((visibility("default")))

namespace stub {

struct Device {
  std::string name, gfx, pci;
  size_t memory; // bytes
  size_t used = 0;
  int units; // compute units
  bool integrated;
  bool has_code; // whether the loader of code objects got as far as this device
};

doubles::Script& script();

// The devices that ROCR_VISIBLE_DEVICES and HIP_VISIBLE_DEVICES leave.
std::vector<Device>& devices();
// The device of this thread.
int current_device();

// The beginning of each function: counts the call and does what the script says. Returns the error that the
// call has to give.
int enter(const char* function);
// Keeps an error for hipGetLastError, and returns it.
int fail(int error);

// Adds to a number of the file of `counts=`.
void count(const std::string& key, uint64_t amount = 1);
// Sets one.
void set_count(const std::string& key, uint64_t value);

// Counts a launch, or records it when the stream is being captured. Returns an error.
int launch(const char* function, const void* kernel, void* stream);
// Whether the launch belongs to a graph that is being captured on this stream.
bool capture(void* stream, const std::string& kernel);

} // namespace stub

#define ENTER(function)                                                                                      \
  if (const int error = stub::enter(#function))                                                              \
  return stub::fail(error)
