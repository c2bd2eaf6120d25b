#include "backend/probe_operations.h"

#include <algorithm>
#include <memory>

#include "backend/node_signature.h"
#include "backend/weight_types.h"

namespace whisper_hip {

namespace {

constexpr double kExact = 1e-7;
constexpr double kFunction = 1e-6; // the CPU looks GELU up in a table of half precision
constexpr double kProduct = 5e-4;

// The smallest shapes that choose the kernels of real ones: heads of 64, rows that blocks of K-quants (256)
// and the padding of GPU kernels (512) divide. A software GPU computes them too.
constexpr int64_t kHead = 64, kHeads = 2, kState = 512;
// 128 is the height of a tile of a product: a kernel for whole tiles, and another for the rest.
constexpr int64_t kWholeTiles = 128, kBrokenTiles = 130, kFewRows = 64;
// Of a text: as many of its keys are looked at as whole blocks of 256, or all that there is room for.
constexpr int64_t kRoom = 448, kPaddedKeys = 256;
// Of a window: no whole tiles, as 1500 are none.
constexpr int64_t kEvenKeys = 348, kOddKeys = 77;
constexpr int64_t kTexts = 3;

using Inputs = std::vector<ProbeInput>;
using Build = ProbeOperation::Build;
using Shapes = std::vector<Build>;

ggml_tensor* input(Inputs& inputs, ggml_tensor* tensor, ProbeInput::Kind kind = ProbeInput::values) {
  inputs.push_back({tensor, kind});
  return tensor;
}

ggml_tensor* floats(ggml_context* context, Inputs& inputs, int64_t a, int64_t b = 1, int64_t c = 1,
                    ProbeInput::Kind kind = ProbeInput::values) {
  return input(inputs, ggml_new_tensor_3d(context, GGML_TYPE_F32, a, b, c), kind);
}

ProbeNodes alone(ggml_tensor* node) {
  return {node, node};
}

// `build` gives one node.
template <typename Function> Build shape(Function build) {
  return [build](ggml_context* context, Inputs& inputs) { return alone(build(context, inputs)); };
}

// Numbers of columns, or of queries, for each class of node_signature.h.
const std::vector<std::vector<int64_t>> kColumns = {
    {1},
    {2, 3, 4, 5, 6, 7, 8}, // vector kernels are compiled for each number
    {9, 16},
    {32, 264}, // narrow tiles and wide ones; from 257 on some types go to the library of products
};

// [kState, rows] x [kState, columns] of weights.
Build weights_product(ggml_type type, int64_t rows, int64_t columns) {
  return shape([=](ggml_context* context, Inputs& inputs) {
    ggml_tensor* weights = input(inputs, ggml_new_tensor_2d(context, type, kState, rows));
    return ggml_mul_mat(context, weights, floats(context, inputs, kState, columns));
  });
}

// A product of one column and the sum after it, which GPUs compute as one.
Build product_and_sum(ggml_type type, int64_t rows) {
  return [=](ggml_context* context, Inputs& inputs) {
    ggml_tensor* weights = input(inputs, ggml_new_tensor_2d(context, type, kState, rows));
    ggml_tensor* product = ggml_mul_mat(context, weights, floats(context, inputs, kState));
    return ProbeNodes{product, ggml_add(context, product, floats(context, inputs, rows))};
  };
}

Shapes weights_products(ggml_type type, const std::vector<int64_t>& columns) {
  Shapes all;
  for (const int64_t count : columns) {
    const bool few = count <= 8;
    all.push_back(weights_product(type, count == 32 ? kBrokenTiles : few ? kFewRows : kWholeTiles, count));
  }
  if (columns.front() == 1) {
    all.push_back(weights_product(type, kFewRows + 1, 1));
    all.push_back(product_and_sum(type, kFewRows));
  }
  return all;
}

// Queries as the heads of rows: [kHead, queries, kHeads, texts].
ggml_tensor* queries_of(ggml_context* context, Inputs& inputs, int64_t queries, int64_t texts) {
  ggml_tensor* rows = floats(context, inputs, kHead * kHeads, queries * texts);
  return ggml_view_4d(context, rows, kHead, queries, kHeads, texts, rows->nb[1],
                      static_cast<size_t>(kHead) * rows->nb[0], static_cast<size_t>(queries) * rows->nb[1],
                      0);
}

// What attention looks at: of a window, or of texts that are decoded side by side.
struct Keys {
  int64_t count;
  int64_t texts = 1;
};

// A cache of keys or of values, as heads: [kHead, keys, kHeads, texts]. Another text comes first.
ggml_tensor* cached(ggml_context* context, Inputs& inputs, Keys keys) {
  const int64_t room = std::max(keys.count, kRoom);
  ggml_tensor* rows =
      input(inputs, ggml_new_tensor_2d(context, GGML_TYPE_F16, kHead * kHeads, room * (keys.texts + 1)));
  const size_t text = static_cast<size_t>(room) * rows->nb[1];
  return ggml_view_4d(context, rows, kHead, keys.count, kHeads, keys.texts, rows->nb[1],
                      static_cast<size_t>(kHead) * rows->nb[0], text, text);
}

ggml_tensor* mask_of(ggml_context* context, Inputs& inputs, int64_t keys, int64_t queries) {
  ggml_tensor* mask = ggml_new_tensor_2d(context, GGML_TYPE_F16, keys, queries);
  mask->nb[3] = 0; // all texts share it
  return input(inputs, mask, ProbeInput::mask);
}

Shapes fused_attention(const std::vector<int64_t>& queries, const std::vector<Keys>& keys, bool masked) {
  Shapes all;
  for (const int64_t count : queries) {
    for (const Keys& seen : keys) {
      all.push_back(shape([=](ggml_context* context, Inputs& inputs) {
        ggml_tensor* q = queries_of(context, inputs, count, seen.texts);
        ggml_tensor* k = cached(context, inputs, seen);
        ggml_tensor* v = cached(context, inputs, seen);
        ggml_tensor* mask = masked ? mask_of(context, inputs, seen.count, count) : nullptr;
        return ggml_flash_attn_ext(context, q, k, v, mask, 0.125f, 0.0f, 0.0f);
      }));
    }
  }
  return all;
}

// Queries with keys.
Shapes scores(const std::vector<int64_t>& queries, const std::vector<Keys>& keys) {
  Shapes all;
  for (const int64_t count : queries) {
    for (const Keys& seen : keys) {
      all.push_back(shape([=](ggml_context* context, Inputs& inputs) {
        ggml_tensor* k = cached(context, inputs, seen);
        return ggml_mul_mat(context, k, queries_of(context, inputs, count, seen.texts));
      }));
    }
  }
  return all;
}

// Weights of the attention with values, which have been turned.
Shapes weighted_values(const std::vector<int64_t>& queries, const std::vector<Keys>& keys) {
  Shapes all;
  for (const int64_t count : queries) {
    for (const Keys& seen : keys) {
      all.push_back(shape([=](ggml_context* context, Inputs& inputs) {
        ggml_tensor* values =
            input(inputs, ggml_new_tensor_4d(context, GGML_TYPE_F16, seen.count, kHead, kHeads, seen.texts));
        ggml_tensor* weights =
            input(inputs, ggml_new_tensor_4d(context, GGML_TYPE_F32, seen.count, count, kHeads, seen.texts));
        return ggml_mul_mat(context, values, weights);
      }));
    }
  }
  return all;
}

// Keys of one head, which lie in rows with those of the others, with queries that have been gathered.
Shapes scores_of_head(const std::vector<int64_t>& queries) {
  Shapes all;
  for (const int64_t count : queries) {
    for (const int64_t keys : {kEvenKeys, kOddKeys}) {
      all.push_back(shape([=](ggml_context* context, Inputs& inputs) {
        ggml_tensor* rows = input(inputs, ggml_new_tensor_2d(context, GGML_TYPE_F16, kHead * kHeads, keys));
        ggml_tensor* k = ggml_view_2d(context, rows, kHead, keys, rows->nb[1], kHead * rows->nb[0]);
        return ggml_mul_mat(context, k, floats(context, inputs, kHead, count));
      }));
    }
  }
  return all;
}

Build soft_max(Keys keys, bool masked) {
  const int64_t queries = keys.texts > 1 ? 1 : 6;
  return shape([=](ggml_context* context, Inputs& inputs) {
    ggml_tensor* scores =
        input(inputs, ggml_new_tensor_4d(context, GGML_TYPE_F32, keys.count, queries, kHeads, keys.texts),
              ProbeInput::wide_values);
    ggml_tensor* mask = masked ? mask_of(context, inputs, keys.count, queries) : nullptr;
    return ggml_soft_max_ext(context, scores, mask, 0.125f, 0.0f);
  });
}

Build norm(int64_t length) {
  return shape([=](ggml_context* context, Inputs& inputs) {
    return ggml_norm(context, floats(context, inputs, length, 7), 1e-5f);
  });
}

// What an operation of two operands gets: [kState, 7] and [a, b].
template <typename Function> Build pair(Function operation, int64_t a, int64_t b) {
  return shape([=](ggml_context* context, Inputs& inputs) {
    ggml_tensor* first = floats(context, inputs, kState, 7);
    return operation(context, first, floats(context, inputs, a, b));
  });
}

// The columns of a convolution of three frames.
Build convolution_columns(ggml_type type, int stride) {
  return shape([=](ggml_context* context, Inputs& inputs) {
    ggml_tensor* kernel = input(inputs, ggml_new_tensor_3d(context, type, 3, 80, 4));
    ggml_tensor* sound = floats(context, inputs, 50, 80);
    return ggml_im2col(context, kernel, sound, stride, 0, 1, 0, 1, 0, false, type);
  });
}

// They are the weights of a product with the kernel: 80 and kState bands make rows of other lengths.
Build convolution_product(int64_t bands) {
  return shape([=](ggml_context* context, Inputs& inputs) {
    ggml_tensor* columns = input(inputs, ggml_new_tensor_2d(context, GGML_TYPE_F16, 3 * bands, 50));
    ggml_tensor* kernel = input(inputs, ggml_new_tensor_2d(context, GGML_TYPE_F16, 3 * bands, 64));
    return ggml_mul_mat(context, columns, kernel);
  });
}

// Keys or values of a window into its memory, which has room for more.
Build copy_to_window() {
  return shape([](ggml_context* context, Inputs& inputs) {
    ggml_tensor* whole = input(inputs, ggml_new_tensor_2d(context, GGML_TYPE_F16, kState, 12));
    ggml_tensor* place = ggml_view_2d(context, whole, kState, 7, whole->nb[1], 0);
    return ggml_cpy(context, floats(context, inputs, kState, 7), place);
  });
}

// Keys or values of some tokens into their places in a cache.
Build rows_to_cache(int64_t tokens) {
  return shape([=](ggml_context* context, Inputs& inputs) {
    ggml_tensor* cache = input(inputs, ggml_new_tensor_2d(context, GGML_TYPE_F16, kState, kProbeTableRows));
    ggml_tensor* rows = input(inputs, ggml_new_tensor_1d(context, GGML_TYPE_I64, tokens), ProbeInput::rows);
    return ggml_set_rows(context, cache, floats(context, inputs, kState, tokens), rows);
  });
}

// Values that a product takes as its columns.
Build turned_values(Keys keys) {
  return shape([=](ggml_context* context, Inputs& inputs) {
    return ggml_cont(context, ggml_transpose(context, cached(context, inputs, keys)));
  });
}

// [kHead, queries, kHeads, texts] with the heads of each query side by side.
Build merge_heads(int64_t queries, int64_t texts) {
  return shape([=](ggml_context* context, Inputs& inputs) {
    ggml_tensor* heads =
        input(inputs, ggml_new_tensor_4d(context, GGML_TYPE_F32, kHead, queries, kHeads, texts));
    return ggml_cont_2d(context, ggml_permute(context, heads, 0, 2, 1, 3), kHead * kHeads, queries * texts);
  });
}

// The queries of one head.
Build gather_head() {
  return shape([](ggml_context* context, Inputs& inputs) {
    ggml_tensor* rows = floats(context, inputs, kHead * kHeads, 7);
    return ggml_cont(context, ggml_view_2d(context, rows, kHead, 7, rows->nb[1], kHead * rows->nb[0]));
  });
}

Build rows_of(ggml_type type) {
  return shape([=](ggml_context* context, Inputs& inputs) {
    ggml_tensor* table = input(inputs, ggml_new_tensor_2d(context, type, kState, kProbeTableRows));
    ggml_tensor* rows = input(inputs, ggml_new_tensor_1d(context, GGML_TYPE_I32, 40), ProbeInput::rows);
    return ggml_get_rows(context, table, rows);
  });
}

std::string signature_of(const Build& build) {
  const std::unique_ptr<ggml_context, decltype(&ggml_free)> context(
      ggml_init({kProbeTensors * ggml_tensor_overhead(), nullptr, /*no_alloc*/ true}), ggml_free);
  Inputs inputs;
  return node_signature(build(context.get(), inputs).operation);
}

class List {
 public:
  void add(Shapes shapes, double tolerance, const std::string& weights = "") {
    operations_.push_back({signature_of(shapes.front()), std::move(shapes), tolerance, weights});
  }
  std::vector<ProbeOperation> take() { return std::move(operations_); }

