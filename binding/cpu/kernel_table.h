// All kernels of one instruction set. Included by kernels_*.cpp after their lanes.
#pragma once

#include "cpu/attend.h"
#include "cpu/kernels.h"
#include "cpu/multiply.h"
#include "cpu/select.h"
#include "cpu/vector_math.h"

namespace whisper_hip {
namespace {

static_assert(kRowTile % kFloatRows == 0 && kRowTile % kIntRows == 0, "tiles begin where pieces of work do");

constexpr Kernels kernel_table(const char* name) {
  return {name,        kIntRows, kMostActivation,   quantize_row,          multiply,  unpack_row,  pack_keys,
          pack_values, attend,   for_each<gelu_of>, for_each<exponential>, normalize, add_to_each, to_halves,
          from_halves, select};
}

} // namespace
} // namespace whisper_hip
