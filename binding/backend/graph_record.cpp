#include "backend/graph_record.h"

#include <atomic>
#include <mutex>
#include <set>

#include "backend/node_signature.h"
#include "cpu/joined_operands.h"

namespace whisper_hip {

namespace {

struct Record {
  std::atomic<bool> on{false};
  std::mutex mutex;
  std::set<std::string> signatures;
};

// Never destroyed: a job may still compute while the process exits.
Record& record() {
  static auto* record = new Record;
  return *record;
}

} // namespace

void record_graphs(bool on) {
  Record& all = record();
  std::lock_guard<std::mutex> lock(all.mutex);
  if (on)
    all.signatures.clear();
  all.on = on;
}

bool graphs_are_recorded() {
  return record().on.load(std::memory_order_relaxed);
}

void record_graph(ggml_cgraph* graph) {
  if (!graphs_are_recorded())
    return;
  Record& all = record();
  std::lock_guard<std::mutex> lock(all.mutex);
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    const ggml_tensor* node = ggml_graph_node(graph, i);
    // Keys are turned, and turned back, by our CPU kernels only.
    const bool is_of_cpu = node->op == GGML_OP_CONT && node->op_params[kTurnedHeads] != 0;
    if (does_work(node->op) && !is_of_cpu)
      all.signatures.insert(node_signature(node));
  }
}

std::vector<std::string> recorded_signatures() {
  Record& all = record();
  std::lock_guard<std::mutex> lock(all.mutex);
  return {all.signatures.begin(), all.signatures.end()};
}

} // namespace whisper_hip
