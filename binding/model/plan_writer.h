// Writes the tensors of a plan, in their types in memory, to places in a file; or compares them with a file.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "model/load_plan.h"

namespace whisper_hip {

enum class PlanWriterMode { write, compare };

// `offsets` has the place of each tensor of the plan in `file`. At most 16 MB are in memory at once, whatever
// the size of a tensor; the bytes do not depend on the number of threads. `progress` gets 0..1 of the weight
// bytes. Throws Error(ERR_WRITE), with the reason alone, when the file cannot be written,
// Error(ERR_MODEL_CORRUPT) when it differs in `compare`, Error(ERR_CANCELLED).
void write_plan(const LoadPlan& plan, const std::vector<uint64_t>& offsets, const PlanSource& file,
                PlanWriterMode mode, const std::atomic<bool>& cancelled,
                const std::function<void(double)>& progress);

} // namespace whisper_hip
