#include "engine/graph/encoder.h"

#include "cpu/joined_operands.h"

namespace whisper_hip {

namespace {

// A convolution of three frames with padding at both ends, and GELU: [frames, inputs] to
// [frames / stride, outputs].
ggml_tensor* convolve(const GraphBuilder& builder, const Affine& weights, ggml_tensor* input, int stride) {
  ggml_context* context = builder.context;
  ggml_tensor* kernel = weights.weight; // [3, inputs, outputs]
  ggml_tensor* columns =
      ggml_im2col(context, kernel, input, stride, 0, 1, 0, 1, 0, /*is_2d*/ false, kernel->type);
  ggml_tensor* product =
      ggml_mul_mat(context, ggml_reshape_2d(context, columns, columns->ne[0], columns->ne[1]),
                   ggml_reshape_2d(context, kernel, kernel->ne[0] * kernel->ne[1], kernel->ne[2]));
  return ggml_gelu(context, ggml_add(context, product, weights.bias));
}

ggml_tensor* attend_to_all(const GraphBuilder& builder, const AttentionWeights& weights, int heads,
                           ggml_tensor* input) {
  ggml_context* context = builder.context;
  ggml_tensor* normed = builder.norm(weights.norm, input);
  ggml_tensor* query = builder.linear(weights.query, normed);
  ggml_tensor* key = ggml_cast(context, builder.linear(weights.key, normed), GGML_TYPE_F16);
  ggml_tensor* value = ggml_cast(context, builder.linear(weights.value, normed), GGML_TYPE_F16);
  const int positions = static_cast<int>(input->ne[1]);
  ggml_tensor* heard = builder.attend(query, 1, heads_of(context, key, heads, 0, positions, 1, positions),
                                      heads_of(context, value, heads, 0, positions, 1, positions), nullptr);
  return ggml_add(context, builder.linear(weights.output, heard), input);
}

} // namespace

ggml_tensor* build_encoder(const GraphBuilder& builder, const ModelWeights& weights,
                           const EncodedWindow& window) {
  ggml_context* context = builder.context;
  const int positions = window.positions();
  ggml_tensor* mel = ggml_new_tensor_2d(context, GGML_TYPE_F32, 2 * positions, weights.mels);
  ggml_set_input(mel);
  ggml_tensor* sound =
      convolve(builder, weights.convolutions[1], convolve(builder, weights.convolutions[0], mel, 1), 2);
  ggml_tensor* table = weights.audio_position_table;
  ggml_tensor* state =
      ggml_add(context, ggml_view_2d(context, table, table->ne[0], positions, table->nb[1], 0),
               ggml_cont(context, ggml_transpose(context, sound)));
  for (const EncoderLayer& layer : weights.encoder) {
    state = attend_to_all(builder, layer.attention, weights.audio_heads, state);
    state = builder.feed_forward(layer.feed_forward, state);
  }
  state = builder.norm(weights.encoder_norm, state);

  for (size_t i = 0; i < weights.decoder.size(); ++i) {
    const AttentionWeights& cross = weights.decoder[i].cross;
    const auto write = [&](const Affine& what, ggml_tensor* whole) {
      ggml_tensor* place = ggml_view_2d(context, whole, whole->ne[0], positions, whole->nb[1], 0);
      ggml_tensor* copy = ggml_cpy(context, builder.linear(what, state), place);
      ggml_build_forward_expand(builder.graph, copy);
      return copy;
    };
    ggml_tensor* keys = write(cross.key, window.keys(static_cast<int>(i)));
    ggml_tensor* values = write(cross.value, window.values(static_cast<int>(i)));
    if (builder.turned_keys) {
      keys->op_params[kTurnedHeads] = weights.text_heads;
      values->op_params[kValueHeads] = weights.text_heads;
    }
  }
  return mel;
}

} // namespace whisper_hip
