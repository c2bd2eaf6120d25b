#include "script.h"

#include <fcntl.h>
#include <signal.h>
#include <strings.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "ggml.h"

namespace fake_gpu {

namespace {

// In functions, since the loader may ask before the constants of this file are made.
const std::set<std::string>& settings() {
  static const std::set<std::string> names = {"devices", "pci", "uuid",    "gfx",   "description", "type",
                                              "memory",  "cpu", "threads", "trace", "say",         "log",
                                              "error",   "api", "oom",     "wrong", "unsupported", "slow"};
  return names;
}

const std::set<std::string>& actions() {
  static const std::set<std::string> names = {"abort", "crash", "segfault", "hang", "spin",
                                              "kill",  "fault", "throw",    "exit", "fail"};
  return names;
}

const std::set<std::string>& stages() {
  static const std::set<std::string> names = {"load",  "init", "devices", "stream", "alloc",
                                              "write", "read", "graph",   "free",   "exit"};
  return names;
}

[[noreturn]] void refuse(const std::string& problem) {
  fprintf(stderr, "fake GPU: %s. See test/hip/fake-gpu/README.md.\n", problem.c_str());
  fflush(stderr);
  _exit(97);
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

bool holds_here(const std::string& key, const std::string& value) {
  if (key == "pid") {
    if (value == "*")
      return true;
    const bool inverse = !value.empty() && value[0] == '!';
    return (atol(value.c_str() + (inverse ? 1 : 0)) == getpid()) != inverse;
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

void at_exit() {
  Script::current().reach("exit");
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

bool matches(const std::string& pattern, const ggml_tensor* node) {
  const size_t slash = pattern.find('/');
  const std::string op = pattern.substr(0, slash);
  // ggml_op_desc() has the unary operations by name (GELU), ggml_op_name() only as UNARY.
  const bool is_op = op == "*" || strcasecmp(op.c_str(), ggml_op_desc(node)) == 0 ||
                     strcasecmp(op.c_str(), ggml_op_name(node->op)) == 0;
  if (!is_op || slash == std::string::npos)
    return is_op;
  return node->src[0] != nullptr && pattern.substr(slash + 1) == ggml_type_name(node->src[0]->type);
}

Script& Script::current() {
  static Script* script = new Script; // never destroyed: it is asked while the process exits
  std::lock_guard<std::recursive_mutex> lock(script->mutex_);
  script->refresh();
  return *script;
}

void Script::refresh() {
  static const std::string variable = [] {
    const char* value = getenv("WHISPER_HIP_FAKE");
    return std::string(value != nullptr ? value : "");
  }();
  const bool is_file = !variable.empty() && variable[0] == '@';
  if (read_ && !is_file)
    return;
  std::string text = variable;
  if (is_file && !read_file(variable.substr(1), text)) {
    if (!read_)
      refuse("cannot read the script " + variable.substr(1));
    return; // the test that made it is over
  }
  if (read_ && text == text_)
    return;
  const bool first = !read_;
  read_ = true;
  text_ = text;
  parse(text);
  if (first)
    atexit(at_exit);
}

void Script::parse(const std::string& text) {
  entries_.clear();
  bool holds = true;
  std::string line;
  std::string all = text;
  for (char& c : all)
    if (c == '\n')
      c = ';';
  std::stringstream stream(all);
  while (std::getline(stream, line, ';')) {
    line = trim(line);
    if (line.empty() || line[0] == '#')
      continue;
    const size_t equals = line.find('=');
    if (equals == std::string::npos)
      refuse("expected key=value but received '" + line + "'");
    Entry entry;
    entry.key = trim(line.substr(0, equals));
    entry.value = trim(line.substr(equals + 1));
    if (entry.key == "pid" || entry.key == "after") {
      holds = holds_here(entry.key, entry.value);
      continue;
    }
    const bool action = actions().count(entry.key) != 0;
    if (!action && settings().count(entry.key) == 0)
      refuse("unknown entry '" + entry.key + "'");
    const std::string stage = entry.value.substr(0, entry.value.find('@'));
    const bool lower = !stage.empty() && stage[0] >= 'a' && stage[0] <= 'z';
    if (action && (stage.empty() || (lower && stages().count(stage) == 0)))
      refuse("unknown stage '" + stage + "' in '" + line + "'");
    if (holds)
      entries_.push_back(entry);
  }
}

std::string Script::get(const std::string& key, const std::string& fallback) {
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry)
    if (entry->key == key)
      return entry->value;
  return fallback;
}

bool Script::has(const std::string& key) {
  std::lock_guard<std::recursive_mutex> lock(mutex_);
  for (const Entry& entry : entries_)
    if (entry.key == key)
      return true;
  return false;
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

void Script::trace(const std::string& stage, const std::string& detail) {
  const std::string path = get("trace");
  if (path.empty())
    return;
  const std::string line =
      std::to_string(getpid()) + " " + stage + (detail.empty() ? "" : " " + detail) + "\n";
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0 || write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    refuse("cannot write the trace " + path);
  close(file);
}

bool Script::reach(const std::string& stage, const std::string& detail) {
  trace(stage, detail);
  return act(stage, nullptr);
}

bool Script::reach_operation(const ggml_tensor* node) {
  return act("", node);
}

bool Script::act(const std::string& stage, const ggml_tensor* node) {
  std::string action;
  {
    std::lock_guard<std::recursive_mutex> lock(mutex_);
    for (Entry& entry : entries_) {
      if (actions().count(entry.key) == 0)
        continue;
      const size_t at = entry.value.find('@');
      const std::string place = entry.value.substr(0, at);
      if (node != nullptr ? !matches(place, node) : place != stage)
        continue;
      const int time = ++entry.times;
      if (at != std::string::npos && time != atoi(entry.value.c_str() + at + 1))
        continue;
      action = entry.key;
      break;
    }
  }
  if (action.empty())
    return false;
  const std::string say = get("say");
  if (!say.empty()) {
    fprintf(stderr, "%s\n", say.c_str());
    fflush(stderr);
  }
  if (action == "abort")
    GGML_ABORT("ROCm error: made by the fake GPU at %s",
               node != nullptr ? ggml_op_desc(node) : stage.c_str());
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
    _exit(3);
  if (action == "throw")
    throw std::runtime_error("thrown by the fake GPU");
  return true;
}

} // namespace fake_gpu
