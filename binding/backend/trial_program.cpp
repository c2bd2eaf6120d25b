// The trial of a GPU as a program of its own, for an application that has no Node to run it in: a single
// executable, or an Electron whose program only ever starts the application.
//
//   whisper-hip-trial TOKEN DESCRIPTOR HIP-MODULE PCI-ID CPU-MODULE…
//
// Writes {"hello":TOKEN} to the descriptor, and then what backend/probe.h says. Whoever starts it knows by
// the token that it is this program that answers.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "backend/probe.h"
#include "ggml.h"
#include "support/abort.h"
#include "support/log.h"

namespace {

constexpr int kUsage = 64; // EX_USAGE of sysexits.h

// The form of what is written: a token begins with it. In step with lib/backend/probe/child.ts.
constexpr char kForm[] = "trial-1-";

int usage(const char* problem) {
  std::fprintf(stderr, "whisper-hip-trial: %s. It is started by whisper-hip, to try a GPU\n", problem);
  return kUsage;
}

// A token that can stand in JSON as it is.
bool is_token(const std::string& text) {
  return text.rfind(kForm, 0) == 0 &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

} // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> given(arguments + 1, arguments + count);
  if (given.size() < 5)
    return usage("too few arguments");
  if (!is_token(given[0]))
    return usage("the first argument is no token of this version");
  const int descriptor = std::atoi(given[1].c_str());
  const std::string hello = "{\"hello\":\"" + given[0] + "\"}\n";
  if (descriptor < 3 || write(descriptor, hello.data(), hello.size()) != static_cast<ssize_t>(hello.size()))
    return usage("nobody listens");

  whisper_hip::install_abort_handler();
  ggml_log_set(
      [](ggml_log_level level, const char* text, void* data) { whisper_hip::route_log(level, text, data); },
      nullptr);
  whisper_hip::run_probe({given.begin() + 4, given.end()}, given[2], given[3], descriptor);
  return 0;
}
