#include "backend/cpu_module.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>

#include "ggml-backend.h"
#include "support/error.h"

namespace whisper_hip {

namespace {

std::mutex load_mutex;
std::unique_ptr<CpuModule> loaded;

// What the module thinks of this CPU: 0 = cannot run here. A module built for one CPU only exports no score.
int score_of(const std::string& path, std::string& error) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    error = reason != nullptr ? reason : "dlopen failed without a reason";
    return 0;
  }
  auto score = reinterpret_cast<int (*)()>(dlsym(handle, "ggml_backend_score"));
  const int result = score != nullptr ? score() : 1;
  if (result == 0)
    error = "this CPU lacks an instruction set that the module was compiled for";
  dlclose(handle);
  return result;
}

// Chooses our kernels that the module uses: the best, or those that WHISPER_HIP_CPU names. Modules for other
// processors than x86-64 have none.
const Kernels* choose_kernels(const std::string& path) {
  const char* wanted = std::getenv("WHISPER_HIP_CPU");
  if (wanted != nullptr && *wanted == '\0')
    wanted = nullptr;
  // The module stays loaded: it is linked so, and ggml's registry holds it.
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  auto use = handle != nullptr ? reinterpret_cast<const char* (*)(const char*, const Kernels**)>(
                                     dlsym(handle, "whisper_hip_use_kernels"))
                               : nullptr;
  const Kernels* kernels = nullptr;
  const char* possible = nullptr;
  if (use != nullptr)
    possible = use(wanted, &kernels);
  else if (wanted != nullptr && std::strcmp(wanted, "none") != 0)
    possible = "none";
  if (possible != nullptr)
    throw Error("ERR_INVALID_ARGUMENT",
                std::string("WHISPER_HIP_CPU=") + wanted +
                    " names no kernels that this processor and build have; possible are " + possible);
  return kernels;
}

std::string describe(const std::vector<ModuleFailure>& failures) {
  std::string text;
  for (const ModuleFailure& failure : failures)
    text += "\n  " + failure.path + ": " + failure.error;
  return text;
}

} // namespace

const CpuModule& load_cpu_module(const std::vector<std::string>& paths) {
  std::lock_guard<std::mutex> lock(load_mutex);
  if (loaded)
    return *loaded;

  auto module = std::make_unique<CpuModule>();
  int best = 0;
  for (const std::string& path : paths) {
    std::string error;
    const int score = score_of(path, error);
    if (score == 0) {
      module->failures.push_back({path, error});
    } else if (score > best) {
      best = score;
      module->path = path;
    }
  }
  if (best == 0) {
    throw Error("ERR_NATIVE_MISSING", "None of the " + std::to_string(paths.size()) +
                                          " CPU modules can be used:" + describe(module->failures));
  }

  module->kernels = choose_kernels(module->path);
  ggml_backend_reg_t registry = ggml_backend_load(module->path.c_str());
  if (registry == nullptr || ggml_backend_reg_dev_count(registry) == 0) {
    throw Error("ERR_NATIVE_MISSING", "The CPU module " + module->path + " was found but offers no device");
  }
  module->name = ggml_backend_dev_description(ggml_backend_reg_dev_get(registry, 0));
  loaded = std::move(module);
  return *loaded;
}

const Kernels* cpu_kernels() {
  std::lock_guard<std::mutex> lock(load_mutex);
  return loaded ? loaded->kernels : nullptr;
}

} // namespace whisper_hip