 private:
  std::vector<ProbeOperation> operations_;
};

void add_simple(List& list) {
  list.add({pair(ggml_add, kState, 7)}, kExact);
  list.add({pair(ggml_add, kState, 1)}, kExact);
  list.add({pair(ggml_add, 1, 7)}, kExact);
  list.add({pair(ggml_mul, kState, 7)}, kExact);
  list.add({pair(ggml_mul, kState, 1)}, kExact);
  list.add({shape([](ggml_context* context, Inputs& inputs) {
             return ggml_gelu(context, floats(context, inputs, kState, 7, 1, ProbeInput::wide_values));
           })},
           kFunction);
  list.add({norm(384)}, kFunction);
  list.add({norm(1280)}, kFunction);
  list.add({soft_max({kEvenKeys}, false), soft_max({kOddKeys}, false)}, kFunction);
  list.add({soft_max({1500}, false), soft_max({1025}, false)}, kFunction);
  list.add({soft_max({kPaddedKeys}, true), soft_max({kRoom}, true)}, kFunction);
  list.add({soft_max({kPaddedKeys, kTexts}, true), soft_max({kRoom, kTexts}, true)}, kFunction);
}

void add_copies(List& list) {
  list.add({copy_to_window()}, kExact);
  list.add({rows_to_cache(1), rows_to_cache(40)}, kExact);
  list.add({turned_values({kPaddedKeys}), turned_values({kOddKeys})}, kExact);
  list.add({turned_values({kPaddedKeys, kTexts}), turned_values({kRoom, kTexts})}, kExact);
  list.add({merge_heads(1, 1)}, kExact);
  list.add({merge_heads(7, 1)}, kExact);
  list.add({merge_heads(1, kTexts)}, kExact);
  list.add({gather_head()}, kExact);
  list.add({shape([](ggml_context* context, Inputs& inputs) {
             return ggml_cont(context, ggml_transpose(context, floats(context, inputs, 50, kState)));
           })},
           kExact);
}

void add_convolutions(List& list) {
  list.add({convolution_columns(GGML_TYPE_F16, 1), convolution_columns(GGML_TYPE_F16, 2)}, kExact);
  list.add({convolution_columns(GGML_TYPE_F32, 1), convolution_columns(GGML_TYPE_F32, 2)}, kExact, "f32");
  list.add({convolution_product(80), convolution_product(kState)}, kProduct);
}

void add_attention(List& list) {
  for (const auto& queries : kColumns) {
    const std::vector<int64_t> some = queries.back() > 16  ? std::vector<int64_t>{72}
                                      : queries.size() > 2 ? std::vector<int64_t>{2, 5}
                                                           : std::vector<int64_t>{queries.back()};
    const std::vector<Keys> of_window = {{kEvenKeys}, {kOddKeys}}, of_text = {{kPaddedKeys}, {kRoom}};
    list.add(fused_attention(some, of_window, false), kProduct);
    list.add(fused_attention(some, of_text, true), kProduct);
    list.add(scores(some, of_window), kProduct);
    list.add(weighted_values(some, of_window), kProduct);
    if (some.back() > 1) // of a whole text
      list.add(scores_of_head(some), kProduct);
  }
  // A step has one token of each text.
  const std::vector<Keys> of_texts = {{kPaddedKeys, kTexts}, {kRoom, kTexts}};
  list.add(fused_attention({1}, of_texts, true), kProduct);
  list.add(scores({1}, of_texts), kProduct);
  list.add(weighted_values({1}, of_texts), kProduct);
}

void add_weights(List& list, ggml_type type) {
  const std::string name = ggml_type_name(type);
  // All models have their positions in f32, and caches in f16 that are copied by rows.
  list.add({rows_of(type)}, kExact, type == GGML_TYPE_F32 || type == GGML_TYPE_F16 ? "" : name);
  for (const auto& columns : kColumns)
    list.add(weights_products(type, columns), kProduct, name);
}

} // namespace

std::vector<ProbeOperation> probe_operations() {
  List list;
  add_simple(list);
  add_copies(list);
  add_convolutions(list);
  add_attention(list);
  for (const WeightType& weights : kWeightTypes)
    add_weights(list, weights.type);
  return list.take();
}

} // namespace whisper_hip
