#include "cpu/operations.h"

#include <algorithm>
#include <cstring>

#include "cpu/joined_operands.h"
#include "cpu/team.h"

namespace whisper_hip {

namespace {

const float* data_of(const ggml_tensor* tensor) {
  return tensor != nullptr ? static_cast<const float*>(tensor->data) : nullptr;
}

const PackedType* next_type_of(const ggml_tensor& node) {
  const int32_t type = node.op_params[kWritesQuantized];
  return type != 0 ? packed_type(static_cast<ggml_type>(type - 1)) : nullptr;
}
QuantizedRows next_of(const Kernels& kernels, const ggml_tensor& node) {
  const PackedType* type = next_type_of(node);
  return type != nullptr ? quantized_at(kernels, node.ne[0], ggml_nrows(&node), node.data) : QuantizedRows{};
}

struct ProductMemory {
  QuantizedRows rows = {};
  float* widened = nullptr;   // activations of f16
  uint8_t* scratch = nullptr; // of this thread

  ProductMemory(const Kernels& kernels, const ggml_tensor& node, const Team& team, Memory& memory) {
    const PackedType& type = *packed_type(node.src[0]->type);
    const int64_t columns = node.src[0]->ne[0], count = ggml_nrows(node.src[1]);
    if (!type.is_float()) {
      void* base = node.op_params[kReadsQuantized] != 0
                       ? node.src[1]->data
                       : memory.take(quantized_size(kernels, type, columns, count));
      rows = quantized_at(kernels, columns, count, base);
    }
    if (node.src[1]->type == GGML_TYPE_F16)
      widened = memory.take<float>(count * columns);
    scratch = memory.take_own(team, product_scratch(columns));
  }
};

void multiply(const Kernels& kernels, ggml_tensor& node, const Team& team, Memory memory) {
  const PackedType& type = *packed_type(node.src[0]->type);
  const int64_t columns = node.src[0]->ne[0], channels = node.src[0]->ne[1], rows = ggml_nrows(node.src[1]);
  const ProductMemory parts(kernels, node, team, memory);
  const int64_t first = rows * team.index / team.size, end = rows * (team.index + 1) / team.size;
  const auto* input = static_cast<const float*>(node.src[1]->data);
  if (parts.widened != nullptr) {
    input = parts.widened;
    kernels.from_halves(static_cast<const uint16_t*>(node.src[1]->data) + first * columns,
                        parts.widened + first * columns, (end - first) * columns);
  }
  if (!type.is_float() && node.op_params[kReadsQuantized] == 0) {
    for (int64_t row = first; row < end; ++row)
      kernels.quantize_row(type, input + row * columns, columns, row, parts.rows);
  }
  gather(team);

  const Product product = {&type,
                           static_cast<const uint8_t*>(node.src[0]->data),
                           is_packed(*node.src[0]) ? 0 : node.src[0]->nb[1],
                           columns,
                           channels,
                           input,
                           parts.rows,
                           static_cast<float*>(node.data),
                           data_of(node.src[kBias]),
                           node.op_params[kGelu] != 0,
                           data_of(node.src[kResidual]),
                           next_type_of(node),
                           next_of(kernels, node)};
  // Rows whose activations stay in the second cache while the weights go by, and as many pieces of the
  // weights as keep all threads busy to the end.
  constexpr int64_t kCached = 512 << 10;
  const int64_t row_bytes = columns * (type.is_float() ? 4 : 1);
  const int64_t at_once =
      std::clamp<int64_t>(kCached / row_bytes / kRowTile, 4, kMostRows / kRowTile) * kRowTile;
  const int64_t row_blocks = divided_up(rows, at_once);
  const int64_t block = divided_up(divided_up(rows, row_blocks), kRowTile) * kRowTile;
  const int64_t pairs = divided_up(channels, 2 * kGroup);
  const int64_t parts_of_weights = std::min(pairs, divided_up(8 * team.size, row_blocks));
  const int64_t groups = divided_up(channels, kGroup);
  share(team, row_blocks * parts_of_weights, [&](int64_t piece) {
    const int64_t part = piece % parts_of_weights, first_row = piece / parts_of_weights * block;
    kernels.multiply(product, first_row, std::min(first_row + block, rows),
                     pairs * part / parts_of_weights * 2,
                     std::min(pairs * (part + 1) / parts_of_weights * 2, groups), parts.scratch);
  });
}

void get_rows(const Kernels& kernels, ggml_tensor& node, const Team& team, Memory memory) {
  const ggml_tensor& weights = *node.src[0];
  const PackedType& type = *packed_type(weights.type);
  uint8_t* scratch = memory.take_own(team, product_scratch(weights.ne[0]));
  const auto* wanted = static_cast<const int32_t*>(node.src[1]->data);
  for (int64_t i = team.index; i < node.src[1]->ne[0]; i += team.size) {
    GGML_ASSERT(wanted[i] >= 0 && wanted[i] < weights.ne[1]);
    kernels.unpack_row(type, static_cast<const uint8_t*>(weights.data), weights.ne[0], wanted[i],
                       static_cast<float*>(node.data) + i * weights.ne[0], scratch);
  }
}

float parameter(const ggml_tensor& node, int index) {
  float value;
  std::memcpy(&value, node.op_params + index, sizeof value);
  return value;
}

// Heads of all sequences.
int64_t heads_of(const ggml_tensor& node) {
  return node.src[0]->ne[2] * node.src[0]->ne[3];
}

// The kernels' view of one head of GGML_OP_FLASH_ATTN_EXT.
Attention head_of(const ggml_tensor& node, int64_t index) {
  const ggml_tensor *query = node.src[0], *key = node.src[1], *value = node.src[2], *mask = node.src[3];
  const int64_t head = index % query->ne[2], sequence = index / query->ne[2];
  const auto bytes = [&](const ggml_tensor* tensor) {
    return static_cast<const uint8_t*>(tensor->data) + head * tensor->nb[2] + sequence * tensor->nb[3];
  };
  Attention view = {};
  view.size = static_cast<int>(query->ne[0]);
  view.keys = static_cast<int>(key->ne[1]);
  view.scale = parameter(node, 0);
  view.query = bytes(query);
  view.query_stride = query->nb[1];
  view.key = bytes(key);
  view.key_stride = key->nb[1];
  if (node.op_params[kTurnedHeads] != 0)
    view.turned_key = static_cast<const uint16_t*>(key->data) + head * padded_keys(view.keys) * view.size;
  view.value = bytes(value);
  view.value_stride = value->nb[1];
  if (node.op_params[kTurnedHeads] != 0) {
    view.value_stride = static_cast<size_t>(view.size) * sizeof(uint16_t);
    view.value = static_cast<const uint8_t*>(value->data) + head * padded_keys(view.keys) * view.value_stride;
  }
  if (mask != nullptr)
    view.mask = static_cast<const uint8_t*>(mask->data) + sequence % mask->ne[3] * mask->nb[3];
  view.mask_stride = mask != nullptr ? mask->nb[1] : 0;
  // The result is [size, heads, queries, sequences].
  view.output = static_cast<float*>(node.data) + (sequence * query->ne[1] * query->ne[2] + head) * node.ne[0];
  view.output_stride = static_cast<size_t>(node.ne[0] * node.ne[1]);
  return view;
}

// The encoder's attention. Keys and values of the decoder's are read for few queries, as they are stored.
bool uses_words(const ggml_tensor& node) {
  return node.src[3] == nullptr && node.op_params[kTurnedHeads] == 0 && node.src[0]->ne[0] <= kMostWordSize;
}

struct AttentionMemory {
  uint8_t* packed = nullptr; // heads
  size_t head_size;
  uint8_t* scratch = nullptr; // of this thread

