#include "backend/probe_reporter.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <utility>

namespace whisper_hip {

std::string json_text(const std::string& text) {
  std::string json = "\"";
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (character == '"' || character == '\\') {
      json += '\\';
      json += character;
    } else if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", byte);
      json += escape;
    } else {
      json += character;
    }
  }
  return json + "\"";
}

std::string json_number(double value) {
  if (!std::isfinite(value))
    return "null";
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

bool ProbeReporter::stage(const std::string& name, const std::function<ProbeOutcome()>& work) const {
  const std::string head = "{\"stage\":" + json_text(name);
  write_line(head + ",\"event\":\"begin\"}");
  const auto start = std::chrono::steady_clock::now();
  ProbeOutcome outcome;
  try {
    outcome = work();
  } catch (const std::exception& error) {
    outcome.problem = error.what();
  }
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
  const bool ok = outcome.problem.empty();
  write_line(head + ",\"event\":\"end\",\"ok\":" + (ok ? "true" : "false") +
             ",\"milliseconds\":" + json_number(spent.count()) + outcome.facts +
             (ok ? "" : ",\"problem\":" + json_text(outcome.problem)) + "}");
  return ok || outcome.goes_on;
}

void ProbeReporter::write_line(std::string line) const {
  line += '\n';
  for (size_t done = 0; done < line.size();) {
    const ssize_t written = write(descriptor_, line.data() + done, line.size() - done);
    if (written < 0)
      _exit(1);
    done += static_cast<size_t>(written);
  }
}

} // namespace whisper_hip
