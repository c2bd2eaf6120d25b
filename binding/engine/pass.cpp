#include "engine/pass.h"

#include <cstring>
#include <utility>

#include "backend/gpu_watch.h"
#include "backend/node_signature.h"
#include "support/error.h"
#include "support/log.h"

namespace whisper_hip {

namespace {

constexpr size_t kInputAlignment = 256; // what any device asks for

} // namespace

Pass::~Pass() {
  free_scheduler();
}

// A scheduler takes twenty kilobytes for each node that it has room for: no more than the graphs need.
void Pass::make_scheduler(size_t capacity) {
  free_scheduler();
  std::vector<ggml_backend_t> backends = device_.backends();
  const GpuScope waiting(device_.is_gpu());
  scheduler_ = ggml_backend_sched_new(backends.data(), nullptr, static_cast<int>(backends.size()), capacity,
                                      /*parallel*/ false, /*op_offload*/ true);
  if (scheduler_ == nullptr)
    throw Error("ERR_OUT_OF_MEMORY", "A scheduler of graphs could not be allocated");
  capacity_ = capacity;
  prepare_scheduler(scheduler_);
}

void Pass::free_scheduler() {
  ggml_backend_sched_t scheduler = std::exchange(scheduler_, nullptr);
  capacity_ = 0;
  if (scheduler != nullptr)
    free_of_device(device_.is_gpu(), [scheduler] { ggml_backend_sched_free(scheduler); });
}

void Pass::prepare(const PassKey& key, size_t most_nodes,
                   const std::function<void(ggml_context*, ggml_cgraph*)>& build) {
  if (graph_ != nullptr && key == key_)
    return;
  graph_ = nullptr;
  tensors_ = describe_tensors(3 * most_nodes, ggml_graph_overhead_custom(most_nodes, false));
  ggml_cgraph* graph = ggml_new_graph_custom(tensors_.get(), most_nodes, false);
  build(tensors_.get(), graph);
  place_inputs();
  require_support(graph);
  // A node has a leaf of its own at most.
  const auto needed = 2 * static_cast<size_t>(ggml_graph_n_nodes(graph)) + 64;
  if (needed > capacity_)
    make_scheduler(needed * 5 / 4);
  ggml_backend_sched_reset(scheduler_);
  const GpuScope waiting(device_.is_gpu());
  if (!ggml_backend_sched_alloc_graph(scheduler_, graph))
    throw Error("ERR_OUT_OF_MEMORY",
                "The compute buffers of " + device_.name() + " could not be allocated" +
                    (logged_errors().empty() ? "" : ": " + logged_errors()),
                "OUT_OF_MEMORY");
  graph_ = graph;
  key_ = key;
}

void Pass::place_inputs() {
  std::vector<ggml_tensor*> inputs;
  for (ggml_tensor* tensor = ggml_get_first_tensor(tensors_.get()); tensor != nullptr;
       tensor = ggml_get_next_tensor(tensors_.get(), tensor)) {
    if ((tensor->flags & GGML_TENSOR_FLAG_INPUT) != 0)
      inputs.push_back(tensor);
  }
  size_t size = 0;
  std::vector<size_t> offsets;
  for (const ggml_tensor* input : inputs) {
    offsets.push_back(size);
    size = GGML_PAD(size + ggml_nbytes(input), kInputAlignment);
  }
  if (inputs_ == nullptr || ggml_nbytes(inputs_) < size) {
    inputs_ = nullptr;
    input_buffer_.reset();
    input_tensors_ = describe_tensors(1);
    ggml_tensor* bytes =
        ggml_new_tensor_1d(input_tensors_.get(), GGML_TYPE_I8, static_cast<int64_t>(size * 5 / 4));
    input_buffer_ = device_.allocate(input_tensors_.get(), "the inputs of a graph");
    inputs_ = bytes;
  }
  input_bytes_.assign(size, 0);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ggml_status status = ggml_backend_tensor_alloc(input_buffer_.get(), inputs[i],
                                                         static_cast<char*>(inputs_->data) + offsets[i]);
    if (status != GGML_STATUS_SUCCESS)
      throw Error("ERR_INTERNAL", "An input of a graph could not be placed");
  }
}

// What writes into memory of a GPU cannot be computed anywhere else, and ggml gives up where it has to be.
void Pass::require_support(ggml_cgraph* graph) const {
  if (!device_.is_gpu())
    return;
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    const ggml_tensor* node = ggml_graph_node(graph, i);
    if (!does_work(node->op) || node->view_src == nullptr || node->view_src->buffer == nullptr ||
        ggml_backend_supports_op(device_.backends().front(), node))
      continue;
    throw Error("ERR_GPU_NOT_USED",
                std::string("The GPU does not support the operation ") + ggml_op_desc(node) +
                    ", which writes into its memory",
                "OPS_ON_CPU");
  }
}

void Pass::set(ggml_tensor* input, const void* data, size_t size) {
  std::memcpy(input_bytes_.data() + (static_cast<char*>(input->data) - static_cast<char*>(inputs_->data)),
              data, size);
}

bool Pass::compute(ComputeJob& job) {
  {
    const GpuScope waiting(device_.is_gpu());
    ggml_backend_tensor_set(inputs_, input_bytes_.data(), 0, input_bytes_.size());
  }
  const ComputeScope scope(job);
  const ggml_status status = compute_graph(scheduler_, graph_);
  if (status == GGML_STATUS_SUCCESS)
    return true;
  if (status == GGML_STATUS_ABORTED)
    return false;
  throw Error(status == GGML_STATUS_ALLOC_FAILED ? "ERR_OUT_OF_MEMORY" : "ERR_INTERNAL",
              std::string("A graph was not computed: ") + ggml_status_to_string(status) +
                  (logged_errors().empty() ? "" : ", " + logged_errors()));
}

float* Pass::read(ggml_tensor* result, std::vector<float>& copy) {
  if (ggml_backend_buffer_is_host(result->buffer))
    return static_cast<float*>(result->data);
  copy.resize(static_cast<size_t>(ggml_nelements(result)));
  const GpuScope waiting(true);
  ggml_backend_tensor_get(result, copy.data(), 0, ggml_nbytes(result));
  return copy.data();
}

size_t Pass::memory() const {
  size_t bytes = 0;
  if (scheduler_ == nullptr)
    return bytes;
  for (ggml_backend_t backend : device_.backends())
    bytes += ggml_backend_sched_get_buffer_size(scheduler_, backend);
  return bytes;
}

} // namespace whisper_hip
