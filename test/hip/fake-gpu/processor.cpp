#include "processor.h"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "fake_script.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"

namespace fake_gpu {

namespace {

bool is_cpu_module(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return name.rfind("libggml-cpu", 0) == 0 && name.size() > 3 && name.substr(name.size() - 3) == ".so";
}

// The module that the addon has chosen already.
std::string loaded_module() {
  std::string found;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        if (info->dlpi_name == nullptr || !is_cpu_module(info->dlpi_name))
          return 0;
        *static_cast<std::string*>(data) = info->dlpi_name;
        return 1;
      },
      &found);
  return found;
}

int score_of(const std::string& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr)
    return 0;
  auto score = reinterpret_cast<int (*)()>(dlsym(handle, "ggml_backend_score"));
  const int result = score != nullptr ? score() : 1;
  dlclose(handle);
  return result;
}

// The folder of ggml's library is that of its modules.
std::string best_module() {
  Dl_info info = {};
  if (dladdr(reinterpret_cast<void*>(&ggml_backend_buffer_init), &info) == 0 || info.dli_fname == nullptr)
    return "";
  std::string best;
  int best_score = 0;
  std::error_code ignored;
  const auto folder = std::filesystem::absolute(info.dli_fname).parent_path();
  for (const auto& file : std::filesystem::directory_iterator(folder, ignored)) {
    if (!is_cpu_module(file.path().string()))
      continue;
    const int score = score_of(file.path().string());
    if (score > best_score) {
      best_score = score;
      best = file.path().string();
    }
  }
  return best;
}

ggml_backend_reg_t load() {
  std::string path = script().get("cpu");
  if (path.empty())
    path = loaded_module();
  if (path.empty())
    path = best_module();
  void* handle = path.empty() ? nullptr : dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  auto init =
      handle == nullptr ? nullptr : reinterpret_cast<ggml_backend_init_t>(dlsym(handle, "ggml_backend_init"));
  if (init == nullptr) {
    fprintf(stderr, "fake GPU: there is no CPU module to compute with (%s): name it with cpu=PATH\n",
            path.empty() ? "none found" : path.c_str());
    fflush(stderr);
    _exit(97);
  }
  return init();
}

ggml_backend_reg_t cpu_registry() {
  static const ggml_backend_reg_t registry = load();
  return registry;
}

template <typename Function> Function cpu_function(const char* name) {
  return reinterpret_cast<Function>(ggml_backend_reg_get_proc_address(cpu_registry(), name));
}

int thread_count() {
  const int wanted = atoi(script().get("threads").c_str());
  return wanted > 0 ? wanted : std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 4);
}

} // namespace

ggml_backend_dev_t cpu_device() {
  return ggml_backend_reg_dev_get(cpu_registry(), 0);
}

ggml_backend_t new_cpu_stream() {
  ggml_backend_t stream = ggml_backend_dev_init(cpu_device(), nullptr);
  if (stream == nullptr)
    return nullptr;
  static const int threads = thread_count();
  static ggml_threadpool* const pool = [] {
    ggml_threadpool_params params = ggml_threadpool_params_default(threads);
    params.poll = 0;
    return cpu_function<ggml_threadpool* (*)(ggml_threadpool_params*)>("ggml_threadpool_new")(&params);
  }();
  cpu_function<ggml_backend_set_n_threads_t>("ggml_backend_set_n_threads")(stream, threads);
  cpu_function<void (*)(ggml_backend_t, ggml_threadpool*)>("ggml_backend_cpu_set_threadpool")(stream, pool);
  return stream;
}

} // namespace fake_gpu
