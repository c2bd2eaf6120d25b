// The JS class ByteStore: bytes in native memory, filled chunk by chunk.
#pragma once

#include <napi.h>

#include <atomic>
#include <memory>

#include "support/byte_store.h"

namespace whisper_hip {

class ByteStoreObject : public Napi::ObjectWrap<ByteStoreObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ByteStoreObject(const Napi::CallbackInfo& info);
  ~ByteStoreObject() override;

  // The store behind a JS value, or nullptr when it is not one.
  static std::shared_ptr<ByteStore> store_of(Napi::Value value);
  static int live();

 private:
  Napi::Value append(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value byte_length(const Napi::CallbackInfo& info);

  std::shared_ptr<ByteStore> store_;
};

} // namespace whisper_hip
