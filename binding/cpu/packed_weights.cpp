// The kernels as ggml sees them: a buffer type that packs the weights which are loaded into it, and that ggml
// asks before it computes a node itself. It stands in the place of ggml's own, repack.cpp.
#include <cstdint>
#include <cstring>

#include "cpu/joined_operands.h"
#include "cpu/kernels.h"
#include "cpu/operations.h"
#include "cpu/team.h"
#include "ggml-backend-impl.h"
#include "ggml-cpu.h"
#include "repack.h"
#include "traits.h"

namespace whisper_hip {

bool is_packed(const ggml_tensor& weights) {
  return weights.buffer != nullptr && weights.buffer->buft == ggml_backend_cpu_repack_buffer_type();
}

namespace {

bool can_pack(const ggml_tensor* weights) {
  const PackedType* type = packed_type(weights->type);
  return type != nullptr && ggml_is_contiguous(weights) && ggml_n_dims(weights) <= 2 &&
         (type->is_float() || weights->ne[0] % kStrip == 0);
}

class Operations : public ggml::cpu::tensor_traits {
 public:
  bool work_size(int n_threads, const ggml_tensor* op, size_t& size) override {
    size = working_memory(*chosen_kernels(), *op, n_threads);
    return true;
  }
  bool compute_forward(ggml_compute_params* params, ggml_tensor* op) override {
    const Team team = {params->ith, params->nth, params->threadpool};
    compute(*chosen_kernels(), *op, team, static_cast<uint8_t*>(params->wdata));
    return true;
  }
};

class PackedWeights : public ggml::cpu::extra_buffer_type {
 public:
  bool supports_op(ggml_backend_dev_t, const ggml_tensor* op) override {
    return is_packed(*op->src[0]) && can_pack(op->src[0]) && can_compute(*op);
  }
  ggml::cpu::tensor_traits* get_tensor_traits(const ggml_tensor* op) override {
    return can_compute(*op) ? &operations_ : nullptr;
  }

 private:
  Operations operations_;
};

void set_weights(ggml_backend_buffer_t, ggml_tensor* tensor, const void* data, size_t offset, size_t size) {
  GGML_ASSERT(offset == 0 && size == ggml_nbytes(tensor));
  pack(*packed_type(tensor->type), data, tensor->ne[0], tensor->ne[1], static_cast<uint8_t*>(tensor->data));
}

const char* name_of(ggml_backend_buffer_type_t) {
  return kPackedName;
}

ggml_backend_buffer_t allocate(ggml_backend_buffer_type_t type, size_t size) {
  ggml_backend_buffer_t buffer = ggml_backend_buft_alloc_buffer(ggml_backend_cpu_buffer_type(), size);
  if (buffer == nullptr)
    return nullptr;
  buffer->buft = type;
  buffer->iface.set_tensor = set_weights;
  buffer->iface.memset_tensor = nullptr;
  buffer->iface.get_tensor = nullptr;
  buffer->iface.cpy_tensor = nullptr;
  return buffer;
}

size_t alignment(ggml_backend_buffer_type_t) {
  return 64;
}

size_t allocated_size(ggml_backend_buffer_type_t, const ggml_tensor* tensor) {
  return can_pack(tensor) ? packed_size(*packed_type(tensor->type), tensor->ne[0], tensor->ne[1])
                          : ggml_nbytes(tensor);
}

} // namespace

} // namespace whisper_hip

// Declared by ggml's repack.h. Null where the processor has none of the instruction sets.
ggml_backend_buffer_type_t ggml_backend_cpu_repack_buffer_type() {
  using namespace whisper_hip;
  if (chosen_kernels() == nullptr)
    return nullptr;
  static ggml_backend_buffer_type type = {
      {name_of, allocate, alignment, nullptr, allocated_size, nullptr},
      ggml_backend_reg_dev_get(ggml_backend_cpu_reg(), 0),
      new PackedWeights,
  };
  return &type;
}
