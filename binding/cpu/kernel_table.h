// All kernels of one instruction set. Included by kernels_*.cpp after their lanes.
#pragma once

#include "cpu/attend.h"
#include "cpu/attend_words.h"
#include "cpu/kernels.h"
#include "cpu/multiply.h"
#include "cpu/select.h"
#include "cpu/vector_math.h"

namespace whisper_hip {
namespace {

static_assert(kRowTile % kFloatRows == 0 && kRowTile % kIntRows == 0, "tiles begin where pieces of work do");

inline void attend(const Attention& head, int first_query, int end_query, uint8_t* scratch) {
  const auto how = head.packed != nullptr ? attend_words : attend_halves;
  how(head, first_query, end_query, scratch);
}

constexpr Kernels kernel_table(const char* name) {
  return {name,       kIntRows,    kMostActivation, quantize_row,      multiply,
          unpack_row, pack_head,   attend,          for_each<gelu_of>, for_each<exponential>,
          normalize,  add_to_each, to_halves,       from_halves,       select};
}

} // namespace
} // namespace whisper_hip
