#include "backend/node_signature.h"

#include <cctype>

namespace whisper_hip {

namespace {

// GPU kernels for rows (norm, soft_max) have blocks of 1024 threads from here on.
constexpr int64_t kLongRow = 1024;
// Of all published Whisper models, and of the fused attention kernels in the HIP module.
constexpr int64_t kHeadSize = 64;

std::string name_of(const ggml_tensor* node) {
  std::string name = ggml_op_desc(node); // has the unary operations by their own names
  for (char& character : name)
    character = static_cast<char>(std::tolower(static_cast<unsigned char>(character)));
  return name;
}

// "f32", "permuted f16", "transposed f32": a kernel may want rows without gaps, one after the other.
std::string operand(const ggml_tensor* tensor) {
  const std::string type = ggml_type_name(tensor->type);
  if (ggml_is_contiguous(tensor))
    return type;
  if (tensor->nb[0] != ggml_type_size(tensor->type))
    return "transposed " + type;
  return (ggml_is_permuted(tensor) ? "permuted " : "strided ") + type;
}

// Vector kernels take one column or at most 8, matrix core kernels for few columns at most 16, and libraries
// of products the rest. Fused attention has the same steps for its queries.
std::string how_many(int64_t count, const std::string& thing) {
  if (count == 1)
    return " of one " + thing;
  const std::string things = thing == "query" ? "queries" : thing + "s";
  return (count <= 8 ? " of 2 to 8 " : count <= 16 ? " of 9 to 16 " : " of many ") + things;
}

std::string long_rows(const ggml_tensor* tensor) {
  return tensor->ne[0] >= kLongRow ? " of long rows" : "";
}

// What a node reads beside contiguous f32.
std::string unusual_operands(const ggml_tensor* node, int count) {
  std::string all;
  for (int i = 0; i < count && node->src[i] != nullptr; ++i) {
    const std::string text = operand(node->src[i]);
    if (text != "f32")
      all += (all.empty() ? " from " : ", ") + text;
  }
  return all + (node->type == GGML_TYPE_F32 ? "" : std::string(" to ") + operand(node));
}

// How much of the result the second operand has: all, one row, or one value for each row.
std::string spread(const ggml_tensor* node) {
  const ggml_tensor* b = node->src[1];
  if (ggml_are_same_shape(node, b))
    return "";
  if (b->ne[0] == node->ne[0])
    return " of a row";
  return b->ne[0] == 1 ? " of a column" : " of a part";
}

// The fourth dimension is that of texts which are decoded side by side.
std::string several(const ggml_tensor* tensor) {
  return tensor->ne[3] > 1 ? " of several texts" : "";
}

std::string product(const ggml_tensor* node) {
  const std::string columns = operand(node->src[1]);
  return std::string(" ") + operand(node->src[0]) + (columns == "f32" ? "" : " by " + columns) +
         (node->ne[2] * node->ne[3] > 1 ? " for each head" : "") + several(node) +
         how_many(node->ne[1], "column");
}

// The layouts do not matter: the kernels get all strides, and views of caches like those of the graphs are
// what the trial has.
std::string attention(const ggml_tensor* node) {
  const ggml_tensor *q = node->src[0], *k = node->src[1], *v = node->src[2], *mask = node->src[3];
  std::string text = mask == nullptr ? "" : " with a mask";
  if (mask != nullptr && mask->ne[3] < q->ne[3] && mask->nb[3] != 0)
    text += " that is read beyond its end"; // by a GPU that looks for the keys that a text does not see
  if (q->type != GGML_TYPE_F32 || k->type != GGML_TYPE_F16 || v->type != GGML_TYPE_F16)
    text += std::string(" from ") + operand(q) + ", " + operand(k) + ", " + operand(v);
  if (k->ne[0] != kHeadSize || v->ne[0] != kHeadSize)
    text += " with heads of " + std::to_string(k->ne[0]);
  if (q->ne[2] != k->ne[2])
    text += " with groups of heads";
  return text + several(q) + how_many(q->ne[1], "query");
}

std::string soft_max(const ggml_tensor* node) {
  const ggml_tensor* mask = node->src[1];
  return (mask == nullptr               ? ""
          : mask->type == GGML_TYPE_F32 ? " with a mask"
                                        : " with a mask of f16") +
         several(node) + long_rows(node) + unusual_operands(node, 1);
}

std::string all_operands(const ggml_tensor* node) {
  std::string text;
  for (int i = 0; i < GGML_MAX_SRC; ++i) {
    if (node->src[i] != nullptr)
      text += (text.empty() ? " " : ", ") + operand(node->src[i]);
  }
  return text + " to " + operand(node);
}

std::string details(const ggml_tensor* node) {
  switch (node->op) {
  case GGML_OP_MUL_MAT:
    return product(node);
  case GGML_OP_FLASH_ATTN_EXT:
    return attention(node);
  case GGML_OP_SOFT_MAX:
    return soft_max(node);
  case GGML_OP_NORM:
    return long_rows(node) + unusual_operands(node, 1);
  case GGML_OP_ADD:
  case GGML_OP_MUL:
    return spread(node) + unusual_operands(node, 2);
  case GGML_OP_UNARY:
    return unusual_operands(node, 1);
  case GGML_OP_CONT:
    return std::string(" ") + operand(node->src[0]) + several(node->src[0]);
  case GGML_OP_CPY: // its second source is where it writes, as is the node
    return std::string(" ") + operand(node->src[0]) + " to " + operand(node);
  case GGML_OP_IM2COL: // of its first source only the shape matters
    return std::string(" ") + operand(node) + (node->op_params[6] == 1 ? " of two dimensions" : "");
  case GGML_OP_GET_ROWS:
    return std::string(" ") + operand(node->src[0]);
  case GGML_OP_SET_ROWS:
    return std::string(" ") + operand(node->src[0]) + " to " + operand(node) +
           (node->src[1]->type == GGML_TYPE_I64 ? "" : std::string(" by ") + operand(node->src[1]));
  default:
    return all_operands(node);
  }
}

} // namespace

bool does_work(ggml_op op) {
  switch (op) {
  case GGML_OP_NONE:
  case GGML_OP_VIEW:
  case GGML_OP_RESHAPE:
  case GGML_OP_PERMUTE:
  case GGML_OP_TRANSPOSE:
    return false;
  default:
    return true;
  }
}

std::string node_signature(const ggml_tensor* node) {
  return name_of(node) + details(node);
}

} // namespace whisper_hip
