// A libFuzzer target for the native side of loading: any plan, however wrong, is refused with an Error or is
// served completely, without an invalid access, an overflow, or memory beyond what it describes. Built with
// ASan and UBSan.
//
// The input is read as a sound plan of a small model, of which some numbers are then replaced.
#include <atomic>
#include <cstring>
#include <map>

#include "model/load_plan.h"
#include "model/plan_stream.h"
#include "support/error.h"

namespace whisper_hip {
// Of backend/compute.h, which would bring all of ggml's scheduler along.
int compute_threads() {
  return 2;
}
} // namespace whisper_hip

using namespace whisper_hip;

namespace {

// Numbers out of the input; zeros after its end.
class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  template <typename T> T take() {
    T value{};
    const size_t count = std::min(sizeof value, left_);
    std::memcpy(&value, data_, count);
    data_ += count;
    left_ -= count;
    return value;
  }
  bool empty() const { return left_ == 0; }
  std::pair<const uint8_t*, size_t> rest() const { return {data_, left_}; }

 private:
  const uint8_t* data_;
  size_t left_;
};

constexpr int kState = 32;

void add(LoadPlan& plan, const std::string& name, std::vector<int64_t> shape, ggml_type type) {
  PlanTensor tensor{name, std::move(shape), type, {}};
  tensor.parts.push_back({0, 0, type, tensor.rows(), {}, {}});
  plan.tensors.push_back(std::move(tensor));
}

void add_linear(LoadPlan& plan, const std::string& name, int64_t in, int64_t out, ggml_type type,
                bool bias = true) {
  add(plan, name + ".weight", {in, out}, type);
  if (bias)
    add(plan, name + ".bias", {out}, GGML_TYPE_F32);
}

void add_norm(LoadPlan& plan, const std::string& name) {
  add(plan, name + ".weight", {kState}, GGML_TYPE_F32);
  add(plan, name + ".bias", {kState}, GGML_TYPE_F32);
}

void add_attention(LoadPlan& plan, const std::string& name, ggml_type type) {
  add_norm(plan, name + "_ln");
  add_linear(plan, name + ".query", kState, kState, type);
  add_linear(plan, name + ".key", kState, kState, type, false);
  add_linear(plan, name + ".value", kState, kState, type);
  add_linear(plan, name + ".out", kState, kState, type);
}

void add_mlp(LoadPlan& plan, const std::string& block, ggml_type type) {
  add_norm(plan, block + ".mlp_ln");
  add_linear(plan, block + ".mlp.0", kState, 4 * kState, type);
  add_linear(plan, block + ".mlp.2", 4 * kState, kState, type);
}

// One layer each; the vocabulary is the least that is allowed, so its embedding is most of the work.
LoadPlan sound_plan(std::shared_ptr<ByteStore> store) {
  LoadPlan plan;
  plan.hparams = {51864, 8, kState, 1, 1, 32, kState, 1, 1, 80, GGML_FTYPE_MOSTLY_Q8_0};
  plan.mel_filters.assign(80 * 201, 0.0f);
  plan.vocabulary_bytes.assign(4, 'a');
  plan.vocabulary_lengths.assign(4, 1);
  plan.sources.emplace_back(std::move(store));
  const ggml_type weights = GGML_TYPE_Q8_0;
  add(plan, "encoder.positional_embedding", {kState, 8}, GGML_TYPE_F32);
  add(plan, "encoder.conv1.weight", {3, 80, kState}, GGML_TYPE_F16);
  add(plan, "encoder.conv1.bias", {1, kState}, GGML_TYPE_F32);
  add(plan, "encoder.conv2.weight", {3, kState, kState}, GGML_TYPE_F16);
  add(plan, "encoder.conv2.bias", {1, kState}, GGML_TYPE_F32);
  add_norm(plan, "encoder.ln_post");
  add_attention(plan, "encoder.blocks.0.attn", weights);
  add_mlp(plan, "encoder.blocks.0", weights);
  add(plan, "decoder.positional_embedding", {kState, 32}, GGML_TYPE_F32);
  add(plan, "decoder.token_embedding.weight", {kState, 51864}, weights);
  add_norm(plan, "decoder.ln");
  add_attention(plan, "decoder.blocks.0.attn", weights);
  add_attention(plan, "decoder.blocks.0.cross_attn", weights);
  add_mlp(plan, "decoder.blocks.0", weights);
  return plan;
}

