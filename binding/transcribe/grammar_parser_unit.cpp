// whisper.cpp's grammar parser reports a syntax error by printing it to stderr. Here the message is kept
// instead.
#include <cstdio>

#include "transcribe/grammar_error.h"

namespace {

thread_local std::string last_error;

void keep_message(std::FILE*, const char*, const char*, const char* message) {
  last_error = message;
}

// The parser's debug printer, which nothing here calls.
template <typename... Values> void keep_message(std::FILE*, const char*, Values...) {}

} // namespace

#define fprintf keep_message
#include "grammar-parser.cpp"
#undef fprintf

namespace whisper_hip {

std::string take_grammar_error() {
  std::string message;
  message.swap(last_error);
  return message;
}

} // namespace whisper_hip
