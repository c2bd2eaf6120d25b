#include "addon/plan_from_js.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "addon/byte_store_object.h"

namespace whisper_hip {

namespace {

template <typename T>
std::vector<T> copy_array(Napi::Object object, const char* name, napi_typedarray_type type) {
  const Napi::Value value = object.Get(name);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw Napi::TypeError::New(object.Env(), std::string("Expected a typed array for ") + name);
  }
  const auto view = value.As<Napi::TypedArray>();
  const auto* bytes = static_cast<const uint8_t*>(view.ArrayBuffer().Data()) + view.ByteOffset();
  std::vector<T> copy(view.ElementLength());
  if (!copy.empty())
    std::memcpy(copy.data(), bytes, copy.size() * sizeof(T));
  return copy;
}

double number(Napi::Object object, const char* name, double most = 9007199254740991.0) {
  const Napi::Value value = object.Get(name);
  const double result = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  if (!(result >= 0 && result <= most) || result != std::floor(result)) {
    throw Napi::TypeError::New(object.Env(), std::string("Expected a non-negative integer for ") + name);
  }
  return result;
}

Napi::Array array(Napi::Object object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsArray())
    throw Napi::TypeError::New(object.Env(), std::string("Expected an array for ") + name);
  return value.As<Napi::Array>();
}

ggml_type type_of(Napi::Object object) {
  const double type = number(object, "type");
  if (type >= static_cast<double>(GGML_TYPE_COUNT) || ggml_blck_size(static_cast<ggml_type>(type)) <= 0) {
    throw Napi::TypeError::New(object.Env(), "Expected a ggml type for type");
  }
  return static_cast<ggml_type>(type);
}

PartScale scale_from_js(Napi::Value value) {
  if (!value.IsObject())
    return {};
  const auto scale = value.As<Napi::Object>();
  return {static_cast<uint32_t>(number(scale, "source", UINT32_MAX)),
          static_cast<uint64_t>(number(scale, "offset")), static_cast<uint64_t>(number(scale, "count"))};
}

std::vector<uint64_t> strides_from_js(Napi::Value value) {
  std::vector<uint64_t> strides;
  if (!value.IsArray())
    return strides;
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < std::min<uint32_t>(array.Length(), 4); ++i) {
    const double stride = array.Get(i).ToNumber().DoubleValue();
    if (!(stride >= 0 && stride <= 1e12) || stride != std::floor(stride))
      throw Napi::TypeError::New(value.Env(), "Expected non-negative integers for strides");
    strides.push_back(static_cast<uint64_t>(stride));
  }
  return strides;
}

uint64_t columns_from_js(Napi::Object part) {
  return part.Get("columns").IsUndefined() ? 0 : static_cast<uint64_t>(number(part, "columns", 1e9));
}

PlanTensor tensor_from_js(Napi::Object object) {
  PlanTensor tensor;
  tensor.name = object.Get("name").ToString().Utf8Value();
  tensor.type = type_of(object);
  const Napi::Array shape = array(object, "shape");
  for (uint32_t i = 0; i < shape.Length(); ++i) {
    const double n = shape.Get(i).ToNumber().DoubleValue();
    if (!(n >= 1 && n <= 1e9) || n != std::floor(n) || i >= 4)
      throw Napi::TypeError::New(object.Env(), "Expected 1 to 4 positive dimensions");
    tensor.shape.push_back(static_cast<int64_t>(n));
  }
  if (tensor.shape.empty())
    throw Napi::TypeError::New(object.Env(), "Expected 1 to 4 positive dimensions");
  const Napi::Array parts = array(object, "parts");
  for (uint32_t i = 0; i < parts.Length(); ++i) {
    const auto part = parts.Get(i).As<Napi::Object>();
    tensor.parts.push_back({static_cast<uint32_t>(number(part, "source", UINT32_MAX)),
                            static_cast<uint64_t>(number(part, "offset")), type_of(part),
                            static_cast<uint64_t>(number(part, "rows")), scale_from_js(part.Get("scale")),
                            strides_from_js(part.Get("strides")), columns_from_js(part)});
  }
  return tensor;
}

} // namespace

LoadPlan plan_from_js(Napi::Object object) {
  LoadPlan plan;
  const auto hparams = copy_array<int32_t>(object, "hyperparameters", napi_int32_array);
  static_assert(sizeof plan.hparams == 11 * sizeof(int32_t), "the legacy header has eleven numbers");
  if (hparams.size() != 11)
    throw Napi::TypeError::New(object.Env(), "Expected 11 hyperparameters");
  std::memcpy(&plan.hparams, hparams.data(), sizeof plan.hparams);
  plan.mel_filters = copy_array<float>(object, "melFilters", napi_float32_array);
  plan.vocabulary_bytes = copy_array<uint8_t>(object, "vocabularyBytes", napi_uint8_array);
  plan.vocabulary_lengths = copy_array<uint32_t>(object, "vocabularyLengths", napi_uint32_array);

  const Napi::Array sources = array(object, "sources");
  for (uint32_t i = 0; i < sources.Length(); ++i) {
    const Napi::Value source = sources.Get(i);
    if (source.IsNumber()) {
      plan.sources.emplace_back(source.As<Napi::Number>().Int32Value());
    } else if (auto store = ByteStoreObject::store_of(source)) {
      plan.sources.emplace_back(std::move(store));
    } else {
      throw Napi::TypeError::New(object.Env(), "Expected file descriptors or byte stores for sources");
    }
  }
  const Napi::Array tensors = array(object, "tensors");
  plan.tensors.reserve(tensors.Length());
  for (uint32_t i = 0; i < tensors.Length(); ++i) {
    // Thousands of properties are read here: without a scope of their own the handles pile up.
    Napi::HandleScope scope(object.Env());
    plan.tensors.push_back(tensor_from_js(tensors.Get(i).As<Napi::Object>()));
  }
  return plan;
}

} // namespace whisper_hip
