#include <cpuid.h>

#include <cstring>
#include <string>

#include "cpu/kernels.h"

namespace whisper_hip {

namespace {

const Kernels* chosen = nullptr;

// __builtin_cpu_supports() learned this name late.
bool has_avx_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) != 0;
}

} // namespace

std::vector<const Kernels*> usable_kernels() {
  std::vector<const Kernels*> usable;
  __builtin_cpu_init();
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2 && avx2_kernels != nullptr)
    usable.push_back(&avx2_kernels());
  if (avx2 && has_avx_vnni() && avx_vnni_kernels != nullptr)
    usable.push_back(&avx_vnni_kernels());
  if (avx512 && avx512_kernels != nullptr)
    usable.push_back(&avx512_kernels());
  if (avx512 && __builtin_cpu_supports("avx512vnni") && avx512_vnni_kernels != nullptr)
    usable.push_back(&avx512_vnni_kernels());
  return usable;
}

const Kernels* chosen_kernels() {
  return chosen;
}

} // namespace whisper_hip

// Called by the addon before anything else of the module: `name` as in Kernels, "none" for those of ggml, or
// null for the best. `used` becomes null for "none". Returns null, or where there are none of this name,
// those that are possible.
extern "C" __attribute__((visibility("default"))) const char*
whisper_hip_use_kernels(const char* name, const whisper_hip::Kernels** used) {
  using namespace whisper_hip;
  static std::string possible;
  const std::vector<const Kernels*> usable = usable_kernels();
  chosen = name == nullptr && !usable.empty() ? usable.back() : nullptr;
  possible = "none";
  for (const Kernels* kernels : usable) {
    if (name != nullptr && std::strcmp(name, kernels->name) == 0)
      chosen = kernels;
    possible += std::string(", ") + kernels->name;
  }
  const bool refused = name != nullptr && chosen == nullptr && std::strcmp(name, "none") != 0;
  *used = chosen;
  return refused ? possible.c_str() : nullptr;
}
