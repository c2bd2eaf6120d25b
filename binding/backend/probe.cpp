#include "backend/probe.h"

#include <dlfcn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>

#include "backend/cpu_module.h"
#include "backend/hip_module.h"
#include "backend/probe_computation.h"
#include "backend/probe_operations.h"
#include "backend/probe_reporter.h"
#include "support/log.h"

namespace whisper_hip {

namespace {

std::string describe(const HipModule& module) {
  std::string list;
  for (const HipDevice& device : module.devices) {
    list += (list.empty() ? "" : ",") + ("{\"name\":" + json_text(device.name)) +
            ",\"description\":" + json_text(device.description) + ",\"pciId\":" + json_text(device.pci_id) +
            ",\"memoryFree\":" + std::to_string(device.memory_free) +
            ",\"memoryTotal\":" + std::to_string(device.memory_total) + "}";
  }
  return ",\"devices\":[" + list + "]";
}

size_t place_of(const HipModule& module, const std::string& pci_id) {
  for (size_t i = 0; i < module.devices.size(); ++i) {
    if (module.devices[i].pci_id == pci_id)
      return i;
  }
  return 0;
}

ggml_backend_dev_t device_of(const HipModule& module, const std::string& pci_id) {
  return ggml_backend_dev_by_name(module.devices[place_of(module, pci_id)].name.c_str());
}

ProbeOutcome open_module(const std::string& path) {
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr)
    return {};
  const char* reason = dlerror();
  return {reason != nullptr ? reason : "the loader gives no reason", ""};
}

} // namespace

void run_probe(const std::vector<std::string>& cpu_modules, const std::string& hip_module,
               const std::string& pci_id, int descriptor) {
  // A trial that hangs must not outlive the process that wants to know, nor leave a core dump of the GPU's
  // memory behind.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  // What goes wrong is on stderr when the process dies of it.
  LogScope log([](int level, const char* text) {
    if (level >= GGML_LOG_LEVEL_WARN)
      std::fputs(text, stderr);
  });

  const ProbeReporter report(descriptor);
  BackendPointer cpu, gpu;
  ggml_backend_dev_t device = nullptr;
  bool ok = report.stage("cpu", [&]() -> ProbeOutcome {
    load_cpu_module(cpu_modules);
    cpu.reset(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr));
    return {cpu ? "" : "the CPU module gives no backend", ""};
  });
  ok = ok && report.stage("library", [&] { return open_module(hip_module); });
  ok = ok && report.stage("devices", [&]() -> ProbeOutcome {
    const HipModule& module = load_hip_module(hip_module, pci_id);
    device = device_of(module, pci_id);
    return {"", describe(module)};
  });
  ok = ok && report.stage("backend", [&]() -> ProbeOutcome {
    gpu.reset(ggml_backend_dev_init(device, nullptr));
    return {gpu ? "" : "the device could not be initialised " + logged_errors(), ""};
  });
  std::unique_ptr<ProbePattern> pattern;
  ok = ok && report.stage("memory", [&]() -> ProbeOutcome {
    pattern = std::make_unique<ProbePattern>(gpu.get());
    return {pattern->is_intact()
                ? ""
                : "wrong numbers: the device's memory gives back other bytes than were written",
            ""};
  });
  for (const ProbeOperation& operation : probe_operations()) {
    ok =
        ok && report.stage(operation.name, [&] { return compare_with_cpu(operation, gpu.get(), cpu.get()); });
  }
  ok = ok && report.stage("release", [&]() -> ProbeOutcome {
    const bool intact = pattern->is_intact();
    pattern.reset();
    gpu.reset();
    return {intact ? "" : "wrong numbers: an operation has written to memory that is not its own", ""};
  });
}

} // namespace whisper_hip
