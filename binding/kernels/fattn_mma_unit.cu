// Flash attention on matrix cores: head size 64, one query head for each key head. Of AMD's cards only CDNA
// runs it with these shapes (ggml_cuda_get_best_fattn_kernel), so other cards get no device code for it.
#include "ggml-cuda/common.cuh"

#if defined(__HIP_DEVICE_COMPILE__) && !defined(AMD_MFMA_AVAILABLE)
#undef FLASH_ATTN_AVAILABLE
#endif

#include "ggml-cuda/fattn-mma-f16.cuh"

DECL_FATTN_MMA_F16_CASE(64, 64, 16, 1);
DECL_FATTN_MMA_F16_CASE(64, 64, 32, 1);
DECL_FATTN_MMA_F16_CASE(64, 64, 64, 1);
