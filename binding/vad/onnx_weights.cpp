#include "vad/onnx_weights.h"

#include <cstring>
#include <fstream>
#include <iterator>

#include "support/error.h"

namespace whisper_hip {

namespace {

// A length as protobuf writes it: seven bits a byte, the lowest first.
std::string varint(size_t value) {
  std::string bytes;
  for (; value > 0x7F; value >>= 7)
    bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

// What stands before the values of a TensorProto (onnx.proto3): its type, its name, and the length of its
// values, which are the fields 2, 8 and 9. Fields are written in the order of their numbers.
std::string head_of(const std::string& name, size_t bytes) {
  constexpr char kType[] = "\x10\x01"; // f32
  constexpr char kName = 0x42, kValues = 0x4A;
  return kType + (kName + varint(name.size())) + name + kValues + varint(bytes);
}

} // namespace

OnnxWeights::OnnxWeights(const std::string& path) : path_(path) {
  std::ifstream file(path, std::ios::binary);
  if (file)
    bytes_.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  if (!file || bytes_.empty())
    throw Error("ERR_NATIVE_MISSING", "The voice activity network " + path + " cannot be read");
}

std::vector<float> OnnxWeights::read(const std::string& name, size_t count) const {
  std::vector<float> values(count);
  const size_t size = count * sizeof(float);
  const std::string head = head_of(name, size);
  const size_t place = bytes_.find(head);
  if (place == std::string::npos || bytes_.size() - place - head.size() < size) {
    throw Error("ERR_MODEL_CORRUPT", "The voice activity network " + path_ + " does not hold the " +
                                         std::to_string(count) + " values of " + name);
  }
  std::memcpy(values.data(), bytes_.data() + place + head.size(), size);
  return values;
}

} // namespace whisper_hip
