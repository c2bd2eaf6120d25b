#include "backend/operation_times.h"

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>

#include "backend/node_signature.h"
#include "ggml-impl.h"

namespace whisper_hip {

namespace {

struct Times {
  std::atomic<bool> on{false};
  std::mutex mutex;
  std::map<std::string, OperationTime> all;
};

// Never destroyed: a job may still compute while the process exits.
Times& times() {
  static auto* times = new Times;
  return *times;
}

std::string shape_of(const ggml_tensor* tensor) {
  std::string text = ggml_type_name(tensor->type);
  for (int i = 0; i < ggml_n_dims(tensor); ++i)
    text += (i == 0 ? " " : "x") + std::to_string(tensor->ne[i]);
  return text;
}

std::string name_of(const ggml_tensor* node) {
  std::string name = ggml_op_desc(node);
  const char* separator = " ";
  for (const ggml_tensor* source : node->src) {
    if (source == nullptr)
      continue;
    name += separator + shape_of(source);
    separator = ", ";
  }
  return name;
}

double operations_of(const ggml_tensor* node) {
  const auto elements = static_cast<double>(ggml_nelements(node));
  if (node->op == GGML_OP_MUL_MAT)
    return 2 * elements * static_cast<double>(node->src[0]->ne[0]);
  if (node->op == GGML_OP_FLASH_ATTN_EXT)
    return 4 * elements * static_cast<double>(node->src[1]->ne[1]);
  return 0;
}

double bytes_of(const ggml_tensor* node) {
  auto bytes = static_cast<double>(ggml_nbytes(node));
  for (const ggml_tensor* source : node->src) {
    if (source != nullptr && !(node->op == GGML_OP_GET_ROWS && source == node->src[0]))
      bytes += static_cast<double>(ggml_nbytes(source));
  }
  return bytes;
}

} // namespace

void time_operations(bool on) {
  Times& kept = times();
  std::lock_guard<std::mutex> lock(kept.mutex);
  if (on)
    kept.all.clear();
  kept.on = on;
}

bool operations_are_timed() {
  return times().on.load(std::memory_order_relaxed);
}

ggml_status compute_timed(ggml_backend_t backend, ggml_cgraph* graph,
                          ggml_status (*compute)(ggml_backend_t, ggml_cgraph*)) {
  Times& kept = times();
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    ggml_tensor* node = ggml_graph_node(graph, i);
    if (!does_work(node->op))
      continue;
    ggml_cgraph view = ggml_graph_view(graph, i, i + 1);
    const auto start = std::chrono::steady_clock::now();
    const ggml_status status = compute(backend, &view);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    if (status != GGML_STATUS_SUCCESS)
      return status;
    std::lock_guard<std::mutex> lock(kept.mutex);
    OperationTime& entry = kept.all[name_of(node)];
    entry.count++;
    entry.seconds += taken.count();
    entry.operations += operations_of(node);
    entry.bytes += bytes_of(node);
  }
  return GGML_STATUS_SUCCESS;
}

std::vector<OperationTime> operation_times() {
  Times& kept = times();
  std::lock_guard<std::mutex> lock(kept.mutex);
  std::vector<OperationTime> all;
  for (const auto& [name, entry] : kept.all) {
    all.push_back(entry);
    all.back().name = name;
  }
  return all;
}

} // namespace whisper_hip
