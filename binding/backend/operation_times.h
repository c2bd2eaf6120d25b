// How long each operation takes on the CPU, by its shape: what bench/profile.mjs prints. A graph is computed
// node by node for it, which costs small nodes their neighbours in the caches.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ggml-backend.h"

namespace whisper_hip {

struct OperationTime {
  std::string name; // operation, types and shapes
  int64_t count;
  double seconds;
  double operations; // additions and multiplications of products, of all
  double bytes;      // that are read and written at least, of all
};

// Begins anew when it is switched on. Off at first; costs nothing then.
void time_operations(bool on);
bool operations_are_timed();

// Calls `compute` for each node alone, until one fails.
ggml_status compute_timed(ggml_backend_t backend, ggml_cgraph* graph,
                          ggml_status (*compute)(ggml_backend_t, ggml_cgraph*));

std::vector<OperationTime> operation_times();

} // namespace whisper_hip
