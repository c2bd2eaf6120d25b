#include <cstdlib>

#include "stub.h"

namespace stub {

namespace {

thread_local int last_error = kSuccess;

bool is_place(const std::string& place) {
  return place == "load" || place == "exit" || place.rfind("hip", 0) == 0 || place.rfind("__hip", 0) == 0 ||
         place.rfind("kernel/", 0) == 0;
}

} // namespace

doubles::Script& script() {
  static auto* script = [] {
    auto* made = new doubles::Script({
        "stub HIP runtime",
        "WHISPER_HIP_STUB",
        {"devices", "name", "gfx", "pci", "uuid", "memory", "units", "integrated", "fill", "code", "nocode",
         "counts"},
        {"return"},
        is_place,
    });
    atexit([] { stub::script().reach("exit"); });
    return made;
  }();
  return *script;
}

int enter(const char* function) {
  count(std::string("call.") + function);
  const doubles::Script::Answer answer = script().reach(function);
  return answer.key == "return" ? atoi(answer.argument.c_str()) : kSuccess;
}

int fail(int error) {
  if (error != kSuccess)
    last_error = error;
  return error;
}

namespace {

__attribute__((constructor)) void when_loaded() {
  script().reach("load");
}

} // namespace

} // namespace stub

STUB_API int hipGetLastError() {
  const int forced = stub::enter("hipGetLastError");
  const int error = forced != kSuccess ? forced : stub::last_error;
  stub::last_error = kSuccess;
  return error;
}

STUB_API const char* hipGetErrorString(int error) {
  switch (error) {
  case 0:
    return "no error";
  case 1:
    return "invalid argument";
  case 2:
    return "out of memory";
  case 3:
    return "initialization error";
  case 35:
    return "driver version is insufficient for runtime version";
  case 98:
    return "invalid device function";
  case 100:
    return "no ROCm-capable device is detected";
  case 101:
    return "invalid device ordinal";
  case 200:
    return "device kernel image is invalid";
  case 209:
    return "no kernel image is available for execution on the device";
  case 217:
    return "peer access is not supported between these two devices";
  case 218:
    return "invalid kernel file";
  case 303:
    return "shared object initialization failed";
  case 700:
    return "an illegal memory access was encountered";
  case 713:
    return "part or all of the requested memory range is not mapped";
  case 719:
    return "unspecified launch failure";
  case 801:
    return "operation not supported";
  default:
    return "unknown error";
  }
}
