// What to load, from where, into which type: the plan that the TypeScript readers made, checked again.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ggml.h"
#include "support/byte_store.h"

namespace whisper_hip {

// One place that tensor data comes from: a file descriptor of our own, or bytes in memory.
class PlanSource {
 public:
  // Duplicates `descriptor`; throws Error(ERR_INTERNAL) when that fails.
  explicit PlanSource(int descriptor);
  explicit PlanSource(std::shared_ptr<ByteStore> store);
  ~PlanSource();
  PlanSource(PlanSource&& other) noexcept;
  PlanSource& operator=(PlanSource&&) = delete;

  uint64_t size() const { return size_; }
  // Reads exactly `length` bytes; throws Error(ERR_MODEL_CORRUPT) when the source has become shorter.
  void read(uint64_t offset, void* out, size_t length) const;
  // For a file that a plan is written to; throws Error(ERR_WRITE).
  void write(uint64_t offset, const void* data, size_t length) const;

 private:
  int descriptor_ = -1;
  std::shared_ptr<ByteStore> store_;
  uint64_t size_ = 0;
};

// What stored integers are divided by: f32 values, each for the same number of rows. None when `count` is 0.
struct PartScale {
  uint32_t source = 0;
  uint64_t offset = 0;
  uint64_t count = 0;
};

struct PlanTensor;

struct TensorPart {
  uint32_t source;
  uint64_t offset;
  ggml_type type; // also GGML_TYPE_I8 and GGML_TYPE_I16
  uint64_t rows;
  PartScale scale;
  // In elements, one for each dimension of the tensor (ggml order), when the values are stored in another
  // order; then the tensor has one part, of a type without blocks.
  std::vector<uint64_t> strides;
  // Values in a stored row, when blocks run across rows of the tensor; 0 = those of the tensor.
  uint64_t columns = 0;

  int64_t row_length(const PlanTensor& tensor) const;
};

struct PlanTensor {
  std::string name;
  std::vector<int64_t> shape; // ggml order, fastest dimension first
  ggml_type type;             // in memory
  std::vector<TensorPart> parts;

  uint64_t elements() const;
  uint64_t rows() const { return elements() / static_cast<uint64_t>(shape[0]); }
  size_t bytes() const;
};

// In the order of the legacy header.
struct Hyperparameters {
  int32_t n_vocab, n_audio_ctx, n_audio_state, n_audio_head, n_audio_layer;
  int32_t n_text_ctx, n_text_state, n_text_head, n_text_layer, n_mels, ftype;
};

struct LoadPlan {
  Hyperparameters hparams;
  std::vector<float> mel_filters; // [n_mels, 201] row-major
  std::vector<uint8_t> vocabulary_bytes;
  std::vector<uint32_t> vocabulary_lengths;
  std::vector<PlanTensor> tensors;
  std::vector<PlanSource> sources;

  size_t weight_bytes() const;
};

// Checks everything that whisper.cpp relies on: the exact set of tensors with the shapes and types that
// follow from the hyperparameters, all data inside the sources, all row sizes whole blocks. Throws
// Error(ERR_MODEL_CORRUPT).
void validate(const LoadPlan& plan);

} // namespace whisper_hip
