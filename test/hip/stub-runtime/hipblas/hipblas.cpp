// hipBLAS that computes nothing: it hands each product to rocBLAS, as the real one does.
#include <cstddef>

#define STUB_API extern "C" __attribute__((visibility("default")))

extern "C" int whisper_hip_stub_enter(const char* function);
extern "C" int whisper_hip_stub_product(const char* function);

STUB_API int hipblasCreate(void** handle) {
  *handle = new char;
  return whisper_hip_stub_enter("hipblasCreate");
}

STUB_API int hipblasDestroy(void* handle) {
  delete static_cast<char*>(handle);
  return 0;
}

STUB_API int hipblasSetStream(void*, void*) {
  return 0;
}

// The arguments do not matter.
#define PRODUCT(name)                                                                                        \
  STUB_API int name() { return whisper_hip_stub_product(#name); }

PRODUCT(hipblasSgemm)
PRODUCT(hipblasGemmEx)
PRODUCT(hipblasGemmStridedBatchedEx)
PRODUCT(hipblasGemmBatchedEx)
