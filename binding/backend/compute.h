// The compute threads: one bounded set for the process, lent to one CPU graph at a time.
//
// ggml's worker threads wait for each other by spinning. Two graphs at once on the same cores therefore take
// far longer than one after the other. So all models and jobs share one pool, and a graph, or the part of one
// that a GPU leaves to the CPU, holds the pool while it is computed: jobs interleave at graph granularity
// (one encoder pass, one decoder step), first come, first served.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include "ggml-backend.h"

namespace whisper_hip {

// Nodes of the graphs that were executed, by where. View-like nodes (NONE, VIEW, RESHAPE, PERMUTE, TRANSPOSE)
// do no work and are not counted.
struct NodeCounts {
  int64_t gpu = 0;
  int64_t cpu = 0;
  std::set<std::string> cpu_operations;
};

// What a graph computation needs to know of the job on whose thread it runs.
struct ComputeJob {
  // Whether nobody wants the result any more: asked before a graph, on the CPU also between nodes.
  std::function<bool()> is_cancelled;
  int threads; // 1..compute_threads()
  NodeCounts counts;
  // Whether a graph of a GPU model that needs the CPU for a part is refused instead of computed.
  bool gpu_only = false;
};

// Makes `job` the current job of this thread while the object lives.
class ComputeScope {
 public:
  explicit ComputeScope(ComputeJob& job);
  ~ComputeScope();
  ComputeScope(const ComputeScope&) = delete;
  ComputeScope& operator=(const ComputeScope&) = delete;

 private:
  ComputeJob* outer_;
};

// Size of the pool: the CPUs this process may use, of more than four only one per physical core.
int compute_threads();

// Whether a backend computes on the CPU; also true of one that belongs to no device.
bool is_cpu(ggml_backend_t backend);

// Prepares the CPU backends of a scheduler: pool, abort check.
void prepare_scheduler(ggml_backend_sched_t scheduler);

// Takes the place of ggml_backend_sched_graph_compute() inside whisper.cpp. Throws Error(ERR_GPU_NOT_USED)
// for a graph that `gpu_only` refuses, before anything is computed. GGML_STATUS_ABORTED once the job is
// cancelled: then the state stays usable.
ggml_status compute_graph(ggml_backend_sched_t scheduler, ggml_cgraph* graph);

// Whether an assertion of ggml, turned into an exception, has left the threads of the pool waiting in the
// middle of a graph: for ever, and with its memory in use.
bool compute_is_broken();

} // namespace whisper_hip
