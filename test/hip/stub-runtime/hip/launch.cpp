// Kernels: registered by the module when it is loaded, counted by name when they are launched, never
// executed.
#include <cxxabi.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <mutex>

#include "stub.h"

namespace stub {

namespace {

struct Dim3 {
  uint32_t x, y, z;
};

struct Configuration {
  Dim3 grid, block;
  size_t shared;
  void* stream;
};

std::vector<Configuration>& configurations() {
  static thread_local std::vector<Configuration> stack;
  return stack;
}

std::mutex& mutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

std::map<const void*, std::string>& kernels() {
  static auto* kernels = new std::map<const void*, std::string>;
  return *kernels;
}

// "void mul_mat_q<(ggml_type)8, 64, false>(char const*, …)" becomes "mul_mat_q<(ggml_type)8, 64, false>".
std::string readable(const char* mangled) {
  int status = 0;
  char* demangled = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  if (status != 0)
    return mangled;
  std::string name = demangled;
  free(demangled);
  int depth = 0;
  for (size_t i = 0; i < name.size(); ++i) {
    depth += name[i] == '<';
    depth -= name[i] == '>';
    if (depth == 0 && name[i] == '(' && name.compare(i, 21, "(anonymous namespace)") != 0) {
      name.resize(i);
      break;
    }
  }
  if (name.rfind("void ", 0) == 0)
    name = name.substr(5);
  return name;
}

int without_code() {
  const std::string how = script().get("nocode", "98");
  if (how == "segfault") {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
  }
  return atoi(how.c_str());
}

} // namespace

int launch(const char* function, const void* kernel, void* stream) {
  if (const int error = enter(function))
    return error;
  std::string name;
  {
    std::lock_guard<std::mutex> lock(mutex());
    auto known = kernels().find(kernel);
    if (known == kernels().end())
      return kInvalidDeviceFunction;
    name = known->second;
  }
  const auto answer = script().reach_any([&](const std::string& place) {
    return place.rfind("kernel/", 0) == 0 && name.find(place.substr(7)) != std::string::npos;
  });
  if (answer.key == "return")
    return atoi(answer.argument.c_str());
  if (!devices()[current_device()].has_code)
    return without_code();
  if (capture(stream, name))
    return kSuccess;
  count("launches");
  count("kernel." + name);
  return kSuccess;
}

} // namespace stub

STUB_API void** __hipRegisterFatBinary(const void*) {
  static void* handle = nullptr;
  stub::enter("__hipRegisterFatBinary");
  return &handle;
}

STUB_API void __hipUnregisterFatBinary(void**) {
  stub::enter("__hipUnregisterFatBinary");
}

STUB_API void __hipRegisterFunction(void**, const void* function, char*, const char* name, unsigned, void*,
                                    void*, void*, void*, int*) {
  std::lock_guard<std::mutex> lock(stub::mutex());
  stub::kernels()[function] = stub::readable(name);
}

STUB_API int __hipPushCallConfiguration(stub::Dim3 grid, stub::Dim3 block, size_t shared, void* stream) {
  stub::configurations().push_back({grid, block, shared, stream});
  return kSuccess;
}

STUB_API int __hipPopCallConfiguration(stub::Dim3* grid, stub::Dim3* block, size_t* shared, void** stream) {
  const stub::Configuration top = stub::configurations().back();
  stub::configurations().pop_back();
  *grid = top.grid;
  *block = top.block;
  *shared = top.shared;
  *stream = top.stream;
  return kSuccess;
}

STUB_API int hipLaunchKernel(const void* kernel, stub::Dim3, stub::Dim3, void**, size_t, void* stream) {
  return stub::fail(stub::launch("hipLaunchKernel", kernel, stream));
}

STUB_API int hipLaunchCooperativeKernel(const void* kernel, stub::Dim3, stub::Dim3, void**, unsigned,
                                        void* stream) {
  return stub::fail(stub::launch("hipLaunchCooperativeKernel", kernel, stream));
}

STUB_API int hipFuncSetAttribute(const void*, int, int) {
  ENTER(hipFuncSetAttribute);
  return kSuccess;
}

STUB_API int hipOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int, size_t) {
  ENTER(hipOccupancyMaxActiveBlocksPerMultiprocessor);
  *blocks = 2;
  return kSuccess;
}
