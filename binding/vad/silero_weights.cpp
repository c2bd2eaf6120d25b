#include "vad/silero_weights.h"

#include <map>
#include <mutex>

#include "vad/onnx_weights.h"

namespace whisper_hip {

namespace {

// values: [outputs, channels, taps]. Keeps the taps [first, first + count).
Matrix arrange(const std::vector<float>& values, size_t outputs, size_t channels, size_t taps, size_t first,
               size_t count) {
  Matrix matrix;
  matrix.inputs = count * channels;
  matrix.outputs = outputs;
  matrix.weights.resize(matrix.inputs * outputs);
  for (size_t m = 0; m < outputs; ++m) {
    float* tile = matrix.weights.data() + m / kTileOutputs * matrix.inputs * kTileOutputs + m % kTileOutputs;
    for (size_t tap = 0; tap < count; ++tap) {
      for (size_t c = 0; c < channels; ++c)
        tile[(tap * channels + c) * kTileOutputs] = values[(m * channels + c) * taps + first + tap];
    }
  }
  return matrix;
}

SileroWeights read_weights(const std::string& path) {
  const OnnxWeights file(path);
  SileroWeights weights;
  struct Shape {
    size_t outputs, channels, first_tap, taps;
  };
  // The third convolution has data only for its last two taps, the fourth only for the middle one.
  constexpr Shape shapes[] = {{128, 129, 0, 3}, {64, 128, 0, 3}, {64, 64, 1, 2}, {128, 64, 1, 1}};
  for (size_t i = 0; i < 4; ++i) {
    const Shape& shape = shapes[i];
    const std::string name = "model.encoder." + std::to_string(i) + ".reparam_conv";
    const auto values = file.read(name + ".weight", shape.outputs * shape.channels * 3);
    weights.convolutions[i].matrix =
        arrange(values, shape.outputs, shape.channels, 3, shape.first_tap, shape.taps);
    weights.convolutions[i].bias = file.read(name + ".bias", shape.outputs);
  }
  weights.from_input.matrix = arrange(file.read("model.decoder.rnn.weight_ih", 512 * 128), 512, 128, 1, 0, 1);
  weights.from_hidden = arrange(file.read("model.decoder.rnn.weight_hh", 512 * 128), 512, 128, 1, 0, 1);
  weights.from_input.bias = file.read("model.decoder.rnn.bias_ih", 512);
  const auto hidden_bias = file.read("model.decoder.rnn.bias_hh", 512);
  for (size_t i = 0; i < hidden_bias.size(); ++i)
    weights.from_input.bias[i] += hidden_bias[i];
  weights.last = file.read("model.decoder.decoder.2.weight", 128);
  weights.last_bias = file.read("model.decoder.decoder.2.bias", 1).front();
  return weights;
}

} // namespace

std::shared_ptr<const SileroWeights> silero_weights(const std::string& path) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const SileroWeights>> loaded;
  std::lock_guard<std::mutex> lock(mutex);
  auto& weights = loaded[path];
  if (!weights)
    weights = std::make_shared<const SileroWeights>(read_weights(path));
  return weights;
}

} // namespace whisper_hip
