#include "vad/onnx_weights.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

#include "support/error.h"

namespace whisper_hip {

namespace {

// Numbers of onnx.proto3.
constexpr uint64_t kModelGraph = 7;
constexpr uint64_t kGraphInitializer = 5;
constexpr uint64_t kTensorType = 2;
constexpr uint64_t kTensorName = 8;
constexpr uint64_t kTensorRawData = 9;
constexpr uint64_t kFloat = 1;

struct Field {
  uint64_t number;
  uint64_t value;         // of a varint
  std::string_view bytes; // of everything else
};

// The fields of a protobuf message, one after the other.
class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}

  // Nothing at the end, and where the bytes are no message: `broken` tells which.
  std::optional<Field> next() {
    if (rest_.empty())
      return std::nullopt;
    uint64_t key = 0;
    Field field = {};
    if (!varint(key))
      return std::nullopt;
    field.number = key >> 3;
    switch (key & 7) {
    case 0:
      if (!varint(field.value))
        return std::nullopt;
      return field;
    case 1:
      return take(8, field);
    case 2: {
      uint64_t length = 0;
      return varint(length) ? take(length, field) : std::nullopt;
    }
    case 5:
      return take(4, field);
    default:
      broken = true;
      return std::nullopt;
    }
  }

  bool broken = false;

 private:
  bool varint(uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80)
        return true;
    }
    broken = true;
    return false;
  }

  std::optional<Field> take(uint64_t length, Field& field) {
    if (length > rest_.size()) {
      broken = true;
      return std::nullopt;
    }
    field.bytes = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return field;
  }

  std::string_view rest_;
};

} // namespace

OnnxWeights::OnnxWeights(const std::string& path) : path_(path) {
  std::ifstream file(path, std::ios::binary);
  if (file)
    bytes_.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  if (!file || bytes_.empty())
    throw Error("ERR_NATIVE_MISSING", "The voice activity network " + path + " cannot be read");
  Message model(bytes_);
  while (const auto part = model.next()) {
    if (part->number != kModelGraph)
      continue;
    Message graph(part->bytes);
    while (const auto entry = graph.next()) {
      if (entry->number == kGraphInitializer)
        initializers_.push_back(entry->bytes);
    }
    model.broken = model.broken || graph.broken;
  }
  if (model.broken || initializers_.empty())
    fail("is no ONNX file");
}

std::vector<float> OnnxWeights::read(const std::string& name, size_t count) const {
  for (const std::string_view bytes : initializers_) {
    Message tensor(bytes);
    Field type = {}, title = {}, data = {};
    while (const auto field = tensor.next()) {
      if (field->number == kTensorType)
        type = *field;
      if (field->number == kTensorName)
        title = *field;
      if (field->number == kTensorRawData)
        data = *field;
    }
    if (title.bytes != name)
      continue;
    if (tensor.broken || type.value != kFloat || data.bytes.size() != count * sizeof(float))
      fail("does not hold the " + std::to_string(count) + " values of " + name);
    std::vector<float> values(count);
    std::memcpy(values.data(), data.bytes.data(), data.bytes.size());
    return values;
  }
  fail("has no tensor " + name);
}

void OnnxWeights::fail(const std::string& what) const {
  throw Error("ERR_MODEL_CORRUPT", "The voice activity network " + path_ + " " + what);
}

} // namespace whisper_hip
