#include "backend/compute.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <mutex>
#include <new>
#include <optional>
#include <thread>

#include "backend/buffer_pages.h"
#include "backend/cpu_module.h"
#include "backend/gpu_watch.h"
#include "backend/graph_record.h"
#include "backend/join_nodes.h"
#include "backend/node_signature.h"
#include "backend/operation_times.h"
#include "ggml-backend-impl.h"
#include "ggml-cpu.h"
#include "support/error.h"
#include "support/log.h"

namespace whisper_hip {

namespace {

thread_local ComputeJob* current_job = nullptr;
std::atomic<bool> broken{false};

template <typename Function> Function backend_function(ggml_backend_t backend, const char* name) {
  ggml_backend_dev_t device = ggml_backend_get_device(backend);
  ggml_backend_reg_t registry = device != nullptr ? ggml_backend_dev_backend_reg(device) : nullptr;
  if (registry == nullptr)
    return nullptr;
  return reinterpret_cast<Function>(ggml_backend_reg_get_proc_address(registry, name));
}

// The pool is created by the CPU module at first use and lives as long as the process: its idle threads
// sleep.
ggml_threadpool* shared_pool(ggml_backend_t cpu_backend) {
  static std::mutex mutex;
  static ggml_threadpool* pool = nullptr;
  std::lock_guard<std::mutex> lock(mutex);
  if (pool == nullptr) {
    auto create =
        backend_function<ggml_threadpool* (*)(ggml_threadpool_params*)>(cpu_backend, "ggml_threadpool_new");
    if (create == nullptr)
      throw Error("ERR_INTERNAL", "The CPU module exports no ggml_threadpool_new");
    ggml_threadpool_params params = ggml_threadpool_params_default(compute_threads());
    params.poll = 0; // between graphs the threads sleep instead of spinning
    try {
      pool = create(&params);
    } catch (const Error&) {
      pool = nullptr; // it asserts that its threads start
    }
    if (pool == nullptr)
      throw Error("ERR_OUT_OF_MEMORY", "The compute threads could not be started");
  }
  return pool;
}

// A lock that is granted in the order of asking and can be left by a cancelled job.
class Turnstile {
 public:
  // Returns false if the job was cancelled while waiting.
  bool enter(const ComputeJob* job) {
    std::unique_lock<std::mutex> lock(mutex_);
    const uint64_t ticket = next_++;
    waiting_.push_back(ticket);
    while (busy_ || waiting_.front() != ticket) {
      if (job != nullptr && job->is_cancelled()) {
        waiting_.erase(std::find(waiting_.begin(), waiting_.end(), ticket));
        changed_.notify_all();
        return false;
      }
      changed_.wait_for(lock, std::chrono::milliseconds(20));
    }
    waiting_.pop_front();
    busy_ = true;
    return true;
  }

  void leave() {
    std::lock_guard<std::mutex> lock(mutex_);
    busy_ = false;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<uint64_t> waiting_;
  uint64_t next_ = 0;
  bool busy_ = false;
};

// Never destroyed: a job may still hold it while the process exits.
Turnstile& cpu_turnstile() {
  static auto* turnstile = new Turnstile;
  return *turnstile;
}

// The backend of a scheduler that is no CPU; null for none. To be asked once for a graph: a device asks its
// driver what it is.
ggml_backend_t gpu_of(ggml_backend_sched_t scheduler) {
  ggml_backend_t first = ggml_backend_sched_get_backend(scheduler, 0);
  return is_cpu(first) ? nullptr : first;
}

// An allocated graph knows where the scheduler has put each of its nodes.
bool is_on(ggml_backend_t gpu, ggml_backend_sched_t scheduler, ggml_tensor* node) {
  return gpu != nullptr && ggml_backend_sched_get_tensor_backend(scheduler, node) == gpu;
}

void count_nodes(NodeCounts& counts, ggml_backend_t gpu, ggml_backend_sched_t scheduler, ggml_cgraph* graph) {
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    ggml_tensor* node = ggml_graph_node(graph, i);
    if (!does_work(node->op))
      continue;
    if (is_on(gpu, scheduler, node)) {
      counts.gpu++;
    } else {
      counts.cpu++;
      counts.cpu_operations.insert(ggml_op_desc(node));
    }
  }
}

bool is_cancelled(void*) {
  return current_job != nullptr && current_job->is_cancelled();
}

void refuse_cpu(ggml_backend_t gpu, ggml_backend_sched_t scheduler, ggml_cgraph* graph) {
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    ggml_tensor* node = ggml_graph_node(graph, i);
    if (!does_work(node->op) || is_on(gpu, scheduler, node))
      continue;
    throw Error("ERR_GPU_NOT_USED",
                std::string("The GPU does not support the operation ") + ggml_op_desc(node) + " (" +
                    node->name + ") of this model, which would run on the CPU",
                "OPS_ON_CPU");
  }
}

// A GPU that fails a graph is in an unknown state.
ggml_status compute_on_gpu(ggml_backend_sched_t scheduler, ggml_cgraph* graph) {
  const GpuScope waiting(true);
  const ggml_status status = ggml_backend_sched_graph_compute(scheduler, graph);
  if (status == GGML_STATUS_FAILED || status == GGML_STATUS_ALLOC_FAILED)
    throw Abort(status == GGML_STATUS_FAILED ? "ERR_INTERNAL" : "ERR_OUT_OF_MEMORY",
                std::string("The GPU did not compute a graph: ") + ggml_status_to_string(status) +
                    (logged_errors().empty() ? "" : ", " + logged_errors()));
  return status;
}

// The buffers of a graph's results are written and read as a whole: with pages of 2 MiB, where the system has
// some, a tenth of the time of large products is saved. They have no content yet when they are first seen.
void ask_for_large_results(ggml_cgraph* graph) {
  thread_local const void* known = nullptr;
  const void* seen = nullptr;
  for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
    ggml_backend_buffer_t buffer = ggml_graph_node(graph, i)->buffer;
    if (buffer == nullptr || buffer == known || buffer == seen ||
        ggml_backend_buffer_get_usage(buffer) != GGML_BACKEND_BUFFER_USAGE_COMPUTE ||
        ggml_backend_buffer_get_type(buffer) != ggml_backend_cpu_buffer_type())
      continue;
    seen = buffer;
    ask_for_large_pages(buffer);
  }
  if (seen != nullptr)
    known = seen;
}

