#include "support/log.h"

#include <utility>

#include "ggml.h"

namespace whisper_hip {

namespace {
constexpr size_t kMaxErrorBytes = 2048;
thread_local LogScope* current_scope = nullptr;
thread_local bool mute = false;
} // namespace

void route_log(int level, const char* text, void*) {
  if (mute) {
    mute = false;
    return;
  }
  LogScope* scope = current_scope;
  if (scope == nullptr || text == nullptr)
    return;
  if (level != GGML_LOG_LEVEL_CONT)
    scope->in_error_ = level == GGML_LOG_LEVEL_ERROR;
  if (scope->in_error_ && scope->errors_.size() < kMaxErrorBytes) {
    scope->errors_.append(text, 0, kMaxErrorBytes - scope->errors_.size());
  }
  for (; scope != nullptr; scope = scope->outer_) {
    if (scope->listener_)
      return scope->listener_(level, text);
  }
}

LogScope::LogScope(LogListener listener) : listener_(std::move(listener)), outer_(current_scope) {
  current_scope = this;
}

LogScope::~LogScope() {
  current_scope = outer_;
}

std::string logged_errors() {
  if (current_scope == nullptr)
    return {};
  std::string lines = current_scope->errors();
  while (!lines.empty() && lines.back() == '\n')
    lines.pop_back();
  return lines;
}

void mute_next_line() {
  mute = true;
}

} // namespace whisper_hip