// A number near one that matters, or any.
uint64_t number(Bytes& bytes, uint64_t near) {
  switch (bytes.take<uint8_t>() % 6) {
  case 0:
    return near + 1;
  case 1:
    return near - 1;
  case 2:
    return 0;
  case 3:
    return UINT64_MAX - bytes.take<uint8_t>();
  case 4:
    return bytes.take<uint8_t>();
  default:
    return bytes.take<uint64_t>();
  }
}

ggml_type type(Bytes& bytes) {
  auto type = static_cast<ggml_type>(bytes.take<uint8_t>() % GGML_TYPE_COUNT);
  // What plan_from_js() lets through.
  return ggml_blck_size(type) > 0 ? type : GGML_TYPE_F32;
}

void change(LoadPlan& plan, Bytes& bytes) {
  PlanTensor& tensor = plan.tensors[bytes.take<uint8_t>() % plan.tensors.size()];
  TensorPart& part = tensor.parts.front();
  switch (bytes.take<uint8_t>() % 12) {
  case 0:
    reinterpret_cast<int32_t*>(&plan.hparams)[bytes.take<uint8_t>() % 11] =
        static_cast<int32_t>(number(bytes, kState));
    break;
  case 1:
    part.offset = number(bytes, plan.sources[0].size());
    break;
  case 2:
    part.rows = number(bytes, tensor.rows());
    break;
  case 3:
    part.type = type(bytes);
    break;
  case 4:
    tensor.type = type(bytes);
    break;
  case 5: {
    // plan_from_js() lets 1 to 1e9 through.
    int64_t& size = tensor.shape[bytes.take<uint8_t>() % tensor.shape.size()];
    size = static_cast<int64_t>(1 + number(bytes, static_cast<uint64_t>(size)) % 1000000000);
    break;
  }
  case 6:
    part.scale = {static_cast<uint32_t>(bytes.take<uint8_t>() % 2), number(bytes, plan.sources[0].size()),
                  number(bytes, part.rows)};
    break;
  case 7:
    part.strides.clear();
    for (uint8_t i = bytes.take<uint8_t>() % 5; i > 0; --i)
      part.strides.push_back(number(bytes, static_cast<uint64_t>(tensor.shape[0])));
    break;
  case 8:
    tensor.parts.push_back({bytes.take<uint32_t>(), number(bytes, 0), type(bytes), number(bytes, 1), {}, {}});
    break;
  case 9:
    plan.tensors.push_back(tensor);
    break;
  case 10:
    plan.vocabulary_lengths[bytes.take<uint8_t>() % plan.vocabulary_lengths.size()] = bytes.take<uint32_t>();
    break;
  default:
    part.source = bytes.take<uint32_t>();
  }
}

// Reads the stream as whisper.cpp's loader does: it asks for exactly what the header and the records
// announce.
void serve(const LoadPlan& plan) {
  const std::atomic<bool> cancelled{false};
  PlanStream stream(plan, cancelled, [](double) {});
  whisper_model_loader loader = stream.loader();
  std::vector<uint8_t> buffer(11 * 4 + 4);
  const auto read = [&](size_t size) {
    buffer.resize(std::max(buffer.size(), size));
    loader.read(loader.context, buffer.data(), size);
  };
  read(4 + 11 * 4);
  read(8);
  read(plan.mel_filters.size() * sizeof(float));
  read(4);
  for (const uint32_t length : plan.vocabulary_lengths) {
    read(4);
    read(length);
  }
  for (const PlanTensor& tensor : plan.tensors) {
    read(12);
    read(tensor.shape.size() * 4 + tensor.name.size());
    read(tensor.bytes());
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes bytes(data, size);
  static const auto zeros = [] {
    auto store = std::make_shared<ByteStore>();
    const std::vector<uint8_t> block(2u << 20, 0x3c);
    store->append(block.data(), block.size());
    return store;
  }();
  LoadPlan plan = sound_plan(zeros);
  for (uint8_t changes = bytes.take<uint8_t>() % 4; changes > 0; --changes)
    change(plan, bytes);
  try {
    validate(plan);
  } catch (const Error&) {
    return 0;
  }
  try {
    serve(plan);
  } catch (const Error&) {
  }
  return 0;
}
