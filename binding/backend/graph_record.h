// Which nodes the graphs of this process have had: how a test learns what the trial of a GPU must hold.
#pragma once

#include <string>
#include <vector>

#include "ggml.h"

namespace whisper_hip {

// Begins anew when it is switched on. Off at first; costs nothing then.
void record_graphs(bool on);
// Then an engine on the CPU also computes as graphs what it does by itself otherwise, and GPUs by graphs.
bool graphs_are_recorded();

// Takes down the signatures of the graph's nodes, when it is switched on.
void record_graph(ggml_cgraph* graph);

// In alphabetical order, each once: see node_signature.h.
std::vector<std::string> recorded_signatures();

} // namespace whisper_hip
