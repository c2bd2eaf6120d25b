// The trial of a GPU, in a process of its own that may hang or die: every step that has taken a process down
// on some machine is done once, and its numbers are compared with those of the CPU.
#pragma once

#include <string>
#include <vector>

namespace whisper_hip {

// Writes one line of JSON to the file descriptor before and after each stage:
//   {"stage":"mul_mat f16 of one column","event":"begin"}
//   {"stage":"mul_mat f16 of one column","event":"end","ok":true,"milliseconds":1.9,"error":3.1e-8}
// `error` is the normalised mean squared error against the CPU; "weights" names the only type of weights with
// which models have the operation; "unsupported":true says that the device does not offer it, "problem" what
// was wrong. The stage "devices" lists them. Ends after the first
// stage that is not ok, but for one with wrong numbers. A crash or a hang is the answer too, for the parent
// to see. `pci_id` chooses the device, the first one when empty or not found.
void run_probe(const std::vector<std::string>& cpu_modules, const std::string& hip_module,
               const std::string& pci_id, int descriptor);

} // namespace whisper_hip
