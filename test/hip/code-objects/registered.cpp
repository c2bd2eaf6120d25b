#include "registered.h"

#include <dlfcn.h>
#include <link.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>

namespace {

// What clang makes of each translation unit, and hands to the runtime.
struct Wrapper {
  uint32_t magic; // HIPF
  uint32_t version;
  const char* image;
  const void* unused;
};
constexpr uint32_t kMagic = 0x48495046;

struct Unit {
  const Wrapper* wrapper;
  std::vector<std::string> kernels;
};

// In the order of registration. Libraries that the module needs register theirs too.
std::vector<Unit>& units() {
  static std::vector<Unit> all;
  return all;
}

struct Range {
  uintptr_t begin, end;
};

// The part of a library's memory that holds an address, or nothing.
Range segment_of(const link_map* library, const void* address) {
  struct Search {
    uintptr_t base, address;
    Range found;
  } search = {library->l_addr, reinterpret_cast<uintptr_t>(address), {0, 0}};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        Search& search = *static_cast<Search*>(data);
        if (info->dlpi_addr != search.base)
          return 0;
        for (int i = 0; i < info->dlpi_phnum; i++) {
          const auto& header = info->dlpi_phdr[i];
          const Range range = {search.base + header.p_vaddr, search.base + header.p_vaddr + header.p_filesz};
          if (header.p_type == PT_LOAD && search.address >= range.begin && search.address < range.end)
            search.found = range;
        }
        return 1;
      },
      &search);
  return search.found;
}

} // namespace

// In place of those of libamdhip64.
extern "C" {
__attribute__((visibility("default"))) void** __hipRegisterFatBinary(const void* wrapper) {
  units().push_back({static_cast<const Wrapper*>(wrapper), {}});
  return reinterpret_cast<void**>(units().size());
}
__attribute__((visibility("default"))) void __hipRegisterFunction(void** handle, const void*, char*,
                                                                  const char* name, unsigned, void*, void*,
                                                                  void*, void*, int*) {
  units().at(reinterpret_cast<size_t>(handle) - 1).kernels.emplace_back(name);
}
__attribute__((visibility("default"))) void __hipRegisterVar(void**, void*, char*, char*, int, size_t, int,
                                                             int) {}
__attribute__((visibility("default"))) void __hipRegisterManagedVar(void*, void**, void*, const char*, size_t,
                                                                    unsigned) {}
__attribute__((visibility("default"))) void __hipUnregisterFatBinary(void**) {}
}

std::vector<RegisteredBundle> load_module(const char* path) {
  void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  link_map* library = nullptr;
  if (handle == nullptr || dlinfo(handle, RTLD_DI_LINKMAP, &library) != 0)
    throw std::runtime_error(dlerror());
  std::vector<RegisteredBundle> bundles;
  for (const Unit& unit : units()) {
    if (segment_of(library, unit.wrapper).end == 0) // of another library
      continue;
    const Range range = segment_of(library, unit.wrapper->image);
    if (unit.wrapper->magic != kMagic || range.end == 0)
      throw std::runtime_error("the module registers device code in a form that this check does not know");
    bundles.push_back(
        {unit.wrapper->image, range.end - reinterpret_cast<uintptr_t>(unit.wrapper->image), unit.kernels});
  }
  return bundles;
}

std::string runtime_library() {
  std::string path;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        if (std::strstr(info->dlpi_name, "/libamdhip64.so") != nullptr)
          *static_cast<std::string*>(data) = info->dlpi_name;
        return 0;
      },
      &path);
  if (path.empty())
    throw std::runtime_error("the module needs no libamdhip64");
  return path;
}
