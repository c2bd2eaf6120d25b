// Flash attention without matrix cores: head size 64, one query head for each key head, and no soft cap of
// the logits. supports_op (module.cpp) claims nothing else.
#include "ggml-cuda/fattn-tile.cuh"

#include "kernel_missing.h"

#define LEFT_OUT(heads, capped)                                                                              \
  template <>                                                                                                \
  void launch_fattn_tile_switch_ncols1<64, 64, heads, capped>(ggml_backend_cuda_context&, ggml_tensor*) {    \
    kernel_missing("flash_attn_tile<64, 64, *, " #heads ", " #capped ">");                                   \
  }

LEFT_OUT(2, false)
LEFT_OUT(4, false)
LEFT_OUT(8, false)
LEFT_OUT(1, true)
LEFT_OUT(2, true)
LEFT_OUT(4, true)
LEFT_OUT(8, true)

DECL_FATTN_TILE_CASE(64, 64);
