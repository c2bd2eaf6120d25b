#include "model/plan_stream.h"

#include <cstring>
#include <utility>

#include "model/column_importance.h"
#include "model/row_converter.h"
#include "support/error.h"

namespace whisper_hip {

namespace {

constexpr uint32_t kMagic = 0x67676d6c;
constexpr int32_t kFrequencyBins = 201;

template <typename T> void append(std::vector<uint8_t>& bytes, const T& value) {
  const auto* raw = reinterpret_cast<const uint8_t*>(&value);
  bytes.insert(bytes.end(), raw, raw + sizeof value);
}

void append(std::vector<uint8_t>& bytes, const void* data, size_t length) {
  const auto* raw = static_cast<const uint8_t*>(data);
  bytes.insert(bytes.end(), raw, raw + length);
}

} // namespace

PlanStream::PlanStream(const LoadPlan& plan, const std::atomic<bool>& cancelled,
                       std::function<void(double)> progress)
    : plan_(plan), cancelled_(cancelled), progress_(std::move(progress)), total_bytes_(plan.weight_bytes()) {
  write_header();
}

whisper_model_loader PlanStream::loader() {
  whisper_model_loader loader = {};
  loader.context = this;
  loader.read = [](void* self, void* out, size_t length) {
    static_cast<PlanStream*>(self)->read(out, length);
    return length;
  };
  loader.eof = [](void* self) { return static_cast<PlanStream*>(self)->at_end(); };
  loader.close = [](void*) {};
  return loader;
}

void PlanStream::write_header() {
  append(pending_, kMagic);
  append(pending_, plan_.hparams);
  append(pending_, plan_.hparams.n_mels);
  append(pending_, kFrequencyBins);
  append(pending_, plan_.mel_filters.data(), plan_.mel_filters.size() * sizeof(float));
  append(pending_, static_cast<int32_t>(plan_.vocabulary_lengths.size()));
  size_t offset = 0;
  for (uint32_t length : plan_.vocabulary_lengths) {
    append(pending_, length);
    append(pending_, plan_.vocabulary_bytes.data() + offset, length);
    offset += length;
  }
}

void PlanStream::write_record(const PlanTensor& tensor) {
  pending_.clear();
  position_ = 0;
  append(pending_, static_cast<int32_t>(tensor.shape.size()));
  append(pending_, static_cast<int32_t>(tensor.name.size()));
  append(pending_, static_cast<int32_t>(tensor.type));
  for (int64_t n : tensor.shape)
    append(pending_, static_cast<int32_t>(n));
  append(pending_, tensor.name.data(), tensor.name.size());
}

void PlanStream::read(void* out, size_t length) {
  if (length == 0)
    return;
  if (position_ == pending_.size()) {
    if (payload_due_) {
      payload_due_ = false;
      write_payload(plan_.tensors[next_++], static_cast<uint8_t*>(out), length);
      return;
    }
    if (next_ >= plan_.tensors.size()) {
      // The loader asks for a record header before it asks whether there is one.
      asked_past_end_ = true;
      std::memset(out, 0, length);
      return;
    }
    write_record(plan_.tensors[next_]);
    payload_due_ = true;
  }
  if (length > pending_.size() - position_) {
    throw Error("ERR_INTERNAL", "whisper.cpp read the model in an order that it does not have");
  }
  std::memcpy(out, pending_.data() + position_, length);
  position_ += length;
}

void PlanStream::write_payload(const PlanTensor& tensor, uint8_t* out, size_t length) {
  if (length != tensor.bytes()) {
    throw Error("ERR_INTERNAL", "whisper.cpp expects another size for tensor " + tensor.name);
  }
  convert_tensor(plan_.sources, tensor, column_importance(plan_, tensor), out,
                 [this](size_t bytes) { advance(bytes); });
}

void PlanStream::advance(size_t bytes) {
  if (cancelled_.load(std::memory_order_relaxed))
    throw Error("ERR_CANCELLED", "The load was cancelled");
  done_bytes_ += bytes;
  progress_(static_cast<double>(done_bytes_) / static_cast<double>(total_bytes_));
}

} // namespace whisper_hip
