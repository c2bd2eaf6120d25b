#include "backend/hip_module.h"

#include <dlfcn.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "backend/gpu_state.h"
#include "backend/gpu_watch.h"
#include "ggml-backend.h"
#include "support/error.h"
#include "support/log.h"

namespace whisper_hip {

namespace {

std::timed_mutex load_mutex;
// Readable while another thread loads, and perhaps never comes back from it.
std::atomic<const HipModule*> loaded{nullptr};
std::pair<std::string, std::string> no_devices; // path and message

[[noreturn]] void refuse(const std::string& message) {
  throw Error("ERR_BACKEND_UNAVAILABLE", message);
}

// ggml would log the loader's answer; asking first keeps it. The module stays loaded: HIP cannot be unloaded.
void open_library(const std::string& path) {
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr)
    return;
  const char* reason = dlerror();
  refuse(reason != nullptr ? reason : "The loader refused " + path + " without a reason");
}

HipDevice describe(ggml_backend_dev_t device) {
  ggml_backend_dev_props props;
  ggml_backend_dev_get_props(device, &props);
  const auto text = [](const char* value) { return std::string(value != nullptr ? value : ""); };
  return {text(props.name), text(props.description), text(props.device_id), props.memory_free,
          props.memory_total};
}

} // namespace

const HipModule& load_hip_module(const std::string& path, const std::string& gpu) {
  std::unique_lock<std::timed_mutex> lock(load_mutex, std::defer_lock);
  while (!lock.try_lock_for(std::chrono::milliseconds(100)))
    require_sound_gpu(); // the thread that loads may have been given up
  if (const HipModule* module = loaded) {
    if (module->path == path && module->gpu == gpu)
      return *module;
    throw Error("ERR_BACKEND_UNAVAILABLE",
                "This process has already started HIP with " + module->path +
                    (module->path == path ? " for another GPU" : "") + "; it can be started once",
                "DEVICE_NOT_FOUND");
  }
  if (no_devices.first == path)
    refuse(no_devices.second);
  auto module = std::make_unique<HipModule>();
  module->path = path;
  module->gpu = gpu;

  const GpuScope waiting(true);
  open_library(path);
  LogScope log;
  ggml_backend_reg_t registry = ggml_backend_load(path.c_str());
  if (registry == nullptr)
    refuse(logged_errors().empty() ? "ggml refused the module " + path : logged_errors());
  for (size_t i = 0; i < ggml_backend_reg_dev_count(registry); ++i)
    module->devices.push_back(describe(ggml_backend_reg_dev_get(registry, i)));
  if (module->devices.empty()) {
    // HIP looks for devices once in a process, and says once what is wrong.
    no_devices = {path, logged_errors().empty() ? "HIP offers no device" : logged_errors()};
    refuse(no_devices.second);
  }
  loaded = module.get();
  return *module.release();
}

HipMemory hip_memory(size_t place) {
  require_sound_gpu();
  const HipModule* module = loaded;
  if (module == nullptr || place >= module->devices.size())
    refuse("HIP offers no device " + std::to_string(place));
  HipMemory memory = {};
  try {
    const GpuScope waiting(true);
    ggml_backend_dev_memory(ggml_backend_dev_by_name(module->devices[place].name.c_str()), &memory.free,
                            &memory.total);
  } catch (...) {
    std::rethrow_exception(note_gpu_failure());
  }
  return memory;
}

Variables set_variables(const Variables& variables) {
  Variables before;
  for (const auto& [name, value] : variables) {
    const char* old = std::getenv(name.c_str());
    before.emplace_back(name, old != nullptr ? std::optional<std::string>(old) : std::nullopt);
    if (value)
      setenv(name.c_str(), value->c_str(), 1);
    else
      unsetenv(name.c_str());
  }
  return before;
}

const HipModule* loaded_hip_module() {
  return loaded;
}

} // namespace whisper_hip
