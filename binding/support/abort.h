// ggml answers a failed assertion or allocation with abort(). On threads of our own it becomes an exception
// instead, so that one failed job does not take the application along. The exception passes through C frames,
// which works with the unwind tables that x86-64 and arm64 compilers write; what ggml was doing is lost.
#pragma once

namespace whisper_hip {

// Installs the process-wide callback, and keeps ggml from forking a debugger. Call before anything of ggml
// runs.
void install_abort_handler();

// Allows the current thread to leave ggml by an exception while the object lives.
class AbortScope {
 public:
  AbortScope();
  ~AbortScope();
  AbortScope(const AbortScope&) = delete;
  AbortScope& operator=(const AbortScope&) = delete;
};

// ggml reports a compute buffer that it could not allocate, and then uses it all the same: the report is the
// place to stop it. Call with every line that it logs; throws Error(ERR_OUT_OF_MEMORY) inside an AbortScope.
void throw_on_lost_buffer(const char* text);

} // namespace whisper_hip
