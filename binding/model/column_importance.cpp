#include "model/column_importance.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "model/row_converter.h"

namespace whisper_hip {

namespace {

constexpr std::string_view kOutputHead = "decoder.token_embedding.weight";
constexpr std::string_view kOutputNorm = "decoder.ln.weight";
// No column is ignored, or everything, however far its gain is from the others.
constexpr float kLeast = 1e-3f;
constexpr float kMost = 1e3f;

} // namespace

std::vector<float> column_importance(const LoadPlan& plan, const PlanTensor& tensor) {
  if (!ggml_is_quantized(tensor.type))
    return {};
  const auto columns = static_cast<size_t>(tensor.shape[0]);
  std::vector<float> importance(columns, 1.0f);
  if (tensor.name != kOutputHead)
    return importance;
  const auto norm = std::find_if(plan.tensors.begin(), plan.tensors.end(),
                                 [](const PlanTensor& candidate) { return candidate.name == kOutputNorm; });
  if (norm == plan.tensors.end() || norm->type != GGML_TYPE_F32 || norm->elements() != columns)
    return importance;
  std::vector<float> gains(columns);
  convert_tensor(plan.sources, *norm, {}, reinterpret_cast<uint8_t*>(gains.data()), [](size_t) {});
  double squares = 0;
  for (const float gain : gains)
    squares += static_cast<double>(gain) * gain;
  for (size_t i = 0; i < columns; ++i) {
    const double share = static_cast<double>(gains[i]) * gains[i] * static_cast<double>(columns) / squares;
    if (std::isfinite(share))
      importance[i] = std::clamp(static_cast<float>(share), kLeast, kMost);
  }
  return importance;
}

} // namespace whisper_hip
