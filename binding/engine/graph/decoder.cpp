#include "engine/graph/decoder.h"

#include <algorithm>
#include <cmath>

#include "cpu/joined_operands.h"

namespace whisper_hip {

namespace {

class Decoder {
 public:
  Decoder(const GraphBuilder& builder, const ModelWeights& weights, const DecoderShape& shape,
          ggml_tensor* scratch)
      : builder_(builder), context_(builder.context), weights_(weights), shape_(shape), scratch_(scratch) {}

  DecoderGraph build() {
    const int rows = shape_.rows();
    io_.tokens = input(ggml_new_tensor_1d(context_, GGML_TYPE_I32, rows));
    io_.positions = input(ggml_new_tensor_1d(context_, GGML_TYPE_I32, rows));
    io_.cells = input(ggml_new_tensor_1d(context_, GGML_TYPE_I64, rows));
    io_.mask = input(ggml_new_tensor_4d(context_, GGML_TYPE_F16, shape_.keys, shape_.tokens, 1,
                                        static_cast<int64_t>(shape_.parts.size())));
    ggml_tensor* state = ggml_add(context_, ggml_get_rows(context_, weights_.token_table, io_.tokens),
                                  ggml_get_rows(context_, weights_.text_position_table, io_.positions));
    const int layers = layers_needed();
    for (int i = 0; i < layers; ++i) {
      const DecoderLayer& layer = weights_.decoder[static_cast<size_t>(i)];
      state = attend_to_text(layer.self, i, state);
      state = attend_to_audio(layer.cross, i, state, i + 1 == layers && shape_.logit_rows == 0);
      if (state == nullptr)
        return io_;
      state = builder_.feed_forward(layer.feed_forward, state);
    }
    add_logits(state);
    return io_;
  }

 private:
  static ggml_tensor* input(ggml_tensor* tensor) {
    ggml_set_input(tensor);
    return tensor;
  }

  // Without logits, those up to the last head that is wanted.
  int layers_needed() const {
    if (shape_.logit_rows > 0 || shape_.heads == nullptr)
      return static_cast<int>(weights_.decoder.size());
    int last = 0;
    for (const AttentionHead& head : *shape_.heads)
      last = std::max(last, head.layer);
    return last + 1;
  }

  ggml_tensor* attend_to_text(const AttentionWeights& weights, int layer, ggml_tensor* input) {
    ggml_tensor* normed = builder_.norm(weights.norm, input);
    ggml_tensor* query = builder_.linear(weights.query, normed);
    ggml_tensor* key = builder_.linear(weights.key, normed);
    ggml_tensor* value = builder_.linear(weights.value, normed);
    store(layer, key, value);
    ggml_tensor* heard = for_each_part(query, [&](const DecoderPart& part, size_t index, ggml_tensor* own) {
      const SequenceChunk& chunk = part.block->chunk();
      const auto heads = [&](ggml_tensor* rows) {
        return heads_of(context_, rows, weights_.text_heads, part.block->first() * weights_.text_positions,
                        shape_.keys, part.sequences, weights_.text_positions);
      };
      ggml_tensor* mask = ggml_view_2d(context_, io_.mask, shape_.keys, shape_.tokens, io_.mask->nb[1],
                                       index * io_.mask->nb[3]);
      // The sequences share it. ggml's GPUs look for its end in that of each sequence, by this stride.
      mask->nb[3] = 0;
      return builder_.attend(own, part.sequences, heads(chunk.keys[static_cast<size_t>(layer)]),
                             heads(chunk.values[static_cast<size_t>(layer)]), mask);
    });
    return ggml_add(context_, builder_.linear(weights.output, heard), input);
  }

  // Into their cells, for the parts of each chunk at once.
  void store(int layer, ggml_tensor* key, ggml_tensor* value) {
    const auto& parts = shape_.parts;
    int first = 0;
    for (size_t i = 0; i < parts.size();) {
      const SequenceChunk& chunk = parts[i].block->chunk();
      int rows = 0;
      for (; i < parts.size() && &parts[i].block->chunk() == &chunk; ++i)
        rows += parts[i].sequences * shape_.tokens;
      ggml_tensor* cells =
          ggml_view_1d(context_, io_.cells, rows, static_cast<size_t>(first) * sizeof(int64_t));
      const auto write = [&](ggml_tensor* whole, ggml_tensor* values) {
        ggml_tensor* own = ggml_view_2d(context_, values, values->ne[0], rows, values->nb[1],
                                        static_cast<size_t>(first) * values->nb[1]);
        ggml_build_forward_expand(builder_.graph, ggml_set_rows(context_, whole, own, cells));
      };
      write(chunk.keys[static_cast<size_t>(layer)], key);
      write(chunk.values[static_cast<size_t>(layer)], value);
      first += rows;
    }
  }

