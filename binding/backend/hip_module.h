// The HIP module: one choice per process, since HIP reads its environment once and a loaded module stays.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace whisper_hip {

// A GPU as HIP shows it.
struct HipDevice {
  std::string name;        // of ggml, e.g. "ROCm0"
  std::string description; // e.g. "AMD Radeon RX 7900 XTX"
  std::string pci_id;      // e.g. "0000:03:00.0"; empty when unknown
  size_t memory_free;      // bytes
  size_t memory_total;
};

struct HipModule {
  std::string path;
  std::string gpu;                // that it was loaded for: a PCI address, or empty
  std::vector<HipDevice> devices; // in the order of ggml's GPU ordinals
};

// Loads the module by absolute path and registers it with ggml. The first success decides: later calls return
// the same module, and throw when they ask for another one or for another GPU. Which GPU HIP sees,
// environment variables say. Throws Error(ERR_BACKEND_UNAVAILABLE) with what the loader or HIP says.
const HipModule& load_hip_module(const std::string& path, const std::string& gpu);

// Environment variables, by name; no value for one that is not set.
using Variables = std::vector<std::pair<std::string, std::optional<std::string>>>;

// Sets or unsets the variables, and returns them as they were. JS thread: it is there that Node reads them.
Variables set_variables(const Variables& variables);

struct HipMemory { // bytes
  size_t free;
  size_t total;
};

// Of the device at this place in HipModule::devices, now. Throws Error(ERR_BACKEND_UNAVAILABLE).
HipMemory hip_memory(size_t place);

// The module of this process, or null.
const HipModule* loaded_hip_module();

} // namespace whisper_hip
