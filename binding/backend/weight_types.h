// The types that the weights of a model may have in memory: what a load plan may name, what the HIP module
// has kernels for, and what the trial of a GPU computes with. lib/model/plan.ts has the same list.
#pragma once

#include "ggml.h"

namespace whisper_hip {

struct WeightType {
  ggml_ftype ftype; // as the header of a legacy file names it
  ggml_type type;
};

constexpr WeightType kWeightTypes[] = {
    {GGML_FTYPE_ALL_F32, GGML_TYPE_F32},      {GGML_FTYPE_MOSTLY_F16, GGML_TYPE_F16},
    {GGML_FTYPE_MOSTLY_BF16, GGML_TYPE_BF16}, {GGML_FTYPE_MOSTLY_Q4_0, GGML_TYPE_Q4_0},
    {GGML_FTYPE_MOSTLY_Q4_1, GGML_TYPE_Q4_1}, {GGML_FTYPE_MOSTLY_Q5_0, GGML_TYPE_Q5_0},
    {GGML_FTYPE_MOSTLY_Q5_1, GGML_TYPE_Q5_1}, {GGML_FTYPE_MOSTLY_Q8_0, GGML_TYPE_Q8_0},
    {GGML_FTYPE_MOSTLY_Q2_K, GGML_TYPE_Q2_K}, {GGML_FTYPE_MOSTLY_Q3_K, GGML_TYPE_Q3_K},
    {GGML_FTYPE_MOSTLY_Q4_K, GGML_TYPE_Q4_K}, {GGML_FTYPE_MOSTLY_Q5_K, GGML_TYPE_Q5_K},
    {GGML_FTYPE_MOSTLY_Q6_K, GGML_TYPE_Q6_K},
};

} // namespace whisper_hip
