// Log lines of ggml and whisper.cpp, routed to whoever caused them.
//
// The log sink of whisper.cpp is one per process, but a line belongs to the load or job whose thread printed
// it. A thread that works for somebody holds a LogScope; lines of threads without one are dropped.
#pragma once

#include <functional>
#include <string>

namespace whisper_hip {

// Levels of ggml_log_level: 1 debug, 2 info, 3 warn, 4 error; 5 continues the previous line.
using LogListener = std::function<void(int level, const char* text)>;

// Receives the lines that the current thread prints while the object lives, and keeps the errors among them.
// Without a listener of its own it passes them on to that of the scope around it.
class LogScope {
 public:
  explicit LogScope(LogListener listener = nullptr);
  ~LogScope();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;

  // The error lines of this scope so far, joined, at most 2 kB.
  const std::string& errors() const { return errors_; }

 private:
  friend void route_log(int level, const char* text, void* user_data);
  LogListener listener_;
  std::string errors_;
  bool in_error_ = false;
  LogScope* outer_;
};

// The error lines of the innermost scope of this thread, without the line end; empty without a scope.
std::string logged_errors();

// Drops the next line of this thread: for the message of an end that is wanted.
void mute_next_line();

// What the process-wide sink of ggml does with a line; `user_data` is not read.
void route_log(int level, const char* text, void* user_data);

// Installs the process-wide sink of whisper.cpp and ggml. Idempotent.
void install_log_sink();

} // namespace whisper_hip
