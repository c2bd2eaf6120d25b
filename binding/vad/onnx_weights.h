// The weights inside the ONNX file that vendor/silero-vad.json pins. The format is not parsed (files of
// others are parsed in TypeScript): a constant of its graph is found by the bytes before its values.
#pragma once

#include <string>
#include <vector>

namespace whisper_hip {

class OnnxWeights {
 public:
  // Reads the whole file. Throws Error(ERR_NATIVE_MISSING) when it cannot be read.
  explicit OnnxWeights(const std::string& path);

  // The values of an f32 tensor. Throws Error(ERR_MODEL_CORRUPT) naming the file and the tensor when there is
  // none of this name and number of values.
  std::vector<float> read(const std::string& name, size_t count) const;

 private:
  std::string path_;
  std::string bytes_;
};

} // namespace whisper_hip
