#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "stub.h"

namespace stub {

namespace {

thread_local int device_of_thread = 0;

std::string at(const std::vector<std::string>& values, size_t index, const std::string& fallback) {
  return values.empty() ? fallback : values[std::min(index, values.size() - 1)];
}

std::vector<std::string> split(std::string text) {
  std::vector<std::string> parts;
  size_t comma = 0;
  while ((comma = text.find(',')) != std::string::npos) {
    parts.push_back(text.substr(0, comma));
    text = text.substr(comma + 1);
  }
  parts.push_back(text);
  return parts;
}

// As ROCm reads its lists: up to the first entry that names no device.
std::vector<size_t> filter(const char* variable, const std::vector<size_t>& all,
                           const std::vector<std::string>& uuids) {
  const char* value = getenv(variable);
  if (value == nullptr)
    return all;
  std::vector<size_t> chosen;
  for (const std::string& entry : split(value)) {
    const auto uuid = std::find(uuids.begin(), uuids.end(), entry);
    const bool is_number = !entry.empty() && entry.find_first_not_of("0123456789") == std::string::npos;
    const size_t index = uuid != uuids.end() ? uuid - uuids.begin()
                         : is_number         ? strtoul(entry.c_str(), nullptr, 10)
                                             : all.size();
    if (index >= all.size())
      break;
    chosen.push_back(all[index]);
  }
  return chosen;
}

// HSA_OVERRIDE_GFX_VERSION=10.3.0 makes a gfx1030 of every chip.
std::string effective(const std::string& gfx) {
  const char* value = getenv("HSA_OVERRIDE_GFX_VERSION");
  unsigned major, minor, step;
  if (value == nullptr || sscanf(value, "%u.%u.%u", &major, &minor, &step) != 3)
    return gfx;
  char name[32];
  snprintf(name, sizeof name, "gfx%u%x%x", major, minor, step);
  return name;
}

std::vector<Device>* find_devices() {
  const std::vector<std::string> uuids = script().list("uuid");
  std::vector<size_t> numbers(strtoul(script().get("devices", "1").c_str(), nullptr, 10));
  for (size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = i;
  numbers = filter("ROCR_VISIBLE_DEVICES", numbers, uuids);
  const bool has_hip = getenv("HIP_VISIBLE_DEVICES") != nullptr;
  numbers = filter(has_hip ? "HIP_VISIBLE_DEVICES" : "CUDA_VISIBLE_DEVICES", numbers, {});

  auto* devices = new std::vector<Device>;
  const std::vector<std::string> code = script().list("code");
  bool has_code = true;
  for (const size_t number : numbers) {
    Device device = {};
    device.gfx = effective(at(script().list("gfx"), number, "gfx1100"));
    device.name = at(script().list("name"), number, "Stub GPU (computes nothing)");
    char slot[16];
    snprintf(slot, sizeof slot, "0000:%02zx:00.0", number + 3);
    const std::vector<std::string> pci = script().list("pci");
    device.pci = number < pci.size() ? pci[number] : slot;
    device.memory = strtoull(at(script().list("memory"), number, "8589934592").c_str(), nullptr, 10);
    device.units = atoi(at(script().list("units"), number, "96").c_str());
    device.integrated = at(script().list("integrated"), number, "0") == "1";
    // HIP's loader stops at the first device that no code object fits, and has none for those after it
    // either.
    const std::string chip = device.gfx.substr(0, device.gfx.find(':'));
    if (!code.empty() && std::find(code.begin(), code.end(), chip) == code.end()) {
      has_code = false;
      const char* level = getenv("AMD_LOG_LEVEL");
      if (level != nullptr && atoi(level) >= 1)
        fprintf(stderr, ":1:hip_fatbin.cpp: No compatible code objects found for: %s\n", device.gfx.c_str());
    }
    device.has_code = has_code;
    devices->push_back(device);
  }
  return devices;
}

// The places of the fields of hipDeviceProp_t in the layout that HIP has had since 6.0.
struct Properties {
  char bytes[1472];

  template <typename Value> void set(size_t offset, Value value) {
    memcpy(bytes + offset, &value, sizeof value);
  }
  void set_text(size_t offset, const std::string& text) { snprintf(bytes + offset, 256, "%s", text.c_str()); }
};

} // namespace

std::vector<Device>& devices() {
  static auto* devices = find_devices();
  return *devices;
}

int current_device() {
  return device_of_thread;
}

} // namespace stub

using stub::devices;

STUB_API int hipGetDeviceCount(int* number) {
  *number = 0;
  ENTER(hipGetDeviceCount);
  *number = static_cast<int>(devices().size());
  return *number > 0 ? kSuccess : stub::fail(kNoDevice);
}

STUB_API int hipSetDevice(int device) {
  ENTER(hipSetDevice);
  if (device < 0 || device >= static_cast<int>(devices().size()))
    return stub::fail(kInvalidDevice);
  stub::device_of_thread = device;
  return kSuccess;
}

STUB_API int hipGetDevice(int* device) {
  ENTER(hipGetDevice);
  *device = stub::current_device();
  return kSuccess;
}

STUB_API int hipGetDevicePropertiesR0600(stub::Properties* properties, int index) {
  ENTER(hipGetDevicePropertiesR0600);
  if (index < 0 || index >= static_cast<int>(devices().size()))
    return stub::fail(kInvalidDevice);
  const stub::Device& device = devices()[index];
  const std::string chip = device.gfx.substr(3, device.gfx.find(':') - 3); // 1100, 90a
  unsigned domain = 0, bus = 0, slot = 0;
  sscanf(device.pci.c_str(), "%x:%x:%x", &domain, &bus, &slot);
  memset(properties->bytes, 0, sizeof properties->bytes);
  properties->set_text(0, device.name);
  properties->set<uint64_t>(288, device.memory);                            // totalGlobalMem
  properties->set<uint64_t>(296, 65536);                                    // sharedMemPerBlock
  properties->set<int>(304, 65536);                                         // regsPerBlock
  properties->set<int>(308, chip[0] == '9' ? 64 : 32);                      // warpSize
  properties->set<int>(320, 1024);                                          // maxThreadsPerBlock
  properties->set<int>(348, 2500000);                                       // clockRate
  properties->set<int>(360, atoi(chip.substr(0, chip.size() - 2).c_str())); // major
  properties->set<int>(
      364, static_cast<int>(strtol(chip.substr(chip.size() - 2, 1).c_str(), nullptr, 16))); // minor
  properties->set<int>(388, device.units); // multiProcessorCount
  properties->set<int>(396, device.integrated ? 1 : 0);
  properties->set<int>(584, static_cast<int>(bus));
  properties->set<int>(588, static_cast<int>(slot));
  properties->set<int>(592, static_cast<int>(domain));
  properties->set<int>(624, 2048);        // maxThreadsPerMultiProcessor
  properties->set<uint64_t>(640, 65536);  // sharedMemPerMultiprocessor
  properties->set<uint64_t>(696, 65536);  // sharedMemPerBlockOptin
  properties->set_text(1160, device.gfx); // gcnArchName
  return kSuccess;
}

STUB_API int hipDeviceGetAttribute(int* value, int, int) {
  ENTER(hipDeviceGetAttribute);
  *value = 0; // neither cooperative launches nor managed memory
  return kSuccess;
}

STUB_API int hipDeviceGetPCIBusId(char* text, int length, int device) {
  ENTER(hipDeviceGetPCIBusId);
  snprintf(text, static_cast<size_t>(length), "%s", devices()[device].pci.c_str());
  return kSuccess;
}

STUB_API int hipDeviceCanAccessPeer(int* can, int, int) {
  ENTER(hipDeviceCanAccessPeer);
  *can = 0;
  return kSuccess;
}

STUB_API int hipDeviceEnablePeerAccess(int, unsigned) {
  ENTER(hipDeviceEnablePeerAccess);
  return stub::fail(kPeerAccessUnsupported);
}
