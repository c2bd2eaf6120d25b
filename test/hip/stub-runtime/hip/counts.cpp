// The numbers that the stub keeps: one flat JSON object in a file that is mapped, so that it is right at any
// moment and after any death. Every value has the same width and is changed in its place.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "stub.h"

namespace stub {

namespace {

constexpr size_t kMapped = 4 << 20; // bytes; the file has as many of them as are needed
constexpr size_t kStep = 16 << 10;
constexpr int kWidth = 15;

class Counts {
 public:
  explicit Counts(std::string path) {
    const size_t mark = path.find("%p");
    if (mark != std::string::npos)
      path.replace(mark, 2, std::to_string(getpid()));
    file_ = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    void* memory =
        file_ < 0 ? MAP_FAILED : mmap(nullptr, kMapped, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (memory == MAP_FAILED)
      die(path);
    text_ = static_cast<char*>(memory);
    put(0, "{\n");
    end_ = 2;
    put(end_, last_line());
  }

  void add(const std::string& key, uint64_t amount, bool set) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto known = values_.find(key);
    if (known == values_.end())
      known = values_.emplace(key, append(key)).first;
    Value& value = known->second;
    value.number = set ? amount : value.number + amount;
    char digits[kWidth + 1];
    snprintf(digits, sizeof digits, "%*llu", kWidth, static_cast<unsigned long long>(value.number));
    memcpy(text_ + value.at, digits, kWidth);
  }

 private:
  struct Value {
    uint64_t number;
    size_t at;
  };

  [[noreturn]] static void die(const std::string& path) {
    fprintf(stderr, "stub HIP runtime: cannot write %s\n", path.c_str());
    _exit(97);
  }

  static std::string last_line() { return "  \"pid\": " + std::to_string(getpid()) + "\n}"; }

  void put(size_t at, const std::string& line) {
    while (at + line.size() > size_) {
      if (size_ + kStep > kMapped || ftruncate(file_, static_cast<off_t>(size_ + kStep)) != 0)
        die("so many counts");
      memset(text_ + size_, ' ', kStep);
      size_ += kStep;
    }
    memcpy(text_ + at, line.data(), line.size());
  }

  // The new line covers the last one, which is written again behind it.
  Value append(const std::string& key) {
    std::string line = "  \"";
    for (const char c : key) {
      if (c == '"' || c == '\\')
        line += '\\';
      line += c;
    }
    line += "\": ";
    const size_t at = end_ + line.size();
    line += std::string(kWidth, ' ') + ",\n";
    put(end_ + line.size(), last_line());
    put(end_, line);
    end_ += line.size();
    return {0, at};
  }

  std::mutex mutex_;
  std::map<std::string, Value> values_;
  int file_;
  char* text_;
  size_t size_ = 0; // of the file
  size_t end_;      // where the last line begins
};

Counts* counts() {
  static Counts* const counts = [] {
    const std::string path = script().get("counts");
    return path.empty() ? nullptr : new Counts(path);
  }();
  return counts;
}

} // namespace

void count(const std::string& key, uint64_t amount) {
  if (Counts* all = counts())
    all->add(key, amount, false);
}

void set_count(const std::string& key, uint64_t value) {
  if (Counts* all = counts())
    all->add(key, value, true);
}

} // namespace stub

// For the stubs of the other libraries: their functions are those of this script too.
STUB_API int whisper_hip_stub_enter(const char* function) {
  return stub::enter(function);
}
