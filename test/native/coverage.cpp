// The speech that a text leaves out, as a program. In: f32 probabilities of speech, one for each 32 ms.
//
//   coverage within FIRST END            frames of 10 ms with speech
//   coverage parts FIRST END LONGEST     lines of FIRST END
//   coverage unspoken FIRST END [FIRST END …]   of the stretch, given the spans that are spoken: lines of FIRST END
//   coverage sparse VOICED TOKENS        1 or 0
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "transcribe/coverage.h"

using namespace whisper_hip;

int main(int count, char** arguments) {
  std::vector<float> probabilities;
  float value;
  while (std::fread(&value, sizeof(value), 1, stdin) == 1)
    probabilities.push_back(value);
  const VoicedTime voiced(probabilities, 0.5f);
  const std::string command = arguments[1];
  std::vector<int> numbers;
  for (int i = 2; i < count; ++i)
    numbers.push_back(std::atoi(arguments[i]));
  std::vector<FrameSpan> spans;
  if (command == "within") {
    std::printf("%d\n", voiced.within(numbers[0], numbers[1]));
  } else if (command == "sparse") {
    std::printf("%d\n", is_sparse(numbers[0], static_cast<size_t>(numbers[1])));
  } else if (command == "parts") {
    spans = voiced.parts({numbers[0], numbers[1]}, numbers[2]);
  } else {
    std::vector<FrameSpan> spoken;
    for (size_t i = 2; i + 1 < numbers.size(); i += 2)
      spoken.emplace_back(numbers[i], numbers[i + 1]);
    spans = unspoken(voiced, spoken, numbers[0], numbers[1]);
  }
  for (const FrameSpan& span : spans)
    std::printf("%d %d\n", span.first, span.second);
}
