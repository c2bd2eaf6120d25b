// rocBLAS without kernels. What it does have is the search for its files, and the death of the process when
// the chip has none.
#include <dlfcn.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

extern "C" {
int hipGetDevice(int* device);
int hipGetDevicePropertiesR0600(void* properties, int device);
int whisper_hip_stub_enter(const char* function);
}

namespace {

std::string chip_of_device() {
  int device = 0;
  char properties[1472];
  if (hipGetDevice(&device) != 0 || hipGetDevicePropertiesR0600(properties, device) != 0)
    return "";
  const std::string name = properties + 1160; // gcnArchName
  return name.substr(0, name.find(':'));
}

std::string folder() {
  const char* named = getenv("ROCBLAS_TENSILE_LIBPATH");
  if (named != nullptr)
    return named;
  Dl_info info = {};
  dladdr(reinterpret_cast<void*>(&chip_of_device), &info);
  const std::string library = info.dli_fname;
  return library.substr(0, library.rfind('/')) + "/rocblas/library";
}

// Once per process, as the real one.
bool initialize() {
  const std::string chip = chip_of_device();
  const std::string files = folder();
  if (access((files + "/TensileLibrary_lazy_" + chip + ".dat").c_str(), R_OK) == 0)
    return true;
  fprintf(stderr,
          "\nrocBLAS error: Cannot read %s/TensileLibrary.dat: No such file or directory for GPU arch : %s\n"
          " List of available TensileLibrary Files : \n",
          files.c_str(), chip.c_str());
  fflush(stderr);
  abort();
}

} // namespace

extern "C" __attribute__((visibility("default"))) int whisper_hip_stub_product(const char* function) {
  static const bool ready = initialize();
  return ready ? whisper_hip_stub_enter(function) : 0;
}
