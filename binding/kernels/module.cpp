// The HIP module's entry. What upstream's claims about operations do not know is corrected here: the kernels
// that this module was built without, and rows of K-quantised weights, which it has beyond upstream. The
// features that it reports tell which GPUs and kernels it was built for.
#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include "../backend/weight_types.h"
#include "ggml-backend-impl.h"
#include "ggml-cuda.h"

namespace {

// Upstream's function, the same for all devices.
std::atomic<ggml_backend_feature* (*)(ggml_backend_reg_t)> upstream_features{nullptr};
std::atomic<bool (*)(ggml_backend_dev_t, const ggml_tensor*)> upstream_supports{nullptr};

bool is_k_quantised(ggml_type type) {
  return type == GGML_TYPE_Q2_K || type == GGML_TYPE_Q3_K || type == GGML_TYPE_Q4_K ||
         type == GGML_TYPE_Q5_K || type == GGML_TYPE_Q6_K;
}

// See getrows_unit.cu.
bool takes_k_rows(const ggml_tensor* op) {
  return op->op == GGML_OP_GET_ROWS && is_k_quantised(op->src[0]->type) && op->type == GGML_TYPE_F32 &&
         op->src[1]->type == GGML_TYPE_I32;
}

#ifndef WHISPER_HIP_ALL_KERNELS

// Types of weights that the products have kernels for.
bool is_weight_type(ggml_type type) {
  for (const whisper_hip::WeightType& known : whisper_hip::kWeightTypes) {
    if (known.type == type)
      return true;
  }
  return false;
}

// Whether every kernel that upstream may choose for the operation is in this module. To be kept in step with
// hip-kernels.cmake.
bool has_kernels(const ggml_tensor* op) {
  switch (op->op) {
  case GGML_OP_NONE:
  case GGML_OP_RESHAPE:
  case GGML_OP_VIEW:
  case GGML_OP_PERMUTE:
  case GGML_OP_TRANSPOSE:
  case GGML_OP_CONT:
  case GGML_OP_CPY:
  case GGML_OP_GET_ROWS:
  case GGML_OP_NORM:
  case GGML_OP_SOFT_MAX:
  case GGML_OP_UNARY:
  case GGML_OP_IM2COL:
    return true;
  case GGML_OP_ADD:
  case GGML_OP_MUL:
    return op->src[0]->type == GGML_TYPE_F32 && op->type == GGML_TYPE_F32;
  case GGML_OP_SET_ROWS:
    return op->type == GGML_TYPE_F16 || op->type == GGML_TYPE_F32;
  case GGML_OP_MUL_MAT:
    return is_weight_type(op->src[0]->type);
  case GGML_OP_FLASH_ATTN_EXT: {
    const ggml_tensor* q = op->src[0];
    const ggml_tensor* k = op->src[1];
    const ggml_tensor* v = op->src[2];
    float soft_cap;
    std::memcpy(&soft_cap, op->op_params + 2, sizeof soft_cap);
    // As many key heads as query heads: the kernels for fewer are missing.
    return k->ne[0] == 64 && v->ne[0] == 64 && k->type == GGML_TYPE_F16 && v->type == GGML_TYPE_F16 &&
           q->ne[2] == k->ne[2] && soft_cap == 0.0f;
  }
  default:
    return false;
  }
}

#else

bool has_kernels(const ggml_tensor*) {
  return true;
}

#endif

bool supports_op(ggml_backend_dev_t device, const ggml_tensor* op) {
  return takes_k_rows(op) || (has_kernels(op) && upstream_supports.load()(device, op));
}

ggml_backend_feature* features(ggml_backend_reg_t registry) {
  static const std::vector<ggml_backend_feature> all = [registry] {
    std::vector<ggml_backend_feature> list;
    for (ggml_backend_feature* feature = upstream_features.load()(registry); feature->name != nullptr;
         feature++)
      list.push_back(*feature);
    list.push_back({"HIP_VERSION", WHISPER_HIP_HIP_VERSION});
    list.push_back({"TARGETS", WHISPER_HIP_TARGETS});
#ifdef WHISPER_HIP_ALL_KERNELS
    list.push_back({"KERNELS", "all"});
#else
    list.push_back({"KERNELS", "whisper"});
#endif
    list.push_back({nullptr, nullptr});
    return list;
  }();
  return const_cast<ggml_backend_feature*>(all.data()); // ggml's interface has no const
}

void* (*upstream_address)(ggml_backend_reg_t, const char*) = nullptr;

void* address(ggml_backend_reg_t registry, const char* name) {
  if (std::strcmp(name, "ggml_backend_get_features") == 0)
    return reinterpret_cast<void*>(features);
  return upstream_address(registry, name);
}

ggml_backend_reg_t corrected_registry() {
  ggml_backend_reg_t registry = ggml_backend_cuda_reg();
  if (registry->iface.get_proc_address == address) // already
    return registry;
  upstream_address = registry->iface.get_proc_address;
  upstream_features = reinterpret_cast<ggml_backend_feature* (*)(ggml_backend_reg_t)>(
      upstream_address(registry, "ggml_backend_get_features"));
  registry->iface.get_proc_address = address;
  for (size_t i = 0; i < registry->iface.get_device_count(registry); i++) {
    ggml_backend_dev_t device = registry->iface.get_device(registry, i);
    upstream_supports = device->iface.supports_op;
    device->iface.supports_op = supports_op;
  }
  return registry;
}

} // namespace

// In place of the one in ggml-cuda.cu, which is compiled without it.
GGML_BACKEND_DL_IMPL(corrected_registry)
