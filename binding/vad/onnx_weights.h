// The weights inside an ONNX file: the initializers of its graph. What the graph computes is not looked at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace whisper_hip {

class OnnxWeights {
 public:
  // Reads the whole file. Throws Error(ERR_NATIVE_MISSING) when it cannot be read, and
  // Error(ERR_MODEL_CORRUPT) naming it when it is no ONNX file.
  explicit OnnxWeights(const std::string& path);

  // The values of an f32 tensor. Throws Error(ERR_MODEL_CORRUPT) when there is none of this name and number
  // of values.
  std::vector<float> read(const std::string& name, size_t count) const;

 private:
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  std::string bytes_;
  std::vector<std::string_view> initializers_; // encoded TensorProto
};

} // namespace whisper_hip