using Compute = ggml_status (*)(ggml_backend_t, ggml_cgraph*);
std::atomic<Compute> compute_of_cpu_module{nullptr};

// Takes the place of the CPU backend's own function, for a whole graph or for its part of one that runs on a
// GPU too: so the pool is held by who computes on the CPU, never by who waits for a GPU.
ggml_status compute_on_cpu(ggml_backend_t backend, ggml_cgraph* graph) {
  const CpuScope computing;
  if (!cpu_turnstile().enter(current_job))
    return GGML_STATUS_ABORTED;
  struct Leave {
    ~Leave() { cpu_turnstile().leave(); }
  } leave;
  if (broken)
    throw Error("ERR_INTERNAL", "An earlier failure inside ggml made the compute threads unusable");
  try {
    ask_for_large_results(graph);
    std::optional<JoinedNodes> joined;
    if (const Kernels* kernels = cpu_kernels())
      joined.emplace(graph, *kernels);
    const Compute compute = compute_of_cpu_module;
    return operations_are_timed() ? compute_timed(backend, graph, compute) : compute(backend, graph);
  } catch (const std::bad_alloc&) {
    throw; // of the working memory, before the threads began
  } catch (...) {
    broken = true;
    throw;
  }
}

int physical_cores(const cpu_set_t& allowed) {
  std::set<std::string> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed))
      continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    std::string siblings;
    if (!std::getline(file, siblings))
      siblings = "cpu" + std::to_string(cpu);
    cores.insert(siblings);
  }
  return static_cast<int>(cores.size());
}

int count_compute_threads() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  int logical = 0;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    logical = CPU_COUNT(&allowed);
  if (logical <= 0)
    return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 4);
  const int useful = logical <= 4 ? logical : physical_cores(allowed);
  return std::clamp(useful, 1, GGML_MAX_N_THREADS);
}

} // namespace

bool is_cpu(ggml_backend_t backend) {
  ggml_backend_dev_t device = ggml_backend_get_device(backend);
  return device == nullptr || ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU;
}

ComputeScope::ComputeScope(ComputeJob& job) : outer_(current_job) {
  current_job = &job;
}

ComputeScope::~ComputeScope() {
  current_job = outer_;
}

int compute_threads() {
  static const int threads = count_compute_threads();
  return threads;
}

void prepare_scheduler(ggml_backend_sched_t scheduler) {
  for (int i = 0; i < ggml_backend_sched_get_n_backends(scheduler); ++i) {
    ggml_backend_t backend = ggml_backend_sched_get_backend(scheduler, i);
    if (!is_cpu(backend))
      continue;
    if (backend->iface.graph_compute != compute_on_cpu) {
      compute_of_cpu_module = backend->iface.graph_compute;
      backend->iface.graph_compute = compute_on_cpu;
    }
    using SetPool = void (*)(ggml_backend_t, ggml_threadpool*);
    if (auto set_pool = backend_function<SetPool>(backend, "ggml_backend_cpu_set_threadpool")) {
      set_pool(backend, shared_pool(backend));
    }
    if (auto set_abort =
            backend_function<ggml_backend_set_abort_callback_t>(backend, "ggml_backend_set_abort_callback")) {
      set_abort(backend, is_cancelled, nullptr);
    }
  }
}

ggml_status compute_graph(ggml_backend_sched_t scheduler, ggml_cgraph* graph) {
  ComputeJob* job = current_job;
  if (job == nullptr)
    throw Error("ERR_INTERNAL", "A graph was computed outside of a job");
  record_graph(graph);
  for (int i = 0; i < ggml_backend_sched_get_n_backends(scheduler); ++i) {
    ggml_backend_t backend = ggml_backend_sched_get_backend(scheduler, i);
    if (auto set_threads =
            backend_function<ggml_backend_set_n_threads_t>(backend, "ggml_backend_set_n_threads")) {
      set_threads(backend, job->threads);
    }
  }
  ggml_backend_t gpu = gpu_of(scheduler);
  if (gpu != nullptr && job->gpu_only)
    refuse_cpu(gpu, scheduler, graph);
  // A GPU computes what it has been given to its end.
  if (job->is_cancelled())
    return GGML_STATUS_ABORTED;
  const ggml_status status =
      gpu != nullptr ? compute_on_gpu(scheduler, graph) : ggml_backend_sched_graph_compute(scheduler, graph);
  if (status == GGML_STATUS_SUCCESS)
    count_nodes(job->counts, gpu, scheduler, graph);
  return status;
}

bool compute_is_broken() {
  return broken;
}

} // namespace whisper_hip
