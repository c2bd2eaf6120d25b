// The operations that the trial computes: one for each signature of a node (node_signature.h) that Whisper's
// graphs have in any type of weights, with fused attention and without.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ggml.h"

namespace whisper_hip {

struct ProbeInput {
  enum Kind {
    values,      // from -1 to 1
    wide_values, // from -4 to 4
    rows,        // of a table, each at most once
    mask,        // [keys, queries]: each query sees some keys more than the one before
  };
  ggml_tensor* tensor;
  Kind kind;
};

struct ProbeNodes {
  ggml_tensor* operation; // the node that gives the stage its name
  ggml_tensor* result;    // the last node: the operation, or what a backend computes together with it
};

struct ProbeOperation {
  // Makes one of several shapes; the tensors that need values go into `inputs`.
  using Build = std::function<ProbeNodes(ggml_context*, std::vector<ProbeInput>& inputs)>;

  std::string name; // of its stage: the signature of the node
  std::vector<Build> shapes;
  // Greatest normalised mean squared error against the CPU, as ggml's own comparison of backends allows.
  double tolerance;
  // The only type of weights with which a model has this operation; empty when all models have it.
  std::string weights;
};

// The inputs of all shapes together have no more tensors than this.
constexpr size_t kProbeTensors = 32;
// Of a table whose rows are taken.
constexpr int64_t kProbeTableRows = 64;

std::vector<ProbeOperation> probe_operations();

// In probe_values.cpp. Values for an input: the same ones every time, others for each seed. Its bytes, in its
// type.
std::vector<char> probe_values(const ProbeInput& input, uint32_t seed);

} // namespace whisper_hip
