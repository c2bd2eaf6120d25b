// The weights of the voice activity network Silero v6 (16 kHz), read from its ONNX file. (The safetensors
// file of the same package holds older weights.)
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "vad/linear.h"

namespace whisper_hip {

struct SileroWeights {
  struct Layer {
    Matrix matrix;
    std::vector<float> bias;
  };
  Layer convolutions[4]; // inputs: [taps that meet data, channels]
  Layer from_input;      // to the gates of the LSTM; its bias is the sum of both
  Matrix from_hidden;
  std::vector<float> last;
  float last_bias = 0;
};

// Reads the file once per process; later calls with the same path share the weights. Any thread. Throws
// Error(ERR_NATIVE_MISSING) when the file cannot be read, and Error(ERR_MODEL_CORRUPT) when it is not the
// expected network.
std::shared_ptr<const SileroWeights> silero_weights(const std::string& path);

} // namespace whisper_hip
