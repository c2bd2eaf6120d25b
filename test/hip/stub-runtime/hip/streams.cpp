// Streams, events and captured graphs. Everything is done at once, so there is nothing to wait for: waits are
// counted.
#include <map>
#include <mutex>

#include "stub.h"

namespace stub {

namespace {

// The kernels of a graph, in the order of their capture.
using Graph = std::vector<std::string>;

std::mutex& mutex() {
  static auto* mutex = new std::mutex;
  return *mutex;
}

std::map<void*, Graph*>& captures() {
  static auto* captures = new std::map<void*, Graph*>;
  return *captures;
}

} // namespace

bool capture(void* stream, const std::string& kernel) {
  std::lock_guard<std::mutex> lock(mutex());
  auto found = captures().find(stream);
  if (found == captures().end())
    return false;
  found->second->push_back(kernel);
  return true;
}

} // namespace stub

using stub::captures;
using stub::Graph;

STUB_API int hipStreamCreateWithFlags(void** stream, unsigned) {
  ENTER(hipStreamCreateWithFlags);
  *stream = new char;
  return kSuccess;
}

STUB_API int hipStreamDestroy(void* stream) {
  ENTER(hipStreamDestroy);
  delete static_cast<char*>(stream);
  return kSuccess;
}

STUB_API int hipStreamSynchronize(void*) {
  ENTER(hipStreamSynchronize);
  return kSuccess;
}

STUB_API int hipDeviceSynchronize() {
  ENTER(hipDeviceSynchronize);
  return kSuccess;
}

STUB_API int hipStreamWaitEvent(void*, void*, unsigned) {
  ENTER(hipStreamWaitEvent);
  return kSuccess;
}

STUB_API int hipEventCreateWithFlags(void** event, unsigned) {
  ENTER(hipEventCreateWithFlags);
  *event = new char;
  return kSuccess;
}

STUB_API int hipEventDestroy(void* event) {
  ENTER(hipEventDestroy);
  delete static_cast<char*>(event);
  return kSuccess;
}

STUB_API int hipEventRecord(void*, void*) {
  ENTER(hipEventRecord);
  return kSuccess;
}

STUB_API int hipEventSynchronize(void*) {
  ENTER(hipEventSynchronize);
  return kSuccess;
}

STUB_API int hipStreamBeginCapture(void* stream, int) {
  ENTER(hipStreamBeginCapture);
  std::lock_guard<std::mutex> lock(stub::mutex());
  captures()[stream] = new Graph;
  return kSuccess;
}

STUB_API int hipStreamEndCapture(void* stream, Graph** graph) {
  ENTER(hipStreamEndCapture);
  std::lock_guard<std::mutex> lock(stub::mutex());
  *graph = captures()[stream];
  captures().erase(stream);
  return kSuccess;
}

STUB_API int hipGraphDestroy(Graph* graph) {
  ENTER(hipGraphDestroy);
  delete graph;
  return kSuccess;
}

STUB_API int hipGraphInstantiate(Graph** executable, Graph* graph, void**, char*, size_t) {
  ENTER(hipGraphInstantiate);
  *executable = new Graph(*graph);
  return kSuccess;
}

STUB_API int hipGraphExecUpdate(Graph* executable, Graph* graph, void**, int* result) {
  ENTER(hipGraphExecUpdate);
  *executable = *graph;
  *result = 0;
  return kSuccess;
}

STUB_API int hipGraphExecDestroy(Graph* executable) {
  ENTER(hipGraphExecDestroy);
  delete executable;
  return kSuccess;
}

STUB_API int hipGraphLaunch(Graph* executable, void*) {
  ENTER(hipGraphLaunch);
  for (const std::string& kernel : *executable) {
    stub::count("launches.inGraphs");
    stub::count("kernel." + kernel);
  }
  return kSuccess;
}
