#include "backend/probe_computation.h"

#include <cmath>
#include <string>

#include "backend/node_signature.h"
#include "ggml-alloc.h"
#include "support/error.h"

namespace whisper_hip {

namespace {

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
           (std::isfinite(found.mean) ? json_number(found.mean) : "not a number") + ", at most " +
           json_number(tolerance) + " is allowed";
  if (found.worst > kWorst * tolerance)
    return "wrong numbers: value " + std::to_string(found.place + 1) + " of " + std::to_string(count) +
           " has the error " + json_number(found.worst) + " against the CPU, at most " +
           json_number(kWorst * tolerance) + " is allowed";
  return "";
}

} // namespace

ProbeOutcome compare_with_cpu(const ProbeOperation& operation, ggml_backend_t gpu, ggml_backend_t cpu) {
  const std::string weights = operation.weights.empty() ? "" : ",\"weights\":" + json_text(operation.weights);
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
  return {problem, weights + ",\"error\":" + json_number(greatest), true};
}

ProbePattern::ProbePattern(ggml_backend_t gpu) : context_(new_context()) {
  tensor_ = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 1 << 20);
  buffer_.reset(ggml_backend_alloc_ctx_tensors(context_.get(), gpu));
  if (!buffer_)
    throw Error("ERR_OUT_OF_MEMORY", "out of memory: 4 MiB could not be allocated on the device");
  bytes_ = probe_values({tensor_, ProbeInput::values}, 0);
  ggml_backend_tensor_set(tensor_, bytes_.data(), 0, bytes_.size());
}

bool ProbePattern::is_intact() const {
  std::vector<char> back(bytes_.size());
  ggml_backend_tensor_get(tensor_, back.data(), 0, back.size());
  return back == bytes_;
}

} // namespace whisper_hip
