#include "script.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace doubles {

namespace {

const std::set<std::string>& actions() {
  static const std::set<std::string> names = {"crash", "segfault", "hang",  "spin",
                                              "kill",  "fault",    "throw", "exit"};
  return names;
}

std::string trim(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos)
    return "";
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

bool read_file(const std::string& path, std::string& content) {
  std::ifstream file(path);
  if (!file)
    return false;
  std::stringstream text;
  text << file.rdbuf();
  content = text.str();
  return true;
}

// As the ROCm runtime does it: from a thread of its own.
[[noreturn]] void gpu_fault() {
  std::thread([] {
    fprintf(stderr, "Memory access fault by GPU node-1 (Agent handle: 0x55d0c0de) on address 0x7f00dead0000. "
                    "Reason: Page not present or supervisor privilege.\n");
    fflush(stderr);
    abort();
  }).detach();
  for (;;)
    pause();
}

[[noreturn]] void spin() {
  volatile uint64_t turns = 0;
  for (;;)
    turns = turns + 1;
}

} // namespace

Script::Script(Language language) : language_(std::move(language)) {
  const char* value = getenv(language_.variable);
  variable_ = value != nullptr ? value : "";
  refresh();
}

void Script::refuse(const std::string& problem) const {
  fprintf(stderr, "%s: %s\n", language_.who, problem.c_str());
  fflush(stderr);
  _exit(97);
}

void Script::refresh() {
  const bool is_file = !variable_.empty() && variable_[0] == '@';
  if (read_ && !is_file)
    return;
  std::string text = variable_;
  if (is_file && !read_file(variable_.substr(1), text)) {
    if (!read_)
      refuse("cannot read the script " + variable_.substr(1));
    return; // the test that made it is over
  }
  if (read_ && text == text_)
    return;
  read_ = true;
  text_ = text;
  parse(text);
}

void Script::parse(const std::string& text) {
  entries_.clear();
  bool holds = true;
  std::string all = text;
  for (char& c : all)
    if (c == '\n')
      c = ';';
  std::stringstream stream(all);
  std::string line;
  while (std::getline(stream, line, ';')) {
    line = trim(line);
    if (line.empty() || line[0] == '#')
      continue;
    Entry entry = read_entry(line);
    if (entry.key == "pid" || entry.key == "after" || entry.key == "on")
      holds = holds_here(entry.key, entry.value);
    else if (holds)
      entries_.push_back(std::move(entry));
  }
}

Script::Entry Script::read_entry(const std::string& line) const {
  const size_t equals = line.find('=');
  if (equals == std::string::npos)
    refuse("expected key=value but received '" + line + "'");
  Entry entry;
  entry.key = trim(line.substr(0, equals));
  entry.value = trim(line.substr(equals + 1));
  const std::string& key = entry.key;
  if (actions().count(key) == 0 && language_.answers.count(key) == 0) {
    const bool common = key == "pid" || key == "after" || key == "on" || key == "trace" || key == "say";
    if (!common && language_.settings.count(key) == 0)
      refuse("unknown entry '" + key + "'");
    return entry;
  }
  const size_t at = entry.value.rfind('@');
  std::string rest = entry.value.substr(0, at);
  if (at != std::string::npos)
    entry.only = atoi(entry.value.c_str() + at + 1);
  const size_t colon = rest.find(':');
  if (colon != std::string::npos)
    entry.argument = rest.substr(colon + 1);
  entry.place = rest.substr(0, colon);
  if (entry.place.empty() || !language_.is_place(entry.place))
    refuse("unknown place '" + entry.place + "' in '" + line + "'");
  return entry;
}

bool Script::holds_here(const std::string& key, const std::string& value) {
  if (key == "pid") {
    if (value == "*")
      return true;
    const bool inverse = !value.empty() && value[0] == '!';
    return (atol(value.c_str() + (inverse ? 1 : 0)) == getpid()) != inverse;
  }
  if (key == "on") {
    // As it was when the double was loaded: the library puts it back later.
    static const char* const shown = getenv("ROCR_VISIBLE_DEVICES");
    static const std::string device = shown != nullptr ? shown : "";
    return value == "*" || value == device;
  }
  // after=FILE: the process that makes the file is spared, and so is all that it does later.
  static std::map<std::string, bool> asked;
  auto known = asked.find(value);
  if (known == asked.end()) {
    const int file = open(value.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0)
      close(file);
    known = asked.emplace(value, file < 0).first;
  }
  return known->second;
}

std::string Script::get(const std::string& key, const std::string& fallback) {
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry)
    if (entry->key == key)
      return entry->value;
  return fallback;
}

bool Script::has(const std::string& key) {
  return !list(key).empty();
}

std::vector<std::string> Script::list(const std::string& key) {
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  std::vector<std::string> values;
  for (const Entry& entry : entries_) {
    if (entry.key != key)
      continue;
    std::stringstream stream(entry.value);
    std::string value;
    while (std::getline(stream, value, ','))
      values.push_back(trim(value));
  }
  return values;
}

void Script::trace(const std::string& place, const std::string& detail) {
  const std::string path = get("trace");
  if (path.empty())
    return;
  const std::string line =
      std::to_string(getpid()) + " " + place + (detail.empty() ? "" : " " + detail) + "\n";
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0 || write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    refuse("cannot write the trace " + path);
  close(file);
}

Script::Answer Script::reach(const std::string& place, const std::string& detail) {
  {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    refresh();
  }
  trace(place, detail);
  return reach_any([&](const std::string& candidate) { return candidate == place; });
}

Script::Answer Script::reach_any(const std::function<bool(const std::string& place)>& is_here) {
  Entry struck;
  {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    for (Entry& entry : entries_) {
      if (entry.place.empty() || !is_here(entry.place))
        continue;
      const int time = ++entry.times;
      if (entry.only != 0 && time != entry.only)
        continue;
      struck = entry;
      break;
    }
  }
  if (struck.key.empty())
    return {};
  const std::string say = get("say");
  if (!say.empty()) {
    fprintf(stderr, "%s\n", say.c_str());
    fflush(stderr);
  }
  perform(struck);
  return {struck.key, struck.argument};
}

void Script::perform(const Entry& entry) {
  const std::string& action = entry.key;
  if (action == "crash")
    abort();
  if (action == "segfault") {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
  }
  if (action == "hang")
    for (;;)
      pause();
  if (action == "spin")
    spin();
  if (action == "kill")
    kill(getpid(), SIGKILL);
  if (action == "fault")
    gpu_fault();
  if (action == "exit")
    _exit(entry.argument.empty() ? 3 : atoi(entry.argument.c_str()));
  if (action == "throw")
    throw std::runtime_error(std::string("thrown by the ") + language_.who);
}

} // namespace doubles
