#include "backend/probe.h"

#include <dlfcn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <memory>

#include "backend/cpu_module.h"
#include "backend/hip_module.h"
#include "backend/node_signature.h"
#include "backend/probe_operations.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "support/error.h"
#include "support/log.h"

namespace whisper_hip {

namespace {

std::string quoted(const std::string& text) {
  std::string json = "\"";
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') {
      json += '\\';
      json += character;
    } else if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", byte);
      json += escape;
    } else {
      json += character;
    }
  }
  return json + "\"";
}

std::string number(double value) {
  if (!std::isfinite(value))
    return "null";
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

// What a stage says beside its end. `ok` is false when `problem` is not empty.
struct Outcome {
  std::string problem;
  std::string facts;    // members of JSON, each with a comma before it
  bool goes_on = false; // whether what comes after can be tried in spite of the problem
};

class Reporter {
 public:
  explicit Reporter(int descriptor) : descriptor_(descriptor) {}

  // Runs a stage; false when nothing can be tried after it. What throws is the problem.
  template <typename Work> bool stage(const std::string& name, Work work) {
    const std::string head = "{\"stage\":" + quoted(name);
    write_line(head + ",\"event\":\"begin\"}");
    const auto start = std::chrono::steady_clock::now();
    Outcome outcome;
    try {
      outcome = work();
    } catch (const std::exception& error) {
      outcome.problem = error.what();
    }
    const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
    const bool ok = outcome.problem.empty();
    write_line(head + ",\"event\":\"end\",\"ok\":" + (ok ? "true" : "false") +
               ",\"milliseconds\":" + number(spent.count()) + outcome.facts +
               (ok ? "" : ",\"problem\":" + quoted(outcome.problem)) + "}");
    return ok || outcome.goes_on;
  }

 private:
  void write_line(std::string line) const {
    line += '\n';
    for (size_t done = 0; done < line.size();) {
      const ssize_t written = write(descriptor_, line.data() + done, line.size() - done);
      if (written < 0)
        _exit(1); // nobody listens any more
      done += static_cast<size_t>(written);
    }
  }

  int descriptor_;
};

struct Free {
  void operator()(ggml_context* context) const { ggml_free(context); }
  void operator()(ggml_backend_buffer* buffer) const { ggml_backend_buffer_free(buffer); }
  void operator()(ggml_backend* backend) const { ggml_backend_free(backend); }
};
using ContextPointer = std::unique_ptr<ggml_context, Free>;
using BufferPointer = std::unique_ptr<ggml_backend_buffer, Free>;
using BackendPointer = std::unique_ptr<ggml_backend, Free>;

ContextPointer new_context() {
  const size_t size = kProbeTensors * ggml_tensor_overhead() + ggml_graph_overhead();
  return ContextPointer(ggml_init({size, nullptr, /*no_alloc*/ true}));
}

enum class Support { yes, no, of_a_part };

// `of_a_part`: the operation is offered, but not what the shape has beside it.
Support support_of(ggml_cgraph* graph, const ggml_tensor* operation, ggml_backend_t backend) {
  Support support = Support::yes;
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    const ggml_tensor* node = ggml_graph_node(graph, i);
    if (!does_work(node->op) || ggml_backend_supports_op(backend, node))
      continue;
    if (node == operation)
      return Support::no;
    support = Support::of_a_part;
  }
  return support;
}

std::vector<float> read_values(const ggml_tensor* tensor) {
  const auto count = static_cast<size_t>(ggml_nelements(tensor));
  std::vector<float> values(count);
  if (tensor->type == GGML_TYPE_F16) {
    std::vector<ggml_fp16_t> halves(count);
    ggml_backend_tensor_get(tensor, halves.data(), 0, count * sizeof(ggml_fp16_t));
    ggml_fp16_to_fp32_row(halves.data(), values.data(), static_cast<int64_t>(count));
  } else {
    ggml_backend_tensor_get(tensor, values.data(), 0, count * sizeof(float));
  }
  return values;
}

// The values of an operation on a backend; none when it does not offer all of the shape.
std::vector<float> compute(const ProbeOperation::Build& build, ggml_backend_t backend, Support& support) {
  const ContextPointer context = new_context();
  std::vector<ProbeInput> inputs;
  const ProbeNodes nodes = build(context.get(), inputs);
  ggml_cgraph* graph = ggml_new_graph(context.get());
  ggml_build_forward_expand(graph, nodes.result);
  support = support_of(graph, nodes.operation, backend);
  if (support != Support::yes)
    return {};
  const BufferPointer buffer(ggml_backend_alloc_ctx_tensors(context.get(), backend));
  if (!buffer)
    throw Error("ERR_OUT_OF_MEMORY", "out of memory: the tensors of the trial could not be allocated");
  // What is not written is not a number.
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    ggml_tensor* node = ggml_graph_node(graph, i);
    if (node->view_src == nullptr)
      ggml_backend_tensor_memset(node, 0xff, 0, ggml_nbytes(node));
  }
  uint32_t seed = 0;
  for (const ProbeInput& input : inputs) {
    const std::vector<char> bytes = probe_values(input, ++seed);
    ggml_backend_tensor_set(input.tensor, bytes.data(), 0, bytes.size());
  }
  const ggml_status status = ggml_backend_graph_compute(backend, graph);
  if (status != GGML_STATUS_SUCCESS)
    throw Error("ERR_INTERNAL", std::string("The computation ended with: ") + ggml_status_to_string(status));
  // Of a cache, what lies around the place that is written too.
  const ggml_tensor* result = nodes.result;
  return read_values(result->view_src != nullptr ? result->view_src : result);
}

