// Flash attention for one query: head size 64, F16 keys and values.
#include "ggml-cuda/fattn-vec.cuh"

DECL_FATTN_VEC_CASE(64, GGML_TYPE_F16, GGML_TYPE_F16);
