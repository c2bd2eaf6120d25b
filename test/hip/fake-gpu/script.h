// What the fake GPU is told to be and to do wrong: WHISPER_HIP_FAKE, see README.md for its language.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

struct ggml_tensor;

namespace fake_gpu {

// `MUL_MAT`, or `MUL_MAT/q8_0` with the type of the first source, or `*`.
bool matches(const std::string& pattern, const ggml_tensor* node);

// A list of entries `key=value`. Entries after `pid=` or `after=` hold in some processes only.
class Script {
 public:
  // The script of this process. Read once from the environment; where it names a file (@PATH), read again
  // whenever the file has changed.
  static Script& current();

  // The value of the last entry with this key, or the fallback.
  std::string get(const std::string& key, const std::string& fallback = "");
  bool has(const std::string& key);
  // All values of a key, split at commas.
  std::vector<std::string> list(const std::string& key);

  // Does what the script says for this point: may end the process, hang, or throw what GGML_ABORT throws.
  // Returns true when the point has to fail by its own means (`fail=STAGE`).
  bool reach(const std::string& stage, const std::string& detail = "");
  // The same for the operations of a graph.
  bool reach_operation(const ggml_tensor* node);

  // Writes a line into the file of `trace=`.
  void trace(const std::string& stage, const std::string& detail);

 private:
  struct Entry {
    std::string key, value;
    int times = 0; // how often its point was reached
  };

  void refresh();
  void parse(const std::string& text);
  bool act(const std::string& stage, const ggml_tensor* node);

  std::recursive_mutex mutex_;
  std::string text_;
  std::vector<Entry> entries_;
  bool read_ = false;
};

} // namespace fake_gpu
