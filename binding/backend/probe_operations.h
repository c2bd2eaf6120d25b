// The operations that the probe tries: one of each kind that Whisper's graphs are made of, at its shapes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ggml.h"

namespace whisper_hip {

struct ProbeOperation {
  std::string name; // of its stage
  // Makes the operation; the tensors that need values go into `inputs`.
  std::function<ggml_tensor*(ggml_context*, std::vector<ggml_tensor*>& inputs)> build;
  // Greatest normalised mean squared error against the CPU, as ggml's own comparison of backends allows.
  double tolerance;
};

std::vector<ProbeOperation> probe_operations();

// Values for an input: the same ones every time. Its bytes, in its type.
std::vector<char> probe_values(const ggml_tensor* input);

} // namespace whisper_hip
