// What the processor can do at most: `limits THREADS` prints operations on floats, operations on bytes and
// bytes of memory, each per second of processor time, of all threads together, as JSON. A multiply-add is two
// operations.
#include <immintrin.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace {

// Other programs use caches and memory now and then: the best of many short rounds is what the machine can
// do.
constexpr int kRounds = 400;
constexpr int kSteps = 1 << 18;
// Sums that do not wait for each other: two units with a latency of up to six cycles are always busy, and the
// sixteen registers of AVX2 suffice.
constexpr int kSums = 12;
constexpr size_t kBuffer = 256 << 20;
constexpr int kPieces = 16;
constexpr size_t kLargePage = 2 << 20;

#if defined(__AVX512F__)
constexpr char kFloatInstructions[] = "AVX-512";
using Floats = __m512;
Floats floats(float value) {
  return _mm512_set1_ps(value);
}
Floats multiply_add(Floats a, Floats b, Floats c) {
  return _mm512_fmadd_ps(a, b, c);
}
#elif defined(__AVX2__) && defined(__FMA__)
constexpr char kFloatInstructions[] = "AVX2";
using Floats = __m256;
Floats floats(float value) {
  return _mm256_set1_ps(value);
}
Floats multiply_add(Floats a, Floats b, Floats c) {
  return _mm256_fmadd_ps(a, b, c);
}
#else
#error "The limits are known for processors of x86-64 that have AVX2 and FMA"
#endif

// Written as instructions: of the intrinsics, GCC makes copies of all sums.
#if defined(__AVX512VNNI__)
constexpr char kByteInstructions[] = "AVX-512 VNNI";
using Bytes = __m512i;
void add_products(Bytes& sum, Bytes a, Bytes b) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
}
#elif defined(__AVXVNNI__)
constexpr char kByteInstructions[] = "AVX-VNNI";
using Bytes = __m256i;
void add_products(Bytes& sum, Bytes a, Bytes b) {
  asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
}
#else
constexpr char kByteInstructions[] = "AVX2";
using Bytes = __m256i;
void add_products(Bytes& sum, Bytes a, Bytes b) {
  Bytes pairs;
  asm("vpmaddubsw %3, %2, %1\n\tvpmaddwd %4, %1, %1\n\tvpaddd %1, %0, %0"
      : "+x"(sum), "=&x"(pairs)
      : "x"(a), "x"(b), "x"(_mm256_set1_epi16(1)));
}
#endif

// Keeps the compiler from knowing a value: what is computed of it is computed each time.
template <typename Vector> void conceal(Vector& value) {
  asm volatile("" : "+v"(value));
}

void compute_floats() {
  Floats sums[kSums];
  for (Floats& sum : sums)
    sum = floats(1);
  Floats half = floats(0.5F), one = floats(1); // the sums stay near 2: neither tiny nor infinite
  conceal(half);
  conceal(one);
  for (int step = 0; step < kSteps; ++step) {
    for (Floats& sum : sums)
      sum = multiply_add(sum, half, one);
  }
  for (Floats& sum : sums)
    conceal(sum);
}

void compute_bytes() {
  Bytes sums[kSums];
  for (Bytes& sum : sums)
    sum = Bytes{};
  const Bytes ones = Bytes{} + 0x0101010101010101;
  for (int step = 0; step < kSteps; ++step) {
    for (Bytes& sum : sums)
      add_products(sum, ones, ones);
  }
  for (Bytes& sum : sums)
    conceal(sum);
}

void read_bytes(const char* begin, size_t count) {
  const auto* vectors = reinterpret_cast<const Floats*>(begin);
  for (size_t i = 0; i < count / sizeof(Floats); ++i) {
    Floats value = vectors[i];
    conceal(value);
  }
}

// Lets nobody pass until all have come: they share caches and memory then.
class Gate {
 public:
  explicit Gate(int threads) : threads_(threads) {}
  void pass() {
    const int all = (arrived_++ / threads_ + 1) * threads_;
    while (arrived_ < all)
      std::this_thread::yield();
  }

 private:
  const int threads_;
  std::atomic<int> arrived_{0};
};

// Of this thread: while it waits for a processor that another program uses, it stands still.
double processor_seconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// How much is done in a second, when each of the threads does `amount` by work(thread, round).
template <typename Work> double rate(int threads, double amount, Work work) {
  std::vector<std::vector<double>> seconds(kRounds, std::vector<double>(threads));
  Gate gate(threads);
  std::vector<std::thread> all;
  for (int thread = 0; thread < threads; ++thread) {
    all.emplace_back([&, thread] {
      for (int round = 0; round < kRounds; ++round) {
        gate.pass();
        const double begun = processor_seconds();
        work(thread, round);
        seconds[round][thread] = processor_seconds() - begun;
      }
    });
  }
  for (std::thread& thread : all)
    thread.join();
  double best = 0;
  for (const auto& round : seconds) {
    double sum = 0;
    for (const double taken : round)
      sum += amount / taken;
    best = std::max(best, sum);
  }
  return best;
}

} // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 0;
  if (threads < 1)
    return 2;
  auto* buffer = static_cast<char*>(std::aligned_alloc(kLargePage, kBuffer));
  if (buffer == nullptr)
    return 1;
  (void)madvise(buffer, kBuffer, MADV_HUGEPAGE);
  std::memset(buffer, 1, kBuffer); // pages that nobody has written are all one page of zeros

  // A round reads the next piece, which all but the largest caches have forgotten since it was last read.
  const size_t part = kBuffer / kPieces / threads / sizeof(Floats) * sizeof(Floats);
  const auto read = [=](int thread, int round) {
    read_bytes(buffer + (round % kPieces * threads + thread) * part, part);
  };
  const double steps = 2.0 * kSteps * kSums;
  const double float_rate =
      rate(threads, steps * sizeof(Floats) / sizeof(float), [](int, int) { compute_floats(); });
  const double byte_rate = rate(threads, steps * sizeof(Bytes), [](int, int) { compute_bytes(); });
  const double memory_rate = rate(threads, static_cast<double>(part), read);
  std::printf(
      R"({"floats": %.6g, "floatInstructions": "%s", "bytes": %.6g, "byteInstructions": "%s", "memory": %.6g})",
      float_rate, kFloatInstructions, byte_rate, kByteInstructions, memory_rate);
  std::free(buffer);
  return 0;
}
