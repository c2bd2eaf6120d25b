#include "model/row_converter.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>

#include "backend/compute.h"
#include "support/error.h"

namespace whisper_hip {

namespace {

// Stored bytes that one thread reads at once.
constexpr size_t kChunkBytes = 1u << 20;
// Below this a second thread costs more than it brings.
constexpr size_t kThreadBytes = 1u << 20;
constexpr float kLargestF16 = 65504.0f;

bool is_integer(ggml_type type) {
  return type == GGML_TYPE_I8 || type == GGML_TYPE_I16;
}

// One row of a part as f32.
class RowReader {
 public:
  RowReader(const std::vector<PlanSource>& sources, const TensorPart& part, const PlanTensor& tensor)
      : part_(part), shape_(tensor.shape), columns_(static_cast<size_t>(part.row_length(tensor))) {
    if (part.scale.count > 0) {
      scales_.resize(part.scale.count);
      sources[part.scale.source].read(part.scale.offset, scales_.data(), scales_.size() * sizeof(float));
    }
  }

  // `stored` is the row itself, or the whole part when it has strides.
  void read(uint64_t row, const uint8_t* stored, float* values) const {
    if (part_.strides.empty())
      widen(stored, columns_, values);
    else
      gather(row, stored, values);
    if (scales_.empty())
      return;
    const float scale = scales_[row / (part_.rows / scales_.size())];
    for (size_t i = 0; i < columns_; ++i)
      values[i] /= scale;
  }

 private:
  void widen(const uint8_t* stored, size_t count, float* values) const {
    switch (part_.type) {
    case GGML_TYPE_F32:
      std::memcpy(values, stored, count * sizeof(float));
      break;
    case GGML_TYPE_I8:
      std::copy_n(reinterpret_cast<const int8_t*>(stored), count, values);
      break;
    case GGML_TYPE_I16:
      for (size_t i = 0; i < count; ++i) {
        int16_t value;
        std::memcpy(&value, stored + 2 * i, sizeof value);
        values[i] = value;
      }
      break;
    default:
      ggml_get_type_traits(part_.type)->to_float(stored, values, static_cast<int64_t>(count));
    }
  }

  void gather(uint64_t row, const uint8_t* stored, float* values) const {
    uint64_t start = 0;
    for (size_t axis = 1; axis < shape_.size(); ++axis) {
      const auto size = static_cast<uint64_t>(shape_[axis]);
      start += row % size * part_.strides[axis];
      row /= size;
    }
    const size_t width = ggml_type_size(part_.type);
    for (size_t i = 0; i < columns_; ++i)
      widen(stored + (start + i * part_.strides[0]) * width, 1, values + i);
  }

  const TensorPart& part_;
  const std::vector<int64_t>& shape_;
  size_t columns_;
  std::vector<float> scales_;
};

void narrow(const float* values, int64_t columns, const PlanTensor& tensor,
            const std::vector<float>& importance, uint8_t* out) {
  if (tensor.type == GGML_TYPE_F32) {
    std::memcpy(out, values, static_cast<size_t>(columns) * sizeof(float));
    return;
  }
  if (tensor.type == GGML_TYPE_F16) {
    for (int64_t i = 0; i < columns; ++i) {
      if (std::fabs(values[i]) > kLargestF16 && std::isfinite(values[i])) {
        throw Error("ERR_MODEL_UNSUPPORTED",
                    "Tensor " + tensor.name + " has the value " + std::to_string(values[i]) +
                        ", which f16 cannot hold; load it with weightType bf16 or f32");
      }
    }
  }
  ggml_quantize_chunk(tensor.type, values, out, 0, 1, columns, importance.data());
}

// Threads that help; they are waited for when the object goes.
class Helpers {
 public:
  Helpers() = default;
  ~Helpers() {
    for (std::thread& thread : threads_)
      thread.join();
  }
  Helpers(const Helpers&) = delete;
  Helpers& operator=(const Helpers&) = delete;

