#include "bundle.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace {

const std::string kMagic = "__CLANG_OFFLOAD_BUNDLE__";
const std::string kCompressedMagic = "CCOB";

// Little-endian numbers, read one after the other.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}

  template <typename T> T number() {
    T value;
    std::memcpy(&value, take(sizeof value), sizeof value);
    return value;
  }

  std::string text(size_t size) { return {take(size), size}; }

 private:
  const char* take(size_t size) {
    if (size > bytes_.size - at_)
      throw std::runtime_error("a bundle of device code ends beyond the module");
    at_ += size;
    return bytes_.data + at_ - size;
  }

  Bytes bytes_;
  size_t at_ = 0;
};

// The size is in the header from version 2 on.
size_t compressed_size(Reader reader) {
  const uint16_t version = reader.number<uint16_t>();
  reader.number<uint16_t>(); // method
  if (version < 2)
    throw std::runtime_error("a compressed bundle of version 1 does not tell its size");
  return version == 2 ? reader.number<uint32_t>() : reader.number<uint64_t>();
}

} // namespace

Bundle read_bundle(const char* image, size_t readable) {
  Reader reader({image, readable});
  if (reader.text(kCompressedMagic.size()) == kCompressedMagic)
    return {true, {image, compressed_size(reader)}, {}};
  reader = Reader({image, readable});
  if (reader.text(kMagic.size()) != kMagic)
    throw std::runtime_error("the module registers device code that is no bundle");
  Bundle bundle = {false, {image, 0}, {}};
  const uint64_t count = reader.number<uint64_t>();
  for (uint64_t i = 0; i < count; i++) {
    const uint64_t offset = reader.number<uint64_t>(), size = reader.number<uint64_t>();
    const std::string id = reader.text(reader.number<uint64_t>());
    if (offset > readable || size > readable - offset)
      throw std::runtime_error("the code object " + id + " ends beyond the module");
    bundle.bytes.size = std::max<size_t>(bundle.bytes.size, offset + size);
    const size_t target = id.find("gfx");
    if (target != std::string::npos)
      bundle.code_objects[id.substr(target)] = {image + offset, size};
  }
  return bundle;
}
