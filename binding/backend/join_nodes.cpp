#include "backend/join_nodes.h"

#include <cstring>
#include <unordered_map>
#include <vector>

#include "cpu/joined_operands.h"
#include "ggml-backend.h"

namespace whisper_hip {

namespace {

// Walks over the nodes that follow one, as long as they work on its memory.
class Followers {
 public:
  Followers(ggml_cgraph* graph, int index)
      : graph_(graph), next_(index + 1), last_(ggml_graph_node(graph, index)) {}

  // The other operand if the next node is `op` of the last one and of what `fits`; null otherwise.
  template <typename Fits> ggml_tensor* take(ggml_op op, Fits fits) {
    ggml_tensor* node = next_ < ggml_graph_n_nodes(graph_) ? ggml_graph_node(graph_, next_) : nullptr;
    // In its memory: then nobody else reads the last one.
    if (node == nullptr || node->op != op || node->data != last_->data || !ggml_are_same_shape(node, last_))
      return nullptr;
    ggml_tensor* other = node->src[0] == last_   ? node->src[1]
                         : node->src[1] == last_ ? node->src[0]
                                                 : nullptr;
    if (other == nullptr || other == last_ || other->type != GGML_TYPE_F32 || !ggml_is_contiguous(other) ||
        !fits(other))
      return nullptr;
    join(node);
    return other;
  }

  // What those that come after read.
  ggml_tensor* last() const { return last_; }

  bool take_gelu() {
    ggml_tensor* node = next_ < ggml_graph_n_nodes(graph_) ? ggml_graph_node(graph_, next_) : nullptr;
    if (node == nullptr || node->op != GGML_OP_UNARY || ggml_get_unary_op(node) != GGML_UNARY_OP_GELU ||
        node->src[0] != last_ || node->data != last_->data)
      return false;
    join(node);
    return true;
  }

 private:
  void join(ggml_tensor* node) {
    node->op = GGML_OP_NONE;
    last_ = node;
    next_++;
  }
  ggml_cgraph* graph_;
  int next_;
  ggml_tensor* last_;
};

bool has_packed_weights(const ggml_tensor* product) {
  const ggml_tensor* weights = product->src[0];
  return weights->buffer != nullptr &&
         std::strcmp(ggml_backend_buffer_name(weights->buffer), kPackedName) == 0;
}

// Results that only products with quantised weights read are written as the activations of these products.
class Quantizing {
 public:
  // `node` and those that were joined with it, the last of which others read.
  void offer(ggml_tensor* node, ggml_tensor* last) {
    const bool in_place = node->op == GGML_OP_NORM && overlap(node, node->src[0]);
    if (node->src[kResidual] == nullptr && node->ne[0] % kStrip == 0 && !in_place &&
        (last->flags & GGML_TENSOR_FLAG_OUTPUT) == 0)
      results_[last].writer = node;
  }

  void apply(ggml_cgraph* graph, const Kernels& kernels) {
    for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
      ggml_tensor* node = ggml_graph_node(graph, i);
      for (int source = 0; node->op != GGML_OP_NONE && source < GGML_MAX_SRC; ++source) {
        const auto result = results_.find(node->src[source]);
        if (result != results_.end())
          add_reader(result->second, node, source);
      }
    }
    for (auto& [last, result] : results_) {
      ggml_tensor* writer = result.writer;
      if (!result.possible || result.readers.empty() ||
          quantized_size(kernels, *result.type, writer->ne[0], ggml_nrows(writer)) > ggml_nbytes(writer))
        continue;
      writer->op_params[kWritesQuantized] = result.type->type + 1;
      for (ggml_tensor* reader : result.readers)
        reader->op_params[kReadsQuantized] = 1;
    }
  }

 private:
  struct Result {
    ggml_tensor* writer = nullptr;
    const PackedType* type = nullptr;
    std::vector<ggml_tensor*> readers;
    bool possible = true;
  };

  static bool overlap(const ggml_tensor* a, const ggml_tensor* b) {
    const auto* first = static_cast<const char*>(a->data);
    const auto* second = static_cast<const char*>(b->data);
    return first < second + ggml_nbytes(b) && second < first + ggml_nbytes(a);
  }

  static void add_reader(Result& result, ggml_tensor* node, int source) {
    const PackedType* type = node->op == GGML_OP_MUL_MAT && source == 1 && has_packed_weights(node)
                                 ? packed_type(node->src[0]->type)
                                 : nullptr;
    if (type == nullptr || type->is_float() || (result.type != nullptr && result.type != type))
      result.possible = false;
    result.type = type;
    result.readers.push_back(node);
  }

  std::unordered_map<const ggml_tensor*, Result> results_;
};

} // namespace

JoinedNodes::JoinedNodes(ggml_cgraph* graph, const Kernels& kernels) {
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    ggml_tensor* node = ggml_graph_node(graph, i);
    if (node->op == GGML_OP_MUL_MAT || node->op == GGML_OP_NORM || node->op == GGML_OP_ADD ||
        node->op == GGML_OP_MUL || node->op == GGML_OP_UNARY)
      before_.emplace_back(node, *node);
  }
  Quantizing quantizing;
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    ggml_tensor* node = ggml_graph_node(graph, i);
    if (node->type != GGML_TYPE_F32 || !ggml_is_contiguous(node))
      continue;
    const auto is_row = [node](const ggml_tensor* other) {
      return other->ne[0] == node->ne[0] && ggml_nrows(other) == 1;
    };
    const auto is_equal = [node](const ggml_tensor* other) { return ggml_are_same_shape(other, node); };
    Followers followers(graph, i);
    if (node->op == GGML_OP_MUL_MAT && has_packed_weights(node)) {
      node->src[kBias] = followers.take(GGML_OP_ADD, is_row);
      node->op_params[kGelu] = followers.take_gelu();
      if (node->op_params[kGelu] == 0)
        node->src[kResidual] = followers.take(GGML_OP_ADD, is_equal);
      quantizing.offer(node, followers.last());
    } else if (node->op == GGML_OP_NORM && node->ne[0] % 16 == 0) {
      node->src[kNormWeight] = followers.take(GGML_OP_MUL, is_row);
      if (node->src[kNormWeight] != nullptr)
        node->src[kNormBias] = followers.take(GGML_OP_ADD, is_row);
      quantizing.offer(node, followers.last());
    }
  }
  quantizing.apply(graph, kernels);
}

JoinedNodes::~JoinedNodes() {
  for (const auto& [node, before] : before_)
    *node = before;
}

} // namespace whisper_hip
