// What a trial tells the process that wants to know: a line of JSON before and after each stage.
#pragma once

#include <functional>
#include <string>

namespace whisper_hip {

// As JSON; a number that is not finite is null.
std::string json_text(const std::string& text);
std::string json_number(double value);

// What a stage says beside its end. `ok` is false when `problem` is not empty.
struct ProbeOutcome {
  std::string problem;
  std::string facts;    // members of JSON, each with a comma before it
  bool goes_on = false; // whether what comes after can be tried in spite of the problem
};

class ProbeReporter {
 public:
  explicit ProbeReporter(int descriptor) : descriptor_(descriptor) {}

  // Runs a stage; false when nothing can be tried after it. What throws is the problem. Ends the process when
  // nobody listens any more.
  bool stage(const std::string& name, const std::function<ProbeOutcome()>& work) const;

 private:
  void write_line(std::string line) const;

  int descriptor_;
};

} // namespace whisper_hip
