#include "addon/byte_store_object.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "addon/environment.h"
#include "addon/js_error.h"

namespace whisper_hip {

namespace {

std::atomic<int> live_stores{0};

// Index of the first NaN or infinity, or -1.
double first_not_finite(const float* values, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (!std::isfinite(values[i]))
      return static_cast<double>(i);
  }
  return -1;
}

} // namespace

Napi::Function ByteStoreObject::define(Napi::Env env) {
  return DefineClass(env, "ByteStore",
                     {InstanceMethod<&ByteStoreObject::append>("append"),
                      InstanceMethod<&ByteStoreObject::read>("read"),
                      InstanceAccessor<&ByteStoreObject::byte_length>("byteLength")});
}

ByteStoreObject::ByteStoreObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ByteStoreObject>(info), store_(std::make_shared<ByteStore>()) {
  live_stores++;
}

ByteStoreObject::~ByteStoreObject() {
  live_stores--;
}

int ByteStoreObject::live() {
  return live_stores;
}

std::shared_ptr<ByteStore> ByteStoreObject::store_of(Napi::Value value) {
  if (!value.IsObject())
    return nullptr;
  const auto& constructor = Environment::of(value.Env()).byte_store_constructor;
  if (!value.As<Napi::Object>().InstanceOf(constructor.Value()))
    return nullptr;
  return Unwrap(value.As<Napi::Object>())->store_;
}

Napi::Value ByteStoreObject::append(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() < 1 || !info[0].IsTypedArray()) {
    throw Napi::TypeError::New(env, "Expected a typed array for append");
  }
  const auto view = info[0].As<Napi::TypedArray>();
  const auto* bytes = static_cast<const uint8_t*>(view.ArrayBuffer().Data()) + view.ByteOffset();
  if (info[1].ToBoolean() && view.TypedArrayType() == napi_float32_array) {
    const double bad = first_not_finite(reinterpret_cast<const float*>(bytes), view.ElementLength());
    if (bad >= 0)
      return Napi::Number::New(env, bad);
  }
  try {
    store_->append(bytes, view.ByteLength());
  } catch (const std::bad_alloc&) {
    throw js_error(env, "ERR_OUT_OF_MEMORY",
                   "Memory for " + std::to_string(view.ByteLength()) + " more bytes could not be allocated");
  }
  return Napi::Number::New(env, -1);
}

Napi::Value ByteStoreObject::read(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto offset = static_cast<uint64_t>(std::clamp(info[0].ToNumber().DoubleValue(), 0.0, 1e15));
  const auto most = static_cast<uint64_t>(std::clamp(info[1].ToNumber().DoubleValue(), 0.0, 1e9));
  const uint64_t left = offset < store_->size() ? store_->size() - offset : 0;
  Napi::Uint8Array bytes = Napi::Uint8Array::New(env, static_cast<size_t>(std::min(most, left)));
  with_js_errors(env, [&] { return store_->read(offset, bytes.Data(), bytes.ByteLength()); });
  return bytes;
}

Napi::Value ByteStoreObject::byte_length(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(store_->size()));
}

} // namespace whisper_hip
