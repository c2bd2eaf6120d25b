// The CPU backend module: which of the shipped variants this CPU can run best. One choice per process.
#pragma once

#include <string>
#include <vector>

#include "cpu/kernels.h"

namespace whisper_hip {

struct ModuleFailure {
  std::string path;
  std::string error;
};

struct CpuModule {
  std::string path;
  std::string name;       // as the backend calls its device, e.g. "AMD EPYC"
  const Kernels* kernels; // ours that it uses; null for none
  std::vector<ModuleFailure> failures;
};

// Loads the module with the highest score by absolute path and registers it with ggml. The first call
// decides; later calls return the same module. Throws Error(ERR_NATIVE_MISSING) that lists why each one
// failed, or Error(ERR_INVALID_ARGUMENT) for a WHISPER_HIP_CPU that names no kernels.
const CpuModule& load_cpu_module(const std::vector<std::string>& paths);

// The kernels of the module that is loaded; null without any.
const Kernels* cpu_kernels();

} // namespace whisper_hip
