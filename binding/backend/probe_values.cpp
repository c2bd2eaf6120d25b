#include <cmath>
#include <cstring>

#include "backend/probe_operations.h"

namespace whisper_hip {

std::vector<char> probe_values(const ProbeInput& input, uint32_t seed) {
  const ggml_tensor* tensor = input.tensor;
  const auto count = static_cast<size_t>(ggml_nelements(tensor));
  std::vector<char> bytes(ggml_nbytes(tensor));
  if (input.kind == ProbeInput::rows) {
    for (size_t i = 0; i < count; ++i) {
      const int64_t row = static_cast<int64_t>(i * 37 + 5) % kProbeTableRows;
      const auto narrow = static_cast<int32_t>(row);
      if (tensor->type == GGML_TYPE_I64)
        std::memcpy(bytes.data() + i * sizeof row, &row, sizeof row);
      else
        std::memcpy(bytes.data() + i * sizeof narrow, &narrow, sizeof narrow);
    }
    return bytes;
  }
  std::vector<float> values(count);
  if (input.kind == ProbeInput::mask) {
    const auto keys = static_cast<size_t>(tensor->ne[0]), queries = count / keys;
    for (size_t i = 0; i < count; ++i)
      values[i] = i % keys <= keys / 2 + i / keys * keys / (2 * queries) ? 0.0f : -INFINITY;
  } else {
    // A linear congruential generator (constants of Numerical Recipes).
    const float reach = input.kind == ProbeInput::wide_values ? 4.0f : 1.0f;
    uint32_t state = 12345 + seed * 2654435761u;
    for (float& value : values) {
      state = state * 1664525u + 1013904223u;
      value = reach * static_cast<float>(static_cast<int32_t>(state)) / 2147483648.0f;
    }
  }
  if (tensor->type == GGML_TYPE_F32) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
  } else {
    const int64_t columns = tensor->ne[0];
    ggml_quantize_chunk(tensor->type, values.data(), bytes.data(), 0, static_cast<int64_t>(count) / columns,
                        columns, nullptr);
  }
  return bytes;
}

} // namespace whisper_hip
