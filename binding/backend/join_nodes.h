// Nodes of a graph that our CPU kernels compute together: what follows a product or a norm is done to its
// results before they are stored.
#pragma once

#include <utility>
#include <vector>

#include "cpu/kernels.h"
#include "ggml.h"

namespace whisper_hip {

// Joins what can be joined in a graph whose memory is allocated: joined nodes become GGML_OP_NONE until the
// object is destroyed, and what they were joined with has additional operands. To be computed by our kernels.
// Numbers stay the same to the last bit.
class JoinedNodes {
 public:
  JoinedNodes(ggml_cgraph* graph, const Kernels& kernels);
  ~JoinedNodes();
  JoinedNodes(const JoinedNodes&) = delete;
  JoinedNodes& operator=(const JoinedNodes&) = delete;

 private:
  std::vector<std::pair<ggml_tensor*, ggml_tensor>> before_; // what each changed node was
};

} // namespace whisper_hip
