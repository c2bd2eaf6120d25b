// A ggml backend with GPUs that are none: devices called ROCm0, ROCm1, … that compute on the CPU in a memory
// of their own. It takes the place of the HIP module in tests (WHISPER_HIP_LIBRARY=…/libggml-fake-gpu.so).
// README.md says what it can be told. Shapes, names and messages follow ggml's CUDA backend as it is compiled
// for HIP.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fake_script.h"
#include "ggml-backend-impl.h"
#include "ggml-impl.h"
#include "processor.h"
#include "shared/vram.h"

namespace fake_gpu {

namespace {

struct Device {
  int index;
  std::string name;        // ROCm0
  std::string description; // says that it is none
  std::string pci;
  size_t memory; // bytes
  std::atomic<size_t> used{0};
  std::atomic<int> streams{0};
  std::atomic<int> allocations{0};
  std::atomic<int> allocations_of_stream{0}; // since the last stream began
  ggml_backend_buffer_type buffer_type = {};
  ggml_backend_device device = {};
};

Device& of(ggml_backend_dev_t device) {
  return *static_cast<Device*>(device->context);
}

// Memory

struct Block {
  Device* device;
  void* memory;
};

Block& of(ggml_backend_buffer_t buffer) {
  return *static_cast<Block*>(buffer->context);
}

// What an allocation is for, told by its place in the order in which whisper.cpp allocates: weights before
// there is a stream, then three key-value caches, then working memory.
const char* purpose(const Device& device) {
  if (device.streams == 0)
    return "weights";
  return device.allocations_of_stream < 3 ? "kv" : "compute";
}

// `oom=weights|kv|compute`, `oom=#N` (the Nth allocation), `oom=BYTES` (all of that size or more).
bool is_refused(const Device& device, size_t size) {
  for (const std::string& rule : script().list("oom")) {
    if (rule == purpose(device))
      return true;
    if (!rule.empty() && rule[0] == '#' && atoi(rule.c_str() + 1) == device.allocations + 1)
      return true;
    if (!rule.empty() && rule[0] >= '0' && rule[0] <= '9' && size >= strtoull(rule.c_str(), nullptr, 10))
      return true;
  }
  return device.used + size > device.memory;
}

const ggml_backend_buffer_i& buffer_interface();

ggml_backend_buffer_t allocate_buffer(ggml_backend_buffer_type_t type, size_t size) {
  Device& device = of(type->device);
  const bool fails = reach("alloc", std::string(purpose(device)) + " " + std::to_string(size));
  const bool refused = fails || is_refused(device, size);
  device.allocations++;
  device.allocations_of_stream++;
  void* memory = refused ? nullptr : doubles::allocate(size);
  if (memory == nullptr) {
    GGML_LOG_ERROR(
        "ggml_backend_cuda_buffer_type_alloc_buffer: allocating %.2f MiB on device %d: cudaMalloc failed: "
        "out of memory\n",
        size / 1024.0 / 1024.0, device.index);
    return nullptr;
  }
  device.used += size;
  return ggml_backend_buffer_init(type, buffer_interface(), new Block{&device, memory}, size);
}

void free_buffer(ggml_backend_buffer_t buffer) {
  Block* block = &of(buffer);
  block->device->used -= buffer->size;
  reach("release", std::to_string(block->device->used));
  doubles::release(block->memory);
  delete block;
}

void set_tensor(ggml_backend_buffer_t, ggml_tensor* tensor, const void* data, size_t offset, size_t size) {
  reach("write", std::to_string(size));
  memcpy(doubles::view(static_cast<char*>(tensor->data) + offset), data, size);
}

void get_tensor(ggml_backend_buffer_t, const ggml_tensor* tensor, void* data, size_t offset, size_t size) {
  reach("read", std::to_string(size));
  memcpy(data, doubles::view(static_cast<const char*>(tensor->data) + offset), size);
}

void set_all(ggml_backend_buffer_t, ggml_tensor* tensor, uint8_t value, size_t offset, size_t size) {
  memset(doubles::view(static_cast<char*>(tensor->data) + offset), value, size);
}

bool copy_tensor(ggml_backend_buffer_t buffer, const ggml_tensor* source, ggml_tensor* destination) {
  if (source->buffer->iface.get_base != buffer->iface.get_base)
    return false;
  memcpy(doubles::view(destination->data), doubles::view(source->data), ggml_nbytes(source));
  return true;
}

void clear_buffer(ggml_backend_buffer_t buffer, uint8_t value) {
  reach("clear", std::to_string(buffer->size));
  memset(doubles::view(of(buffer).memory), value, buffer->size);
}

const ggml_backend_buffer_i& buffer_interface() {
  static const ggml_backend_buffer_i interface = [] {
    ggml_backend_buffer_i made = {};
    made.free_buffer = free_buffer;
    made.get_base = [](ggml_backend_buffer_t buffer) { return of(buffer).memory; };
    made.memset_tensor = set_all;
    made.set_tensor = set_tensor;
    made.get_tensor = get_tensor;
    made.cpy_tensor = copy_tensor;
    made.clear = clear_buffer;
    return made;
  }();
  return interface;
}

// Computing

struct Stream {
  ggml_backend_t cpu;
};

Stream& of(ggml_backend_t stream) {
  return *static_cast<Stream*>(stream->context);
}

// One graph at a time, as on the hardware queue of one process.
std::mutex& queue() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

// What the script makes of a node.
struct Fault {
  bool idle = false;  // nothing is written
  bool wrong = false; // the results are changed:
  bool last = false;  // the last one only, to kFarOff
  float amount = 1.0f;
};
constexpr float kFarOff = 1000.0f;

void change_value(char* place, ggml_type type, const Fault& fault) {
  float value = type == GGML_TYPE_F32 ? *reinterpret_cast<float*>(place)
                                      : ggml_fp16_to_fp32(*reinterpret_cast<ggml_fp16_t*>(place));
  value = fault.last ? kFarOff : std::isnan(fault.amount) ? fault.amount : value * (1 + fault.amount);
  if (type == GGML_TYPE_F32)
    *reinterpret_cast<float*>(place) = value;
  else
    *reinterpret_cast<ggml_fp16_t*>(place) = ggml_fp32_to_fp16(value);
}

void make_wrong(ggml_tensor* node, const Fault& fault) {
  if (node->type != GGML_TYPE_F32 && node->type != GGML_TYPE_F16)
    return;
  // Where to begin in each dimension.
  const auto first = [&](int i) { return fault.last ? node->ne[i] - 1 : 0; };
  for (int64_t i3 = first(3); i3 < node->ne[3]; ++i3)
    for (int64_t i2 = first(2); i2 < node->ne[2]; ++i2)
      for (int64_t i1 = first(1); i1 < node->ne[1]; ++i1)
        for (int64_t i0 = first(0); i0 < node->ne[0]; ++i0)
          change_value(static_cast<char*>(node->data) + i3 * node->nb[3] + i2 * node->nb[2] +
                           i1 * node->nb[1] + i0 * node->nb[0],
                       node->type, fault);
}

Fault fault_of(const ggml_tensor* node) {
  Fault fault;
  for (const std::string& rule : script().list("idle"))
    fault.idle = fault.idle || matches(rule, node);
  for (const std::string& rule : script().list("wrong")) {
    const size_t colon = rule.find(':');
    if (fault.wrong || !matches(rule.substr(0, colon), node))
      continue;
    fault.wrong = true;
    const std::string how = colon == std::string::npos ? "" : rule.substr(colon + 1);
    fault.last = how == "last";
    if (!how.empty() && !fault.last)
      fault.amount = strtof(how.c_str(), nullptr);
  }
  return fault;
}

ggml_status compute_part(ggml_backend_t cpu, ggml_cgraph* graph, int begin, int end) {
  if (begin == end)
    return GGML_STATUS_SUCCESS;
  ggml_cgraph part = ggml_graph_view(graph, begin, end);
  return cpu->iface.graph_compute(cpu, &part);
}

ggml_status compute(ggml_backend_t stream, ggml_cgraph* graph) {
  const int count = ggml_graph_n_nodes(graph);
  if (reach("graph", std::to_string(count)))
    return GGML_STATUS_FAILED;
  if (script().has("slow"))
    std::this_thread::sleep_for(std::chrono::milliseconds(atoi(script().get("slow").c_str())));
  for (int i = 0; i < count; ++i)
    if (reach_operation(ggml_graph_node(graph, i)))
      return GGML_STATUS_FAILED;

  std::lock_guard<std::mutex> lock(queue());
  doubles::Access access;
  ggml_backend_t cpu = of(stream).cpu;
  const bool faultless = !script().has("wrong") && !script().has("idle");
  int done = 0;
  for (int i = faultless ? count : 0; i < count; ++i) {
    ggml_tensor* node = ggml_graph_node(graph, i);
    const Fault fault = fault_of(node);
    if (!fault.idle && !fault.wrong)
      continue;
    const ggml_status status = compute_part(cpu, graph, done, fault.idle ? i : i + 1);
    if (status != GGML_STATUS_SUCCESS)
      return status;
    if (fault.wrong && !fault.idle)
      make_wrong(node, fault);
    done = i + 1;
  }
  return compute_part(cpu, graph, done, count);
}

ggml_guid_t stream_guid() {
  static ggml_guid guid = {0xfa, 0x6e, 0x90, 0x00, 0x77, 0x68, 0x69, 0x73,
                           0x70, 0x65, 0x72, 0x2d, 0x68, 0x69, 0x70, 0x01};
  return &guid;
}

ggml_backend_t new_stream(ggml_backend_dev_t device, const char*) {
  if (reach("stream", of(device).name))
    return nullptr;
  ggml_backend_t cpu = new_cpu_stream();
  if (cpu == nullptr)
    return nullptr;
  of(device).streams++;
  of(device).allocations_of_stream = 0;
  ggml_backend_i interface = {};
  interface.get_name = [](ggml_backend_t stream) { return of(stream->device).name.c_str(); };
  interface.free = [](ggml_backend_t stream) {
    reach("free");
    of(stream->device).streams--;
    ggml_backend_free(of(stream).cpu);
    delete &of(stream);
    delete stream;
  };
  interface.synchronize = [](ggml_backend_t) { reach("synchronize"); };
  interface.graph_compute = compute;
  return new ggml_backend{stream_guid(), interface, device, new Stream{cpu}};
}

// Devices

bool is_integrated() {
  return script().get("type", "gpu") == "igpu";
}

bool supports_operation(ggml_backend_dev_t, const ggml_tensor* op) {
  for (const std::string& pattern : script().list("unsupported"))
    if (matches(pattern, op))
      return false;
  return ggml_backend_dev_supports_op(cpu_device(), op);
}

void fill_properties(ggml_backend_dev_t device, ggml_backend_dev_props* properties) {
  const Device& fake = of(device);
  properties->name = fake.name.c_str();
  properties->description = fake.description.c_str();
  properties->type = device->iface.get_type(device);
  properties->device_id = fake.pci.empty() ? nullptr : fake.pci.c_str();
  device->iface.get_memory(device, &properties->memory_free, &properties->memory_total);
  properties->caps = {};
}

ggml_backend_device_i device_interface() {
  ggml_backend_device_i interface = {};
  interface.get_name = [](ggml_backend_dev_t device) { return of(device).name.c_str(); };
  interface.get_description = [](ggml_backend_dev_t device) { return of(device).description.c_str(); };
  interface.get_memory = [](ggml_backend_dev_t device, size_t* free, size_t* total) {
    reach("query");
    *total = of(device).memory;
    *free = *total - of(device).used;
  };
  interface.get_type = [](ggml_backend_dev_t) {
    return is_integrated() ? GGML_BACKEND_DEVICE_TYPE_IGPU : GGML_BACKEND_DEVICE_TYPE_GPU;
  };
  interface.get_props = fill_properties;
  interface.init_backend = new_stream;
  interface.get_buffer_type = [](ggml_backend_dev_t device) { return &of(device).buffer_type; };
  interface.supports_op = supports_operation;
  interface.supports_buft = [](ggml_backend_dev_t device, ggml_backend_buffer_type_t type) {
    return type == &of(device).buffer_type;
  };
  return interface;
}

ggml_backend_buffer_type_i buffer_type_interface() {
  ggml_backend_buffer_type_i interface = {};
  interface.get_name = [](ggml_backend_buffer_type_t type) { return of(type->device).name.c_str(); };
  interface.alloc_buffer = allocate_buffer;
  interface.get_alignment = [](ggml_backend_buffer_type_t) -> size_t { return 128; };
  interface.is_host = [](ggml_backend_buffer_type_t) { return false; };
  return interface;
}

std::string at(const std::vector<std::string>& values, size_t index, const std::string& fallback) {
  if (values.empty())
    return fallback;
  return values[std::min(index, values.size() - 1)];
}

// The numbers of the devices that ROCR_VISIBLE_DEVICES leaves, as ROCm reads it: up to the first entry that
// is none.
std::vector<size_t> visible(size_t count, const std::vector<std::string>& uuids) {
  std::vector<size_t> all(count);
  for (size_t i = 0; i < count; ++i)
    all[i] = i;
  const char* value = getenv("ROCR_VISIBLE_DEVICES");
  if (value == nullptr)
    return all;
  std::vector<size_t> chosen;
  std::string rest = value;
  while (!rest.empty()) {
    const std::string entry = rest.substr(0, rest.find(','));
    rest = entry.size() == rest.size() ? "" : rest.substr(entry.size() + 1);
    size_t index = std::find(uuids.begin(), uuids.end(), entry) - uuids.begin();
    if (index == uuids.size())
      index = !entry.empty() && entry.find_first_not_of("0123456789") == std::string::npos
                  ? strtoul(entry.c_str(), nullptr, 10)
                  : count;
    if (index >= count)
      break;
    chosen.push_back(index);
  }
  return chosen;
}

ggml_backend_reg registry = {};

std::vector<Device*>& devices() {
  static auto* devices = new std::vector<Device*>;
  return *devices;
}

void enumerate() {
  reach("devices");
  const size_t wanted = strtoul(script().get("devices", "1").c_str(), nullptr, 10);
  const std::vector<size_t> numbers = visible(wanted, script().list("uuid"));
  if (script().has("error") || numbers.empty()) {
    GGML_LOG_ERROR("ggml_cuda_init: failed to initialize ROCm: %s\n",
                   script().get("error", "no ROCm-capable device is detected").c_str());
    return;
  }
  const std::vector<std::string> memory = script().list("memory");
  size_t total = 0;
  for (size_t number : numbers)
    total += strtoull(at(memory, number, "8589934592").c_str(), nullptr, 10) >> 20;
  GGML_LOG_INFO("ggml_cuda_init: found %zu ROCm devices (Total VRAM: %zu MiB):\n", numbers.size(), total);
  for (size_t number : numbers) {
    auto* device = new Device;
    device->index = static_cast<int>(devices().size());
    device->name = "ROCm" + std::to_string(device->index);
    device->description = script().get("description", "Fake GPU (computes on the CPU)");
    const std::vector<std::string> pci = script().list("pci");
    char slot[16];
    snprintf(slot, sizeof slot, "0000:%02zx:00.0", number + 3);
    device->pci = number < pci.size() ? pci[number] : slot;
    device->memory = strtoull(at(memory, number, "8589934592").c_str(), nullptr, 10);
    device->device = {device_interface(), &registry, device};
    device->buffer_type = {buffer_type_interface(), &device->device, nullptr};
    devices().push_back(device);
    GGML_LOG_INFO("  Device %d: %s, %s (0x%s), VMM: no, Wave Size: 32, VRAM: %zu MiB\n", device->index,
                  device->description.c_str(), at(script().list("gfx"), number, "gfx1100").c_str(),
                  at(script().list("gfx"), number, "gfx1100").substr(3).c_str(), device->memory >> 20);
  }
}

ggml_backend_reg_t initialize() {
  if (reach("init"))
    return nullptr;
  static std::once_flag once;
  std::call_once(once, [&] {
    if (script().has("log"))
      GGML_LOG_ERROR("%s\n", script().get("log").c_str());
    registry.api_version =
        script().get("api") == "mismatch" ? GGML_BACKEND_API_VERSION + 1 : GGML_BACKEND_API_VERSION;
    registry.iface.get_name = [](ggml_backend_reg_t) { return "ROCm"; };
    registry.iface.get_device_count = [](ggml_backend_reg_t) { return devices().size(); };
    registry.iface.get_device = [](ggml_backend_reg_t, size_t index) {
      GGML_ASSERT(index < devices().size());
      return &devices()[index]->device;
    };
    registry.iface.get_proc_address = [](ggml_backend_reg_t, const char* name) -> void* {
      script().trace("ask", name);
      return nullptr;
    };
    enumerate();
  });
  return &registry;
}

// What happens while the loader has the library in hand.
__attribute__((constructor)) void when_loaded() {
  reach("load");
}

} // namespace

} // namespace fake_gpu

extern "C" __attribute__((visibility("default"))) ggml_backend_reg_t ggml_backend_init() {
  return fake_gpu::initialize();
}
