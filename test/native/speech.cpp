// The parts of speech detection, as a program.
//
//   speech segment THRESHOLD NEGATIVE SPEECH SILENCE PADDING MAXIMUM SAMPLES   probabilities in, stretches
//   out as text;
//                                                     each line: frames seen when it came, start, end
//   speech detect NETWORK CHUNK                       f32 samples in, f32 probabilities out
//   speech kernels                                    prints each set of instructions and its largest error
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "vad/linear.cpp"
#include "vad/silero.h"
#include "vad/speech_segmenter.h"

namespace {

using namespace whisper_hip;

std::vector<float> input() {
  std::vector<float> values;
  float value;
  while (std::fread(&value, sizeof(value), 1, stdin) == 1)
    values.push_back(value);
  return values;
}

void segment(char** arguments) {
  SpeechOptions options;
  options.threshold = std::strtof(arguments[0], nullptr);
  options.negative_threshold = std::strtof(arguments[1], nullptr);
  options.minimum_speech = std::atoll(arguments[2]);
  options.minimum_silence = std::atoll(arguments[3]);
  options.padding = std::atoll(arguments[4]);
  if (std::atoll(arguments[5]) > 0)
    options.maximum_speech = std::atoll(arguments[5]);
  SpeechSegmenter segmenter(options);
  std::vector<SpeechSpan> spans;
  size_t frames = 0, printed = 0;
  const auto print = [&] {
    for (; printed < spans.size(); ++printed)
      std::printf("%zu %lld %lld\n", frames, static_cast<long long>(spans[printed].start),
                  static_cast<long long>(spans[printed].end));
  };
  for (float probability : input()) {
    segmenter.push(probability, spans);
    ++frames;
    print();
  }
  segmenter.finish(std::atoll(arguments[6]), spans);
  print();
}

void detect(const std::string& network, size_t chunk) {
  const std::vector<float> samples = input();
  std::vector<float> probabilities;
  Silero silero(silero_weights(network));
  for (size_t i = 0; i < samples.size(); i += chunk)
    silero.push(samples.data() + i, std::min(chunk, samples.size() - i), probabilities);
  silero.finish(probabilities);
  std::fwrite(probabilities.data(), sizeof(float), probabilities.size(), stdout);
}

using Linear = void (*)(const Matrix&, const float*, const Column*, size_t);
using Lstm = void (*)(const float*, size_t, float*, float*);

void check_kernels(const char* name, Linear linear, Lstm lstm) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> any(-1.0f, 1.0f);
  constexpr size_t kInputs = 37, kOutputs = 128, kColumns = 7;
  Matrix matrix = {kInputs, kOutputs, std::vector<float>(kInputs * kOutputs)};
  std::vector<float> in(kInputs * kColumns), bias(kOutputs), out(kOutputs * kColumns);
  for (auto* values : {&matrix.weights, &in, &bias})
    std::generate(values->begin(), values->end(), [&] { return any(random); });
  std::vector<Column> columns;
  for (size_t c = 0; c < kColumns; ++c)
    columns.push_back({&in[c * kInputs], bias.data(), &out[c * kOutputs]});
  linear(matrix, matrix.weights.data(), columns.data(), kColumns);
  double error = 0;
  for (size_t c = 0; c < kColumns; ++c) {
    for (size_t m = 0; m < kOutputs; ++m) {
      double sum = bias[m];
      for (size_t k = 0; k < kInputs; ++k)
        sum +=
            static_cast<double>(matrix.weights[(m / 64 * kInputs + k) * 64 + m % 64]) * in[c * kInputs + k];
      error = std::max(error, std::abs(sum - out[c * kOutputs + m]));
    }
  }
  // The seventh column is computed alone, the others are not: equal input must give equal bits.
  std::vector<float> alone(kOutputs);
  const Column single = {in.data(), bias.data(), alone.data()};
  linear(matrix, matrix.weights.data(), &single, 1);
  const bool equal = std::equal(alone.begin(), alone.end(), out.begin());

  constexpr size_t kSize = 128;
  std::vector<float> gates(4 * kSize), cell(kSize), hidden(kSize);
  for (float& gate : gates)
    gate = 60.0f * any(random) * any(random);
  std::generate(cell.begin(), cell.end(), [&] { return 3.0f * any(random); });
  const std::vector<float> before = cell;
  lstm(gates.data(), kSize, cell.data(), hidden.data());
  const auto sigmoid = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
  double lstm_error = 0;
  for (size_t i = 0; i < kSize; ++i) {
    const double state =
        sigmoid(gates[kSize + i]) * before[i] + sigmoid(gates[i]) * std::tanh(gates[2 * kSize + i]);
    const double wanted = sigmoid(gates[3 * kSize + i]) * std::tanh(state);
    lstm_error = std::max({lstm_error, std::abs(state - cell[i]), std::abs(wanted - hidden[i])});
  }
  std::printf("%s %s %s %s\n", name, error < 1e-5 ? "exact" : "wrong", equal ? "equal" : "different",
              lstm_error < 1e-6 ? "exact" : "wrong");
}

void kernels() {
  check_kernels("baseline", baseline::linear, baseline::lstm);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    check_kernels("avx2", avx2::linear, avx2::lstm);
  if (__builtin_cpu_supports("avx512f"))
    check_kernels("avx512", avx512::linear, avx512::lstm);
#endif
}

} // namespace

int main(int count, char** arguments) {
  const std::string what = count > 1 ? arguments[1] : "";
  if (what == "segment" && count == 9)
    segment(arguments + 2);
  else if (what == "detect" && count == 4)
    detect(arguments[2], static_cast<size_t>(std::atoll(arguments[3])));
  else if (what == "kernels")
    kernels();
  else
    return 2;
  return 0;
}
