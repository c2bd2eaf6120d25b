#include "model/load_plan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <numeric>
#include <utility>

#include "backend/weight_types.h"
#include "model/row_converter.h"
#include "support/error.h"

namespace whisper_hip {

namespace {

[[noreturn]] void corrupt(const std::string& message) {
  throw Error("ERR_MODEL_CORRUPT", message);
}

void expect_range(const char* name, int64_t value, int64_t low, int64_t high) {
  if (value < low || value > high) {
    corrupt(std::string("The model's ") + name + " is " + std::to_string(value) + "; expected " +
            std::to_string(low) + " to " + std::to_string(high));
  }
}

void validate(const Hyperparameters& h) {
  expect_range("n_vocab", h.n_vocab, 51864, 51866);
  expect_range("n_audio_ctx", h.n_audio_ctx, 1, 1500);
  expect_range("n_audio_state", h.n_audio_state, 32, 4096);
  expect_range("n_text_state", h.n_text_state, h.n_audio_state, h.n_audio_state);
  expect_range("n_audio_head", h.n_audio_head, 1, 64);
  expect_range("n_text_head", h.n_text_head, 1, 64);
  expect_range("n_audio_layer", h.n_audio_layer, 1, 64);
  expect_range("n_text_layer", h.n_text_layer, 1, 64);
  expect_range("n_text_ctx", h.n_text_ctx, 32, 448);
  expect_range("n_mels", h.n_mels, 80, 128);
  if (h.n_audio_state % h.n_audio_head != 0 || h.n_text_state % h.n_text_head != 0) {
    corrupt("The model's attention heads do not divide its width");
  }
}

struct Expected {
  std::vector<int64_t> shape;
  ggml_type type;
};

// The names and shapes of whisper.cpp's legacy files (ggml order).
std::map<std::string, Expected> required_tensors(const Hyperparameters& h, ggml_type weight_type) {
  const int64_t d = h.n_audio_state;
  std::map<std::string, Expected> all;
  const auto vector = [&](const std::string& name, int64_t n) { all[name] = {{n}, GGML_TYPE_F32}; };
  const auto matrix = [&](const std::string& name, int64_t columns, int64_t rows) {
    all[name] = {{columns, rows}, weight_type};
  };
  const auto norm = [&](const std::string& name) {
    vector(name + ".weight", d);
    vector(name + ".bias", d);
  };
  const auto linear = [&](const std::string& name, int64_t in, int64_t out, bool bias = true) {
    matrix(name + ".weight", in, out);
    if (bias)
      vector(name + ".bias", out);
  };
  const auto attention = [&](const std::string& name) {
    linear(name + ".query", d, d);
    linear(name + ".key", d, d, false);
    linear(name + ".value", d, d);
    linear(name + ".out", d, d);
    norm(name + "_ln");
  };
  const auto feed_forward = [&](const std::string& block) {
    linear(block + ".mlp.0", d, 4 * d);
    linear(block + ".mlp.2", 4 * d, d);
    norm(block + ".mlp_ln");
  };

  all["encoder.positional_embedding"] = {{d, h.n_audio_ctx}, GGML_TYPE_F32};
  const ggml_type convolution_type = weight_type == GGML_TYPE_F32 ? GGML_TYPE_F32 : GGML_TYPE_F16;
  all["encoder.conv1.weight"] = {{3, h.n_mels, d}, convolution_type};
  all["encoder.conv2.weight"] = {{3, d, d}, convolution_type};
  all["encoder.conv1.bias"] = {{1, d}, GGML_TYPE_F32};
  all["encoder.conv2.bias"] = {{1, d}, GGML_TYPE_F32};
  norm("encoder.ln_post");
  for (int i = 0; i < h.n_audio_layer; ++i) {
    const std::string block = "encoder.blocks." + std::to_string(i);
    attention(block + ".attn");
    feed_forward(block);
  }
  all["decoder.positional_embedding"] = {{d, h.n_text_ctx}, GGML_TYPE_F32};
  matrix("decoder.token_embedding.weight", d, h.n_vocab);
  norm("decoder.ln");
  for (int i = 0; i < h.n_text_layer; ++i) {
    const std::string block = "decoder.blocks." + std::to_string(i);
    attention(block + ".attn");
    attention(block + ".cross_attn");
    feed_forward(block);
  }
  return all;
}

// Largest part with strides: it is read as a whole.
constexpr uint64_t kMaxStridedBytes = 64u << 20;

void validate_scale(const PlanTensor& tensor, const TensorPart& part,
                    const std::vector<PlanSource>& sources) {
  const PartScale& scale = part.scale;
  if (scale.count == 0)
    return;
  const uint64_t size = scale.source < sources.size() ? sources[scale.source].size() : 0;
  if (part.rows % scale.count != 0 || scale.offset > size ||
      scale.count > (size - scale.offset) / sizeof(float))
    corrupt("The scales of tensor " + tensor.name + " do not fit");
}

void validate_strides(const PlanTensor& tensor, const TensorPart& part) {
  if (part.strides.empty())
    return;
  const uint64_t bytes = tensor.elements() * ggml_type_size(part.type);
  uint64_t last = 0;
  bool fits = part.strides.size() == tensor.shape.size() && tensor.parts.size() == 1 &&
              ggml_blck_size(part.type) == 1 && bytes <= kMaxStridedBytes;
  for (size_t i = 0; fits && i < part.strides.size(); ++i) {
    fits = part.strides[i] < tensor.elements() || tensor.shape[i] == 1;
    last += static_cast<uint64_t>(tensor.shape[i] - 1) * part.strides[i];
  }
  if (!fits || last != tensor.elements() - 1)
    corrupt("Tensor " + tensor.name + " is stored in an order that does not exist");
}

void validate(const PlanTensor& tensor, const Expected& expected, const std::vector<PlanSource>& sources) {
  if (tensor.shape[0] % ggml_blck_size(tensor.type) != 0)
    corrupt("Tensor " + tensor.name + " has rows that are no whole blocks of " + ggml_type_name(tensor.type));
  if (tensor.shape != expected.shape)
    corrupt("Tensor " + tensor.name + " has the wrong shape");
  if (tensor.type != expected.type)
    corrupt("Tensor " + tensor.name + " has the wrong type in memory");
  uint64_t elements = 0;
  for (const TensorPart& part : tensor.parts) {
    const int64_t columns = part.row_length(tensor);
    if (part.source >= sources.size())
      corrupt("Tensor " + tensor.name + " names a source that does not exist");
    if (part.type != tensor.type && !can_convert(part.type, tensor.type)) {
      corrupt("Tensor " + tensor.name + " asks for a conversion that does not exist: " +
              ggml_type_name(part.type) + " to " + ggml_type_name(tensor.type));
    }
    if (columns % ggml_blck_size(part.type) != 0) {
      corrupt("Tensor " + tensor.name + " has rows that are no whole blocks of " + ggml_type_name(part.type));
    }
    if (part.rows == 0 || part.rows > tensor.elements() / static_cast<uint64_t>(columns))
      corrupt("Tensor " + tensor.name + " has an empty part");
    const bool is_plain = part.strides.empty() && part.scale.count == 0;
    if (part.columns != 0 && (!is_plain || ggml_blck_size(tensor.type) != 1 || part.type == tensor.type))
      corrupt("Tensor " + tensor.name + " cannot be stored flat");
    validate_scale(tensor, part, sources);
    validate_strides(tensor, part);
    const uint64_t bytes = part.rows * ggml_row_size(part.type, columns);
    const uint64_t size = sources[part.source].size();
    if (part.offset > size || bytes > size - part.offset) {
      corrupt("The data of tensor " + tensor.name + " lies outside of its source (offset " +
              std::to_string(part.offset) + ", " + std::to_string(bytes) + " bytes, source " +
              std::to_string(size) + " bytes)");
    }
    elements += part.rows * static_cast<uint64_t>(columns);
  }
  if (elements != tensor.elements())
    corrupt("Tensor " + tensor.name + " is incomplete");
}

ggml_type weight_type_of(int32_t ftype) {
  for (const WeightType& known : kWeightTypes) {
    if (known.ftype == ftype)
      return known.type;
  }
  corrupt("The weight type " + std::to_string(ftype) + " is not known");
}

} // namespace

PlanSource::PlanSource(int descriptor) : descriptor_(fcntl(descriptor, F_DUPFD_CLOEXEC, 0)) {
  struct stat status;
  if (descriptor_ < 0 || fstat(descriptor_, &status) != 0) {
    const std::string reason = std::strerror(errno);
    if (descriptor_ >= 0)
      close(descriptor_);
    throw Error("ERR_INTERNAL", "The model file's descriptor cannot be used: " + reason);
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

PlanSource::PlanSource(std::shared_ptr<ByteStore> store) : store_(std::move(store)), size_(store_->size()) {}

PlanSource::PlanSource(PlanSource&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), store_(std::move(other.store_)), size_(other.size_) {
}

PlanSource::~PlanSource() {
  if (descriptor_ >= 0)
    close(descriptor_);
}

void PlanSource::read(uint64_t offset, void* out, size_t length) const {
  auto* bytes = static_cast<uint8_t*>(out);
  size_t done = 0;
  while (done < length) {
    ssize_t count;
    if (store_) {
      count = static_cast<ssize_t>(store_->read(offset + done, bytes + done, length - done));
    } else {
      count = pread(descriptor_, bytes + done, length - done, static_cast<off_t>(offset + done));
      if (count < 0 && errno == EINTR)
        continue;
      if (count < 0)
        corrupt(std::string("The model file cannot be read: ") + std::strerror(errno));
    }
    if (count == 0)
      corrupt("The model file became shorter while it was loaded");
    done += static_cast<size_t>(count);
  }
}

void PlanSource::write(uint64_t offset, const void* data, size_t length) const {
  const auto* bytes = static_cast<const uint8_t*>(data);
  for (size_t done = 0; done < length;) {
    const ssize_t count = pwrite(descriptor_, bytes + done, length - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      throw Error("ERR_WRITE", std::strerror(errno));
    done += static_cast<size_t>(count);
  }
}

int64_t TensorPart::row_length(const PlanTensor& tensor) const {
  return columns == 0 ? tensor.shape[0] : static_cast<int64_t>(columns);
}

uint64_t PlanTensor::elements() const {
  return std::accumulate(shape.begin(), shape.end(), uint64_t{1},
                         [](uint64_t product, int64_t n) { return product * static_cast<uint64_t>(n); });
}

size_t PlanTensor::bytes() const {
  return static_cast<size_t>(rows()) * ggml_row_size(type, shape[0]);
}

size_t LoadPlan::weight_bytes() const {
  size_t total = 0;
  for (const PlanTensor& tensor : tensors)
    total += tensor.bytes();
  return total;
}

void validate(const LoadPlan& plan) {
  const Hyperparameters& h = plan.hparams;
  validate(h);
  if (plan.mel_filters.size() != static_cast<size_t>(h.n_mels) * 201)
    corrupt("The mel filter bank has the wrong size");

  uint64_t vocabulary = 0;
  for (uint32_t length : plan.vocabulary_lengths)
    vocabulary += length;
  if (vocabulary != plan.vocabulary_bytes.size() || plan.vocabulary_lengths.empty() ||
      plan.vocabulary_lengths.size() > static_cast<size_t>(h.n_vocab)) {
    corrupt("The vocabulary is damaged");
  }

  std::map<std::string, Expected> required = required_tensors(h, weight_type_of(h.ftype));
  for (const PlanTensor& tensor : plan.tensors) {
    const auto expected = required.find(tensor.name);
    if (expected == required.end())
      corrupt("Tensor " + tensor.name + " is unknown or present twice");
    validate(tensor, expected->second, plan.sources);
    required.erase(expected);
  }
  if (!required.empty())
    corrupt("Tensor " + required.begin()->first + " is missing");
}

} // namespace whisper_hip
