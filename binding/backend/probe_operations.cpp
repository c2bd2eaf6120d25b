#include "backend/probe_operations.h"

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
// Keys of fused attention are padded to 256; otherwise there are as many as positions.
constexpr int64_t kPaddedKeys = 512;
constexpr int64_t kEvenKeys = 76, kOddKeys = 77;

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

// Queries as whisper.cpp has them: [kHead, queries, kHeads], a view of [kHead, kHeads, queries].
ggml_tensor* queries_of(ggml_context* context, Inputs& inputs, int64_t queries) {
  return ggml_permute(context, floats(context, inputs, kHead, kHeads, queries), 0, 2, 1, 3);
}

// A layer of a cache of keys or of values: positions one after the other, each with all its heads. Another
// layer comes first.
ggml_tensor* cached(ggml_context* context, Inputs& inputs, int64_t positions) {
  const int64_t state = kHead * kHeads;
  ggml_tensor* cache = input(inputs, ggml_new_tensor_1d(context, GGML_TYPE_F16, 2 * state * positions));
  const size_t size = ggml_element_size(cache);
  return ggml_view_3d(context, cache, kHead, positions, kHeads, size * state, size * kHead,
                      size * state * positions);
}

// Values that are kept by rows of `length` positions, of which some are in use: [positions, kHead, kHeads].
ggml_tensor* cached_rows(ggml_context* context, Inputs& inputs, int64_t positions, int64_t length) {
  ggml_tensor* cache = input(inputs, ggml_new_tensor_1d(context, GGML_TYPE_F16, length * kHead * kHeads));
  const size_t size = ggml_element_size(cache);
  return ggml_view_3d(context, cache, positions, kHead, kHeads, size * length, size * length * kHead, 0);
}

Shapes fused_attention(const std::vector<int64_t>& queries, bool masked) {
  Shapes all;
  for (const int64_t count : queries) {
    all.push_back(shape([=](ggml_context* context, Inputs& inputs) {
      ggml_tensor* mask = masked
                              ? input(inputs, ggml_new_tensor_2d(context, GGML_TYPE_F16, kPaddedKeys, count),
                                      ProbeInput::mask)
                              : nullptr;
      ggml_tensor* q = queries_of(context, inputs, count);
      ggml_tensor* k = cached(context, inputs, kPaddedKeys);
      return ggml_flash_attn_ext(context, q, k, cached(context, inputs, kPaddedKeys), mask, 0.125f, 0.0f,
                                 0.0f);
    }));
  }
  return all;
}

// Queries with keys.
Shapes scores(const std::vector<int64_t>& queries) {
  Shapes all;
  for (const int64_t count : queries) {
    all.push_back(shape([=](ggml_context* context, Inputs& inputs) {
      ggml_tensor* keys = cached(context, inputs, kOddKeys);
      return ggml_mul_mat(context, keys, queries_of(context, inputs, count));
    }));
  }
  return all;
}

// Weights of the attention with values, from a cache with room for more or without.
Shapes weighted_values(const std::vector<int64_t>& queries, bool room) {
  Shapes all;
  for (const int64_t count : queries) {
    for (const int64_t keys : {kEvenKeys, kOddKeys}) {
      all.push_back(shape([=](ggml_context* context, Inputs& inputs) {
        ggml_tensor* values = cached_rows(context, inputs, keys, room ? 128 : keys);
        return ggml_mul_mat(context, values, floats(context, inputs, keys, count, kHeads));
      }));
    }
  }
  return all;
}

Build soft_max(int64_t keys, bool masked) {
  constexpr int64_t queries = 6;
  return shape([=](ggml_context* context, Inputs& inputs) {
    ggml_tensor* mask =
        masked ? input(inputs, ggml_new_tensor_2d(context, GGML_TYPE_F32, keys, queries), ProbeInput::mask)
               : nullptr;
    ggml_tensor* scores = floats(context, inputs, keys, queries, kHeads, ProbeInput::wide_values);
    return ggml_soft_max_ext(context, scores, mask, masked ? 1.0f : 0.5f, 0.0f);
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

// Keys of some tokens into their place in a cache.
Build copy_to_cache() {
  return shape([](ggml_context* context, Inputs& inputs) {
    ggml_tensor* cache = input(inputs, ggml_new_tensor_1d(context, GGML_TYPE_F16, 12 * kState));
    ggml_tensor* place = ggml_view_1d(context, cache, 7 * kState, ggml_element_size(cache) * 3 * kState);
    return ggml_cpy(context, floats(context, inputs, kState, 7), place);
  });
}

// Values of some tokens into a cache that keeps them by rows of `length` positions.
Build copy_to_rows(int64_t tokens, int64_t length) {
  return shape([=](ggml_context* context, Inputs& inputs) {
    ggml_tensor* cache = input(inputs, ggml_new_tensor_1d(context, GGML_TYPE_F16, length * kState));
    const size_t size = ggml_element_size(cache);
    const size_t offset = size * static_cast<size_t>(length - tokens);
    ggml_tensor* place =
        ggml_view_2d(context, cache, tokens, kState, size * static_cast<size_t>(length), offset);
    return ggml_cpy(context, ggml_transpose(context, floats(context, inputs, kState, tokens)), place);
  });
}

// Reads as the name of the signature: [kHead, queries, kHeads] with the heads of each query side by side.
Build merge_heads(int64_t queries) {
  return shape([=](ggml_context* context, Inputs& inputs) {
    ggml_tensor* heads = floats(context, inputs, kHead, queries, kHeads);
    return ggml_cont_2d(context, ggml_permute(context, heads, 0, 2, 1, 3), kHead * kHeads, queries);
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
             return ggml_scale(context, floats(context, inputs, kState, 7), -0.35f);
           })},
           kExact);
  list.add({shape([](ggml_context* context, Inputs& inputs) {
             return ggml_gelu(context, floats(context, inputs, kState, 7, 1, ProbeInput::wide_values));
           })},
           kFunction);
  list.add({norm(384)}, kFunction);
  list.add({norm(1280)}, kFunction);
  list.add({soft_max(256, false), soft_max(kOddKeys, false)}, kFunction);
  list.add({soft_max(1500, false), soft_max(1536, false)}, kFunction);
  list.add({soft_max(256, true), soft_max(kOddKeys, true)}, kFunction);
  list.add({soft_max(1792, true), soft_max(2048, true)}, kFunction);
}

void add_copies(List& list) {
  list.add({copy_to_cache()}, kExact);
  list.add({copy_to_rows(1, 16)}, kExact);
  list.add({copy_to_rows(7, 16)}, kExact);
  list.add({copy_to_rows(16, 16)}, kExact);
  list.add({merge_heads(1)}, kExact);
  list.add({merge_heads(7)}, kExact);
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
    list.add(fused_attention(some, false), kProduct);
    list.add(fused_attention(some, true), kProduct);
    list.add(scores(some), kProduct);
    list.add(weighted_values(some, false), kProduct);
    list.add(weighted_values(some, true), kProduct);
  }
}

void add_weights(List& list, ggml_type type) {
  const std::string name = ggml_type_name(type);
  // All models have their positions in f32.
  list.add({rows_of(type)}, kExact, type == GGML_TYPE_F32 ? "" : name);
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
