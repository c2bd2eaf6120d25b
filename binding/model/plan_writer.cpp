#include "model/plan_writer.h"

#include <algorithm>

#include "model/column_importance.h"
#include "model/row_converter.h"
#include "support/error.h"

namespace whisper_hip {

namespace {

// Bytes of the type in the file that are converted, then written, at once.
constexpr size_t kSliceBytes = 8u << 20;

// Rows that can be taken from a part alone: values in another order need the whole, scales whole groups.
uint64_t rows_at_once(const TensorPart& part, const PlanTensor& tensor) {
  if (!part.strides.empty())
    return part.rows;
  const size_t row_bytes = ggml_row_size(tensor.type, part.row_length(tensor));
  const uint64_t rows = std::max<uint64_t>(1, kSliceBytes / row_bytes);
  if (part.scale.count <= 1)
    return std::min(rows, part.rows);
  const uint64_t group = part.rows / part.scale.count;
  return std::min(part.rows, std::max<uint64_t>(1, rows / group) * group);
}

TensorPart slice_of(const TensorPart& part, const PlanTensor& tensor, uint64_t first, uint64_t count) {
  TensorPart slice = part;
  if (count == part.rows)
    return slice;
  slice.rows = count;
  slice.offset += first * ggml_row_size(part.type, part.row_length(tensor));
  if (part.scale.count > 1) {
    const uint64_t group = part.rows / part.scale.count;
    slice.scale.offset += first / group * sizeof(float);
    slice.scale.count = count / group;
  }
  return slice;
}

} // namespace

void write_plan(const LoadPlan& plan, const std::vector<uint64_t>& offsets, const PlanSource& file,
                PlanWriterMode mode, const std::atomic<bool>& cancelled,
                const std::function<void(double)>& progress) {
  const double total = static_cast<double>(plan.weight_bytes());
  size_t done = 0;
  const auto advance = [&](size_t bytes) {
    if (cancelled.load(std::memory_order_relaxed))
      throw Error("ERR_CANCELLED", "The conversion was cancelled");
    done += bytes;
    progress(static_cast<double>(done) / total);
  };
  std::vector<uint8_t> bytes;
  std::vector<uint8_t> found;
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const PlanTensor& tensor = plan.tensors[i];
    const std::vector<float> importance = column_importance(plan, tensor);
    uint64_t offset = offsets[i];
    for (const TensorPart& part : tensor.parts) {
      const size_t row_bytes = ggml_row_size(tensor.type, part.row_length(tensor));
      const uint64_t step = rows_at_once(part, tensor);
      for (uint64_t first = 0; first < part.rows; first += step) {
        const TensorPart slice = slice_of(part, tensor, first, std::min(step, part.rows - first));
        bytes.resize(slice.rows * row_bytes);
        convert_part(plan.sources, slice, tensor, importance, bytes.data(), advance);
        if (mode == PlanWriterMode::write) {
          file.write(offset, bytes.data(), bytes.size());
        } else {
          found.resize(bytes.size());
          file.read(offset, found.data(), found.size());
          if (found != bytes)
            throw Error("ERR_MODEL_CORRUPT", "Tensor " + tensor.name + " is not what was written");
        }
        offset += bytes.size();
      }
    }
  }
}

} // namespace whisper_hip
