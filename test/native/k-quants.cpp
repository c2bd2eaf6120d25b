// Compares k_quants.h, which the GPU uses, with ggml's own conversion, for blocks of random bits. Prints a line for each type.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>

#include "ggml.h"
#define GGML_COMMON_DECL_CPP
#include "ggml-common.h"

#include "kernels/k_quants.h"

namespace {

// The factors of a block, which the GPU reads as two halves of a register.
template <typename Block>
void set_factors(Block& block, uint16_t d, uint16_t dmin) {
  const uint16_t both[] = {d, dmin};
  std::memcpy(&block.data.dm, both, sizeof(both));
}
void set_factors(block_q3_K& block, uint16_t d, uint16_t) {
  block.d = d;
}
void set_factors(block_q6_K& block, uint16_t d, uint16_t) {
  block.d = d;
}

template <typename Block>
void compare(ggml_type type) {
  std::mt19937 random(1);
  int differences = 0;
  for (int round = 0; round < 100; round++) {
    Block block;
    uint8_t bytes[sizeof(Block)];
    for (uint8_t& byte : bytes)
      byte = static_cast<uint8_t>(random());
    std::memcpy(&block, bytes, sizeof(block));
    const float d = 0.25f + 0.001f * static_cast<float>(round), dmin = 0.125f;
    set_factors(block, ggml_fp32_to_fp16(d), ggml_fp32_to_fp16(dmin));
    float expected[QK_K];
    ggml_get_type_traits(type)->to_float(&block, expected, QK_K);
    const float stored = ggml_fp16_to_fp32(ggml_fp32_to_fp16(d));
    for (int i = 0; i < QK_K; i++) {
      const KQuant q = k_quant(block, i);
      const float value = stored * q.scale * q.quant - dmin * q.min;
      differences += std::fabs(value - expected[i]) > 1e-5f * std::fabs(expected[i]) ? 1 : 0;
    }
  }
  std::printf("%s %d\n", ggml_type_name(type), differences);
}

} // namespace

int main() {
  compare<block_q2_K>(GGML_TYPE_Q2_K);
  compare<block_q3_K>(GGML_TYPE_Q3_K);
  compare<block_q4_K>(GGML_TYPE_Q4_K);
  compare<block_q5_K>(GGML_TYPE_Q5_K);
  compare<block_q6_K>(GGML_TYPE_Q6_K);
}
