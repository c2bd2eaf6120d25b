// How much the columns of a weight matrix matter when its values are rounded to blocks.
#pragma once

#include <vector>

#include "model/load_plan.h"

namespace whisper_hip {

// A weight for the squared error of each column; none for a tensor that is not quantised. The token embedding
// is the output head too, whose input the decoder's last layer norm multiplies with gains that differ widely:
// rounding that follows their squares halves the error of the logits. Elsewhere neither the gains of norms
// nor second moments measured in speech made a difference: there all columns count the same. Throws what
// convert_part throws.
std::vector<float> column_importance(const LoadPlan& plan, const PlanTensor& tensor);

} // namespace whisper_hip
