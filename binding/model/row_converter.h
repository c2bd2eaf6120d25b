// Turns the stored rows of a tensor into rows of its type in memory, through f32, on several threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "model/load_plan.h"

namespace whisper_hip {

// Whether rows of `stored` can become rows of `memory`.
bool can_convert(ggml_type stored, ggml_type memory);

// Writes the rows of a part, in the type of the tensor, to `out`; rows that are stored so are read there
// directly. Blocks get the scales of the least squared error, weighted with `importance`, one number for each
// column; of q8_0, which has bits to spare, that of the largest value. `done` is called on the calling thread
// with the bytes that were written since the last call; what it throws comes out. Throws
// Error(ERR_MODEL_CORRUPT) for data that is not there any more, Error(ERR_MODEL_UNSUPPORTED) for values that
// the type in memory cannot hold.
void convert_part(const std::vector<PlanSource>& sources, const TensorPart& part, const PlanTensor& tensor,
                  const std::vector<float>& importance, uint8_t* out,
                  const std::function<void(size_t)>& done);

// The same for all parts of a tensor, one after the other.
void convert_tensor(const std::vector<PlanSource>& sources, const PlanTensor& tensor,
                    const std::vector<float>& importance, uint8_t* out,
                    const std::function<void(size_t)>& done);

} // namespace whisper_hip