// How far values are off, in parts of the mean square of those that are expected.
struct Difference {
  double mean = 0;  // square
  double worst = 0; // square of a value
  size_t place = 0; // of the worst
};

Difference difference(const std::vector<float>& values, const std::vector<float>& expected) {
  Difference all;
  double error = 0.0, power = 0.0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double delta = static_cast<double>(values[i]) - expected[i];
    error += delta * delta;
    power += static_cast<double>(expected[i]) * expected[i];
    if (delta * delta > all.worst) {
      all.worst = delta * delta;
      all.place = i;
    }
  }
  all.mean = error / power;
  all.worst /= power / static_cast<double>(expected.size());
  return all;
}

// One value among many that is wrong leaves the mean small: 100 times the mean is beyond the tenfold of what
// values are off where errors come from rounding.
constexpr double kWorst = 100;

std::string problem_of(const Difference& found, double tolerance, size_t count) {
  if (!(found.mean <= tolerance))
    return "wrong numbers: the error against the CPU is " +
           (std::isfinite(found.mean) ? number(found.mean) : "not a number") + ", at most " +
           number(tolerance) + " is allowed";
  if (found.worst > kWorst * tolerance)
    return "wrong numbers: value " + std::to_string(found.place + 1) + " of " + std::to_string(count) +
           " has the error " + number(found.worst) + " against the CPU, at most " +
           number(kWorst * tolerance) + " is allowed";
  return "";
}

Outcome compare(const ProbeOperation& operation, ggml_backend_t gpu, ggml_backend_t cpu) {
  const std::string weights = operation.weights.empty() ? "" : ",\"weights\":" + quoted(operation.weights);
  double greatest = 0;
  std::string problem;
  for (const ProbeOperation::Build& build : operation.shapes) {
    Support support;
    const std::vector<float> values = compute(build, gpu, support);
    if (support == Support::no)
      return {"", weights + ",\"unsupported\":true"};
    if (support == Support::of_a_part)
      continue;
    const Difference found = difference(values, compute(build, cpu, support));
    if (!(found.mean <= greatest))
      greatest = found.mean;
    problem = problem_of(found, operation.tolerance, values.size());
    if (!problem.empty())
      break;
  }
  // A GPU that computes wrong numbers may do so because of what ends the process at a later operation.
  return {problem, weights + ",\"error\":" + number(greatest), true};
}

// Memory of the device with a pattern, which must come back as it was written: at once, and when all
// operations have been computed beside it.
class Pattern {
 public:
  explicit Pattern(ggml_backend_t gpu) : context_(new_context()) {
    tensor_ = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 1 << 20);
    buffer_.reset(ggml_backend_alloc_ctx_tensors(context_.get(), gpu));
    if (!buffer_)
      throw Error("ERR_OUT_OF_MEMORY", "out of memory: 4 MiB could not be allocated on the device");
    bytes_ = probe_values({tensor_, ProbeInput::values}, 0);
    ggml_backend_tensor_set(tensor_, bytes_.data(), 0, bytes_.size());
  }

  bool is_intact() const {
    std::vector<char> back(bytes_.size());
    ggml_backend_tensor_get(tensor_, back.data(), 0, back.size());
    return back == bytes_;
  }

 private:
  ContextPointer context_;
  ggml_tensor* tensor_;
  BufferPointer buffer_;
  std::vector<char> bytes_;
};

std::string describe(const HipModule& module) {
  std::string list;
  for (const HipDevice& device : module.devices) {
    list += (list.empty() ? "" : ",") + ("{\"name\":" + quoted(device.name)) +
            ",\"description\":" + quoted(device.description) + ",\"pciId\":" + quoted(device.pci_id) +
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

Outcome open_module(const std::string& path) {
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

  Reporter report(descriptor);
  BackendPointer cpu, gpu;
  ggml_backend_dev_t device = nullptr;
  bool ok = report.stage("cpu", [&]() -> Outcome {
    load_cpu_module(cpu_modules);
    cpu.reset(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr));
    return {cpu ? "" : "the CPU module gives no backend", ""};
  });
  ok = ok && report.stage("library", [&] { return open_module(hip_module); });
  ok = ok && report.stage("devices", [&]() -> Outcome {
    const HipModule& module = load_hip_module(hip_module, pci_id);
    device = device_of(module, pci_id);
    return {"", describe(module)};
  });
  ok = ok && report.stage("backend", [&]() -> Outcome {
    gpu.reset(ggml_backend_dev_init(device, nullptr));
    return {gpu ? "" : "the device could not be initialised " + logged_errors(), ""};
  });
  std::unique_ptr<Pattern> pattern;
  ok = ok && report.stage("memory", [&]() -> Outcome {
    pattern = std::make_unique<Pattern>(gpu.get());
    return {pattern->is_intact()
                ? ""
                : "wrong numbers: the device's memory gives back other bytes than were written",
            ""};
  });
  for (const ProbeOperation& operation : probe_operations()) {
    ok = ok && report.stage(operation.name, [&] { return compare(operation, gpu.get(), cpu.get()); });
  }
  ok = ok && report.stage("release", [&]() -> Outcome {
    const bool intact = pattern->is_intact();
    pattern.reset();
    gpu.reset();
    return {intact ? "" : "wrong numbers: an operation has written to memory that is not its own", ""};
  });
}

} // namespace whisper_hip
