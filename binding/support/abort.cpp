#include "support/abort.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

#include "ggml.h"
#include "support/error.h"
#include "support/log.h"

namespace whisper_hip {

namespace {

thread_local bool may_throw = false;

bool concerns_memory(std::string message) {
  // "pre-allocated tensor … cannot run the operation" is about a backend.
  for (size_t at; (at = message.find("pre-allocated")) != std::string::npos;)
    message.erase(at, sizeof "pre-allocated" - 1);
  for (const char* sign : {"alloc", "mem_buffer", "GGML_ASSERT(buffer", "out of memory"}) {
    if (message.find(sign) != std::string::npos)
      return true;
  }
  return false;
}

// Of another copy of this addon with the same ggml: the threads that may throw can be its own.
ggml_abort_callback_t previous_callback = nullptr;

void on_abort(const char* text) {
  if (!may_throw) {
    // When it returns, ggml aborts the process.
    if (previous_callback != nullptr)
      return previous_callback(text);
    std::fprintf(stderr, "whisper-hip: ggml gave up: %s\n", text != nullptr ? text : "");
    return;
  }
  // A backend logs what went wrong before it gives up, and then says only where.
  std::string message = text != nullptr ? text : "";
  const std::string before = logged_errors();
  if (!before.empty())
    message += ": " + before;
  if (concerns_memory(message))
    throw Abort("ERR_OUT_OF_MEMORY", "ggml could not allocate memory: " + message);
  throw Abort("ERR_INTERNAL", "ggml gave up: " + message);
}

} // namespace

void install_abort_handler() {
  setenv("GGML_NO_BACKTRACE", "1", 1);
  static std::once_flag once;
  std::call_once(once, [] { previous_callback = ggml_set_abort_callback(on_abort); });
}

AbortScope::AbortScope() {
  may_throw = true;
}

AbortScope::~AbortScope() {
  may_throw = false;
}

void throw_on_lost_buffer(const char* text) {
  static constexpr char kReport[] = "ggml_gallocr_reserve_n_impl: failed to allocate ";
  if (!may_throw || text == nullptr || std::strncmp(text, kReport, sizeof kReport - 1) != 0)
    return;
  const std::string what(text + sizeof kReport - 1); // e.g. "CPU buffer of size 94777088\n"
  throw Error("ERR_OUT_OF_MEMORY",
              "Memory for computing could not be allocated: " + what.substr(0, what.find('\n')),
              "OUT_OF_MEMORY");
}

} // namespace whisper_hip
