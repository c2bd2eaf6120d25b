#include "audio/byte_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>
#include <vector>

#include "support/byte_store.h"
#include "support/error.h"

namespace whisper_hip {

namespace {

[[noreturn]] void fail(const char* action, const std::string& path, const std::string& reason) {
  throw Error("ERR_AUDIO_DECODE", "Cannot " + std::string(action) + " audio file " + path + ": " + reason);
}

std::string system_reason(int error) {
  return std::generic_category().message(error);
}

struct Descriptor {
  explicit Descriptor(int number) : number(number) {}
  ~Descriptor() { ::close(number); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  const int number;
};

class FileReader final : public ByteReader {
 public:
  FileReader(std::unique_ptr<Descriptor> file, uint64_t size, std::string path)
      : ByteReader(size), file_(std::move(file)), path_(std::move(path)), buffer_(kBuffer) {}

 private:
  static constexpr size_t kBuffer = 64 << 10;

  // Decoders read a few bytes at a time: the buffer keeps that from being one system call each.
  size_t read_at(uint64_t offset, void* out, size_t n) override {
    if (offset < start_ || offset >= start_ + filled_) {
      filled_ = 0;
      start_ = offset;
      filled_ = pread_at(offset, buffer_.data(), buffer_.size());
      if (filled_ == 0)
        return 0;
    }
    const size_t count = std::min<uint64_t>(n, start_ + filled_ - offset);
    std::memcpy(out, buffer_.data() + (offset - start_), count);
    return count;
  }

  size_t pread_at(uint64_t offset, uint8_t* out, size_t n) {
    for (;;) {
      const ssize_t got = ::pread(file_->number, out, n, static_cast<off_t>(offset));
      if (got >= 0)
        return static_cast<size_t>(got);
      if (errno != EINTR)
        fail("read", path_, system_reason(errno));
    }
  }

  std::unique_ptr<Descriptor> file_;
  std::string path_;
  std::vector<uint8_t> buffer_;
  uint64_t start_ = 0;
  size_t filled_ = 0;
};

class StoreReader final : public ByteReader {
 public:
  explicit StoreReader(std::shared_ptr<const ByteStore> store)
      : ByteReader(store->size()), store_(std::move(store)) {}

 private:
  size_t read_at(uint64_t offset, void* out, size_t n) override { return store_->read(offset, out, n); }

  std::shared_ptr<const ByteStore> store_;
};

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode))
    return "it is a directory";
  if (S_ISFIFO(mode))
    return "it is a pipe";
  if (S_ISSOCK(mode))
    return "it is a socket";
  return "it is a device";
}

} // namespace

std::unique_ptr<ByteReader> ByteReader::open_file(const std::string& path) {
  // O_NONBLOCK: a pipe without a writer would block here, before we can refuse it.
  const int number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (number < 0)
    fail("open", path, system_reason(errno));
  auto file = std::make_unique<Descriptor>(number);
  struct stat status;
  if (::fstat(number, &status) != 0)
    fail("open", path, system_reason(errno));
  if (!S_ISREG(status.st_mode))
    fail("open", path, kind_of(status.st_mode));
  return std::make_unique<FileReader>(std::move(file), static_cast<uint64_t>(status.st_size), path);
}

std::unique_ptr<ByteReader> ByteReader::from_store(std::shared_ptr<const ByteStore> store) {
  return std::make_unique<StoreReader>(std::move(store));
}

size_t ByteReader::read(void* out, size_t n) {
  size_t done = 0;
  while (done < n && position_ < size_) {
    const size_t wanted = std::min<uint64_t>(n - done, size_ - position_);
    const size_t got = read_at(position_, static_cast<uint8_t*>(out) + done, wanted);
    if (got == 0)
      break;
    done += got;
    position_ += got;
  }
  return done;
}

} // namespace whisper_hip
