// What a test double is told to be and to do wrong: a list of entries `key=value` in an environment variable.
// Its language is the same for all doubles (see README.md beside this file); each adds keys and places of its
// own.
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace doubles {

class Script {
 public:
  struct Language {
    const char* who;                // in messages: "fake GPU"
    const char* variable;           // WHISPER_HIP_FAKE
    std::set<std::string> settings; // keys that have a value and do nothing by themselves
    std::set<std::string> answers;  // keys `KEY=PLACE[:ARGUMENT]` that the double itself acts on
    std::function<bool(const std::string&)> is_place; // what a test may misspell
  };

  // An answer that holds at a place: its key, and what follows the colon.
  struct Answer {
    std::string key, argument;
    explicit operator bool() const { return !key.empty(); }
  };

  // Read once; where the variable names a file (@PATH), asked again whenever something happens.
  explicit Script(Language language);
  ~Script() = delete; // it is asked while the process exits

  // The value of the last entry with this key, or the fallback.
  std::string get(const std::string& key, const std::string& fallback = "");
  bool has(const std::string& key);
  // All values of a key, split at commas.
  std::vector<std::string> list(const std::string& key);

  // A place is reached: adds a line to the trace, then does what the script says for it. May end the process
  // or hang.
  Answer reach(const std::string& place, const std::string& detail = "");
  // The same where a place has many names, and without a trace.
  Answer reach_any(const std::function<bool(const std::string& place)>& is_here);

  // Writes a line into the file of `trace=`.
  void trace(const std::string& place, const std::string& detail);

 private:
  struct Entry {
    std::string key, value, place, argument;
    int only = 0;  // strikes this time, 0: each time
    int times = 0; // how often its place was reached
  };

  void refresh();
  void parse(const std::string& text);
  Entry read_entry(const std::string& line) const;
  bool holds_here(const std::string& key, const std::string& value);
  void perform(const Entry& entry);
  [[noreturn]] void refuse(const std::string& problem) const;

  const Language language_;
  std::recursive_mutex mutex_;
  std::string variable_, text_;
  std::vector<Entry> entries_;
  bool read_ = false;
};

} // namespace doubles