  // All rows of a window share its keys, as so many queries. Nothing comes of it when only the attention of
  // heads is wanted any more.
  ggml_tensor* attend_to_audio(const AttentionWeights& weights, int layer, ggml_tensor* input,
                               bool only_heads) {
    ggml_tensor* query = builder_.linear(weights.query, builder_.norm(weights.norm, input));
    if (shape_.heads != nullptr)
      keep_attention(layer, query);
    if (only_heads)
      return nullptr;
    ggml_tensor* heard = for_each_part(query, [&](const DecoderPart& part, size_t, ggml_tensor* own) {
      const int positions = part.window->positions();
      const auto heads = [&](ggml_tensor* rows) {
        return heads_of(context_, rows, weights_.text_heads, 0, positions, 1, positions);
      };
      return builder_.attend(own, 1, heads(part.window->keys(layer)), heads(part.window->values(layer)),
                             nullptr, builder_.turned_keys);
    });
    return ggml_add(context_, builder_.linear(weights.output, heard), input);
  }

  // The attention of each part to its own keys. The results of several come together in `scratch`: attention
  // writes there itself, as operations in place do, or is copied there where a GPU has none.
  template <typename Attend> ggml_tensor* for_each_part(ggml_tensor* query, Attend attend) {
    const auto& parts = shape_.parts;
    if (parts.size() == 1)
      return attend(parts.front(), 0, query);
    size_t first = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
      const int rows = parts[i].sequences * shape_.tokens;
      ggml_tensor* own =
          ggml_view_2d(context_, query, query->ne[0], rows, query->nb[1], first * query->nb[1]);
      ggml_tensor* result = attend(parts[i], i, own);
      ggml_tensor* writer = result->op == GGML_OP_RESHAPE ? result->src[0] : result;
      const size_t offset = first * scratch_->nb[1];
      if (builder_.gpu == nullptr || ggml_backend_supports_op(builder_.gpu, writer)) {
        writer->view_src = scratch_;
        writer->view_offs = offset;
        writer->data = static_cast<char*>(scratch_->data) + offset;
        writer->buffer = scratch_->buffer;
      } else {
        writer = ggml_cpy(context_, result,
                          ggml_view_2d(context_, scratch_, scratch_->ne[0], rows, scratch_->nb[1], offset));
      }
      ggml_build_forward_expand(builder_.graph, writer);
      first += static_cast<size_t>(rows);
    }
    return ggml_view_2d(context_, scratch_, scratch_->ne[0], shape_.rows(), scratch_->nb[1], 0);
  }

  void keep_attention(int layer, ggml_tensor* query) {
    const EncodedWindow& window = *shape_.parts.front().window;
    const int64_t size = weights_.text_state / weights_.text_heads;
    const float scale = 1.0f / std::sqrt(static_cast<float>(size));
    io_.attention.resize(shape_.heads->size());
    for (size_t i = 0; i < shape_.heads->size(); ++i) {
      const AttentionHead& head = (*shape_.heads)[i];
      if (head.layer != layer)
        continue;
      ggml_tensor* keys = window.keys(layer);
      ggml_tensor* key = ggml_view_2d(context_, keys, size, window.positions(), keys->nb[1],
                                      static_cast<size_t>(head.head * size) * keys->nb[0]);
      ggml_tensor* own = ggml_view_2d(context_, query, size, query->ne[1], query->nb[1],
                                      static_cast<size_t>(head.head * size) * query->nb[0]);
      if (builder_.turned_keys) {
        key = ggml_cont(context_, key);
        key->op_params[kTurnedHeads] = weights_.text_heads;
        key->op_params[kTurnedHead] = head.head;
      }
      ggml_tensor* scores = ggml_mul_mat(context_, key, ggml_cont(context_, own));
      ggml_tensor* softened = ggml_soft_max_ext(context_, scores, nullptr, scale, 0.0f);
      ggml_set_output(softened);
      ggml_build_forward_expand(builder_.graph, softened);
      io_.attention[i] = softened;
    }
  }

  void add_logits(ggml_tensor* state) {
    if (shape_.logit_rows == 0) {
      ggml_build_forward_expand(builder_.graph, state);
      return;
    }
    if (!shape_.all_rows) {
      io_.wanted = input(ggml_new_tensor_1d(context_, GGML_TYPE_I32, shape_.logit_rows));
      state = ggml_get_rows(context_, state, io_.wanted);
    }
    io_.logits = ggml_mul_mat(context_, weights_.token_table, builder_.norm(weights_.decoder_norm, state));
    ggml_set_output(io_.logits);
    ggml_build_forward_expand(builder_.graph, io_.logits);
  }

  const GraphBuilder& builder_;
  ggml_context* context_;
  const ModelWeights& weights_;
  const DecoderShape& shape_;
  ggml_tensor* scratch_;
  DecoderGraph io_;
};

} // namespace

int DecoderShape::rows() const {
  int rows = 0;
  for (const DecoderPart& part : parts)
    rows += part.sequences * tokens;
  return rows;
}

size_t decoder_nodes(const ModelWeights& weights, size_t parts) {
  // Of each layer: its products and norms, and what each part has of its own, with views.
  return weights.decoder.size() * (80 + 24 * parts) + 64;
}

DecoderGraph build_decoder(const GraphBuilder& builder, const ModelWeights& weights,
                           const DecoderShape& shape, ggml_tensor* scratch) {
  return Decoder(builder, weights, shape, scratch).build();
}

} // namespace whisper_hip