  // `work` must not throw. Where there are no threads or no memory for all of them, fewer help.
  template <typename Work> void start(size_t count, const Work& work) {
    try {
      threads_.reserve(count);
      while (threads_.size() < count)
        threads_.emplace_back(work);
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {
    }
  }

 private:
  std::vector<std::thread> threads_;
};

} // namespace

bool can_convert(ggml_type stored, ggml_type memory) {
  const bool readable =
      stored == GGML_TYPE_F32 || is_integer(stored) || ggml_get_type_traits(stored)->to_float != nullptr;
  switch (memory) {
  case GGML_TYPE_F32:
  case GGML_TYPE_F16:
  case GGML_TYPE_BF16:
  case GGML_TYPE_Q4_0:
  case GGML_TYPE_Q4_1:
  case GGML_TYPE_Q5_0:
  case GGML_TYPE_Q5_1:
  case GGML_TYPE_Q8_0:
  case GGML_TYPE_Q2_K:
  case GGML_TYPE_Q3_K:
  case GGML_TYPE_Q4_K:
  case GGML_TYPE_Q5_K:
  case GGML_TYPE_Q6_K:
    return readable;
  default:
    return false;
  }
}

void convert_part(const std::vector<PlanSource>& sources, const TensorPart& part, const PlanTensor& tensor,
                  const std::vector<float>& importance, uint8_t* out,
                  const std::function<void(size_t)>& done) {
  const int64_t columns = part.row_length(tensor);
  if (!importance.empty() && importance.size() != static_cast<size_t>(columns))
    throw Error("ERR_INTERNAL",
                "Tensor " + tensor.name + " has another number of columns than weights for them");
  const size_t from_bytes = ggml_row_size(part.type, columns);
  const size_t to_bytes = ggml_row_size(tensor.type, columns);
  const RowReader reader(sources, part, tensor);
  const bool as_stored = part.type == tensor.type && part.strides.empty() && part.scale.count == 0;
  const PlanSource& source = sources[part.source];

  std::vector<uint8_t> whole;
  if (!part.strides.empty()) {
    whole.resize(part.rows * from_bytes);
    source.read(part.offset, whole.data(), whole.size());
  }
  const uint64_t rows_at_once = std::max<uint64_t>(1, kChunkBytes / from_bytes);
  std::atomic<uint64_t> next{0};
  std::atomic<uint64_t> written{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::exception_ptr failure;

  // Takes chunks of rows until none is left; `report` is called after each.
  const auto work = [&](const std::function<void()>& report) {
    try {
      const bool needs_copy = whole.empty() && !as_stored;
      std::vector<uint8_t> stored(needs_copy ? std::min(rows_at_once, part.rows) * from_bytes : 0);
      std::vector<float> row(static_cast<size_t>(columns));
      while (!stop) {
        const uint64_t first = next.fetch_add(rows_at_once);
        if (first >= part.rows)
          return;
        const uint64_t count = std::min(rows_at_once, part.rows - first);
        if (whole.empty()) {
          uint8_t* place = as_stored ? out + first * to_bytes : stored.data();
          source.read(part.offset + first * from_bytes, place, count * from_bytes);
        }
        for (uint64_t i = 0; i < count && !as_stored; ++i) {
          reader.read(first + i, whole.empty() ? stored.data() + i * from_bytes : whole.data(), row.data());
          narrow(row.data(), columns, tensor, importance, out + (first + i) * to_bytes);
        }
        written += count * to_bytes;
        report();
      }
    } catch (...) {
      stop = true;
      std::lock_guard<std::mutex> lock(mutex);
      if (!failure)
        failure = std::current_exception();
    }
  };

  const size_t useful = part.rows * from_bytes / kThreadBytes;
  const size_t helpers = std::min<size_t>(compute_threads() - 1, useful);
  {
    Helpers threads;
    threads.start(helpers, [&work] { work([] {}); });
    work([&] { done(written.exchange(0)); });
  }
  if (failure)
    std::rethrow_exception(failure);
  done(written.exchange(0));
}

void convert_tensor(const std::vector<PlanSource>& sources, const PlanTensor& tensor,
                    const std::vector<float>& importance, uint8_t* out,
                    const std::function<void(size_t)>& done) {
  for (const TensorPart& part : tensor.parts) {
    convert_part(sources, part, tensor, importance, out, done);
    out += part.rows * ggml_row_size(tensor.type, part.row_length(tensor));
  }
}

} // namespace whisper_hip