  AttentionMemory(const ggml_tensor& node, const Team& team, Memory& memory) {
    const int size = static_cast<int>(node.src[0]->ne[0]), keys = static_cast<int>(node.src[1]->ne[1]);
    head_size = packed_head_size(keys, size);
    if (uses_words(node))
      packed = memory.take(head_size * heads_of(node));
    scratch = memory.take_own(team, attention_scratch(keys, size));
  }
};

void attend(const Kernels& kernels, ggml_tensor& node, const Team& team, Memory memory) {
  const AttentionMemory parts(node, team, memory);
  const int64_t heads = heads_of(node);
  const int queries = static_cast<int>(node.src[0]->ne[1]);
  const auto packed = [&](int64_t head) {
    Attention view = head_of(node, head);
    view.packed = parts.packed + head * parts.head_size;
    return view;
  };
  if (parts.packed == nullptr) {
    for (int64_t head = team.index; head < heads; head += team.size)
      kernels.attend(head_of(node, head), 0, queries, parts.scratch);
    return;
  }
  gather(team);
  share(team, heads, [&](int64_t head) { kernels.pack_head(packed(head)); });
  ggml_barrier(team.pool);
  gather(team);
  constexpr int kAtOnce = 4 * kQueryBlock;
  const int64_t blocks = divided_up(queries, kAtOnce);
  share(team, heads * blocks, [&](int64_t piece) {
    const int first = static_cast<int>(piece % blocks) * kAtOnce;
    kernels.attend(packed(piece / blocks), first, std::min(first + kAtOnce, queries), parts.scratch);
  });
}

void gelu(const Kernels& kernels, ggml_tensor& node, const Team& team) {
  const int64_t count = ggml_nelements(&node);
  const int64_t first = count * team.index / team.size / 16 * 16;
  const int64_t end = team.index + 1 == team.size ? count : count * (team.index + 1) / team.size / 16 * 16;
  kernels.gelu(static_cast<const float*>(node.src[0]->data) + first, static_cast<float*>(node.data) + first,
               end - first);
}

void normalize(const Kernels& kernels, ggml_tensor& node, const Team& team, Memory memory) {
  const int64_t columns = node.ne[0], rows = ggml_nrows(&node);
  auto* scratch = memory.take_own<float>(team, static_cast<size_t>(columns));
  const PackedType* next_type = next_type_of(node);
  const QuantizedRows next = next_of(kernels, node);
  // Whole panels for each thread.
  const int64_t panels = divided_up(rows, kernels.panel_rows);
  const int64_t first = panels * team.index / team.size * kernels.panel_rows;
  const int64_t end = std::min(panels * (team.index + 1) / team.size * kernels.panel_rows, rows);
  for (int64_t row = first; row < end; ++row) {
    float* to = next_type != nullptr ? scratch : static_cast<float*>(node.data) + row * columns;
    kernels.normalize(static_cast<const float*>(node.src[0]->data) + row * columns, to, columns,
                      parameter(node, 0), data_of(node.src[kNormWeight]), data_of(node.src[kNormBias]));
    if (next_type != nullptr)
      kernels.quantize_row(*next_type, to, columns, row, next);
  }
}

// Rows of keys, of all heads side by side, into turned ones; those that do not exist are zero.
void turn_keys(const Kernels& kernels, ggml_tensor& node, const Team& team) {
  const ggml_tensor& keys = *node.src[0];
  const int64_t heads = node.op_params[kTurnedHeads], state = keys.ne[0], size = state / heads;
  const int64_t groups = padded_keys(static_cast<int>(keys.ne[1])) / kGroup;
  const auto* from = static_cast<const float*>(keys.data);
  auto* to = static_cast<uint16_t*>(node.data);
  gather(team);
  share(team, groups, [&](int64_t group) {
    float block[kGroup * 16];
    const int64_t first = group * kGroup, count = std::clamp<int64_t>(keys.ne[1] - first, 0, kGroup);
    for (int64_t column = 0; column < state; column += 16) {
      std::memset(block, 0, sizeof block);
      for (int64_t key = 0; key < count; ++key) {
        for (int64_t i = 0; i < 16; ++i)
          block[i * kGroup + key] = from[(first + key) * state + column + i];
      }
      const int64_t head = column / size;
      kernels.to_halves(block, to + (head * groups + group) * size * kGroup + column % size * kGroup,
                        kGroup * 16);
    }
  });
}

// Rows of values, of all heads side by side, to those of each head.
void divide_values(const Kernels& kernels, ggml_tensor& node, const Team& team) {
  const ggml_tensor& values = *node.src[0];
  const int64_t heads = node.op_params[kValueHeads], state = values.ne[0], size = state / heads;
  const int64_t padded = padded_keys(static_cast<int>(values.ne[1]));
  const auto* from = static_cast<const float*>(values.data);
  auto* to = static_cast<uint16_t*>(node.data);
  for (int64_t key = team.index; key < values.ne[1]; key += team.size) {
    for (int64_t head = 0; head < heads; ++head)
      kernels.to_halves(from + key * state + head * size, to + (head * padded + key) * size, size);
  }
}

// The keys of one head in rows again.
void turn_back(ggml_tensor& node, const Team& team) {
  const int64_t size = node.ne[0], keys = node.ne[1];
  const int64_t groups = padded_keys(static_cast<int>(keys)) / kGroup;
  const auto* from = static_cast<const uint16_t*>(node.src[0]->view_src->data) +
                     node.op_params[kTurnedHead] * groups * size * kGroup;
  auto* to = static_cast<uint16_t*>(node.data);
  for (int64_t key = team.index; key < keys; key += team.size) {
    for (int64_t i = 0; i < size; ++i)
      to[key * size + i] = from[key / kGroup * size * kGroup + i * kGroup + key % kGroup];
  }
}

// One term for each row, as the biases of convolutions are added.
void add_terms(const Kernels& kernels, ggml_tensor& node, const Team& team) {
  const int64_t columns = node.ne[0], rows = ggml_nrows(&node);
  const auto* terms = static_cast<const float*>(node.src[1]->data);
  for (int64_t row = team.index; row < rows; row += team.size)
    kernels.add_to_each(static_cast<const float*>(node.src[0]->data) + row * columns, terms[row],
                        static_cast<float*>(node.data) + row * columns, columns);
}

// The input of a convolution of three taps: [inputs * 3, outputs] of f16, where column 3 * input + tap of
// output t is the input at t * stride + tap - 1.
constexpr int kTaps = 3;

// A channel as f16, with a zero before it and some behind it.
int64_t padded_length(const ggml_tensor& node) {
  return node.src[1]->ne[0] + 8;
}

void take_columns(const Kernels& kernels, ggml_tensor& node, const Team& team, Memory memory) {
  const ggml_tensor& input = *node.src[1];
  const int64_t length = input.ne[0], channels = input.ne[1], outputs = node.ne[1], width = node.ne[0];
  const int64_t stride = node.op_params[0], padded = padded_length(node);
  auto* halves = memory.take<uint16_t>(static_cast<size_t>(padded * channels));
  for (int64_t channel = team.index; channel < channels; channel += team.size) {
    uint16_t* row = halves + channel * padded;
    row[0] = 0;
    kernels.to_halves(static_cast<const float*>(input.data) + channel * length, row + 1, length);
    std::memset(row + 1 + length, 0, static_cast<size_t>(padded - 1 - length) * sizeof(uint16_t));
  }
  gather(team);
  constexpr int64_t kAtOnce = 16; // outputs whose inputs share cache lines
  share(team, divided_up(outputs, kAtOnce), [&](int64_t piece) {
    const int64_t first = piece * kAtOnce, end = std::min(first + kAtOnce, outputs);
    for (int64_t channel = 0; channel < channels; ++channel) {
      const uint16_t* from = halves + channel * padded;
      auto* to = static_cast<uint16_t*>(node.data) + channel * kTaps;
      if (channel + 1 < channels) {
        // Four halves are moved at once: the next channel overwrites the last of them.
        for (int64_t output = first; output < end; ++output)
          std::memcpy(to + output * width, from + output * stride, 8);
      } else {
        for (int64_t output = first; output < end; ++output)
          std::memcpy(to + output * width, from + output * stride, kTaps * sizeof(uint16_t));
      }
    }
  });
}

bool is_plain(const ggml_tensor* tensor, ggml_type type) {
  return tensor->type == type && ggml_is_contiguous(tensor);
}

// The weights of a product that are not packed: where many rows make it worth to turn them.
bool can_turn(const ggml_tensor* weights, const ggml_tensor* rows) {
  return (is_plain(weights, GGML_TYPE_F16) || is_plain(weights, GGML_TYPE_F32)) && weights->ne[2] == 1 &&
         weights->ne[3] == 1 && weights->ne[0] % 16 == 0 && ggml_n_dims(rows) == 2 && rows->ne[1] >= 64;
}

bool can_multiply(const ggml_tensor& node) {
  const ggml_tensor *weights = node.src[0], *rows = node.src[1];
  if (!is_plain(&node, GGML_TYPE_F32))
    return false;
  if (is_packed(*weights))
    return is_plain(rows, GGML_TYPE_F32);
  return can_turn(weights, rows) && (is_plain(rows, GGML_TYPE_F32) || is_plain(rows, GGML_TYPE_F16));
}

bool can_copy(const ggml_tensor& node) {
  if (node.op_params[kTurnedHeads] != 0 || node.op_params[kValueHeads] != 0)
    return true;
  return is_plain(node.src[0], GGML_TYPE_F32) && is_plain(&node, GGML_TYPE_F16) && node.ne[0] % 16 == 0;
}

void copy(const Kernels& kernels, ggml_tensor& node, const Team& team) {
  if (node.op_params[kTurnedHeads] != 0)
    return turn_keys(kernels, node, team);
  if (node.op_params[kValueHeads] != 0)
    return divide_values(kernels, node, team);
  const int64_t rows = ggml_nrows(&node), first = rows * team.index / team.size;
  const int64_t end = rows * (team.index + 1) / team.size;
  kernels.to_halves(static_cast<const float*>(node.src[0]->data) + first * node.ne[0],
                    static_cast<uint16_t*>(node.data) + first * node.ne[0], (end - first) * node.ne[0]);
}

bool can_take_columns(const ggml_tensor& node) {
  const int32_t* parameters = node.op_params;
  const bool shape = parameters[2] == 1 && parameters[4] == 1 && parameters[6] == 0 &&
                     (parameters[0] == 1 || parameters[0] == 2);
  return shape && node.src[0]->ne[0] == kTaps && is_plain(node.src[1], GGML_TYPE_F32) &&
         ggml_n_dims(node.src[1]) == 2 && is_plain(&node, GGML_TYPE_F16);
}

bool can_attend(const ggml_tensor& node) {
  const ggml_tensor *query = node.src[0], *key = node.src[1], *value = node.src[2], *mask = node.src[3];
  const int64_t size = query->ne[0];
  const bool types = query->type == GGML_TYPE_F32 && key->type == GGML_TYPE_F16 &&
                     value->type == GGML_TYPE_F16 && query->nb[0] == 4 && key->nb[0] == 2 &&
                     value->nb[0] == 2 && query->nb[1] % 4 == 0;
  const bool shapes = size % 16 == 0 && value->ne[0] == size && key->ne[2] == query->ne[2] &&
                      value->ne[2] == query->ne[2] && key->ne[3] == query->ne[3] &&
                      value->ne[3] == query->ne[3] && key->ne[1] < 1 << 20;
  const bool masks = mask == nullptr || (mask->type == GGML_TYPE_F16 && mask->nb[0] == 2 && mask->ne[2] == 1);
  return types && shapes && masks && node.src[4] == nullptr && parameter(node, 0) > 0 &&
         parameter(node, 1) == 0 && parameter(node, 2) == 0;
}

} // namespace

bool can_compute(const ggml_tensor& node) {
  switch (node.op) {
  case GGML_OP_MUL_MAT:
    return can_multiply(node);
  case GGML_OP_GET_ROWS:
    return is_packed(*node.src[0]) && is_plain(node.src[1], GGML_TYPE_I32) && ggml_n_dims(node.src[1]) == 1 &&
           is_plain(&node, GGML_TYPE_F32);
  case GGML_OP_FLASH_ATTN_EXT:
    return can_attend(node);
  case GGML_OP_UNARY:
    return ggml_get_unary_op(&node) == GGML_UNARY_OP_GELU && is_plain(node.src[0], GGML_TYPE_F32) &&
           is_plain(&node, GGML_TYPE_F32);
  case GGML_OP_NORM:
    return is_plain(node.src[0], GGML_TYPE_F32) && is_plain(&node, GGML_TYPE_F32) && node.ne[0] % 16 == 0;
  case GGML_OP_ADD:
    return is_plain(node.src[0], GGML_TYPE_F32) && is_plain(node.src[1], GGML_TYPE_F32) &&
           is_plain(&node, GGML_TYPE_F32) && node.src[1]->ne[0] == 1 && node.ne[0] > 1 &&
           ggml_nrows(node.src[1]) == ggml_nrows(&node);
  case GGML_OP_IM2COL:
    return can_take_columns(node);
  case GGML_OP_CPY:
    return can_copy(node);
  case GGML_OP_CONT:
    return node.op_params[kTurnedHeads] != 0;
  default:
    return false;
  }
}

size_t working_memory(const Kernels& kernels, const ggml_tensor& node, int threads) {
  // As the last thread divides it, from an address that is not aligned.
  Memory memory(reinterpret_cast<uint8_t*>(uintptr_t{1}));
  const Team last = {threads - 1, threads, nullptr};
  if (node.op == GGML_OP_MUL_MAT) {
    (void)ProductMemory(kernels, node, last, memory);
  } else if (node.op == GGML_OP_GET_ROWS) {
    memory.take_own(last, product_scratch(node.src[0]->ne[0]));
  } else if (node.op == GGML_OP_FLASH_ATTN_EXT) {
    (void)AttentionMemory(node, last, memory);
  } else if (node.op == GGML_OP_NORM) {
    memory.take_own<float>(last, static_cast<size_t>(node.ne[0]));
  } else if (node.op == GGML_OP_IM2COL) {
    memory.take<uint16_t>(static_cast<size_t>(padded_length(node) * node.src[1]->ne[1]));
  }
  return memory.used();
}

void compute(const Kernels& kernels, ggml_tensor& node, const Team& team, uint8_t* memory) {
  switch (node.op) {
  case GGML_OP_MUL_MAT:
    return multiply(kernels, node, team, Memory(memory));
  case GGML_OP_GET_ROWS:
    return get_rows(kernels, node, team, Memory(memory));
  case GGML_OP_FLASH_ATTN_EXT:
    return attend(kernels, node, team, Memory(memory));
  case GGML_OP_NORM:
    return normalize(kernels, node, team, Memory(memory));
  case GGML_OP_ADD:
    return add_terms(kernels, node, team);
  case GGML_OP_IM2COL:
    return take_columns(kernels, node, team, Memory(memory));
  case GGML_OP_CPY:
    return copy(kernels, node, team);
  case GGML_OP_CONT:
    return turn_back(node, team);
  default:
    return gelu(kernels, node, team);
  }
}

} // namespace whisper_hip
