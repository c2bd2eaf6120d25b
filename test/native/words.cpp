// The times of words, as a program. What it needs of whisper.cpp are fakes: a token is what the input says.
//
//   words path ROWS COLUMNS
//       f32 costs in; the first column of each row out
//   words times HEADS ROWS POSITIONS START FRAMES
//       f32 attention in; the times of the tokens out, in seconds
//   words join LANGUAGE
//       lines of BYTES START PROBABILITY in, bytes in hexadecimal, then a line with the END of the last one;
//       lines of BYTES START END PROBABILITY TOKENS out
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "transcribe/token_times.h"
#include "transcribe/words.h"

namespace whisper_hip {

namespace {
std::vector<std::string> vocabulary;
} // namespace

const std::string& token_bytes(const whisper_context&, whisper_token token) {
  return vocabulary[static_cast<size_t>(token)];
}

} // namespace whisper_hip

namespace {

using namespace whisper_hip;

std::vector<float> floats() {
  std::vector<float> values;
  float value;
  while (std::fread(&value, sizeof(value), 1, stdin) == 1)
    values.push_back(value);
  return values;
}

// Nothing looks inside of them.
template <typename T> T& nothing() {
  static char place;
  return reinterpret_cast<T&>(place);
}

void print_path(int rows, int columns) {
  for (const int column : first_columns(floats(), rows, columns))
    std::printf("%d\n", column);
}

void print_times(char** arguments) {
  const auto number = [arguments](int i) { return static_cast<size_t>(std::atoi(arguments[i])); };
  const int positions = static_cast<int>(number(2)), tokens = static_cast<int>(number(1));
  const int columns = std::min(static_cast<int>(number(4)) / 2, positions);
  for (const double time :
       token_times(floats(), number(0), tokens, positions, columns, tokens - static_cast<int>(number(3))))
    std::printf("%.3f\n", time);
}

std::string from_hex(const char* text) {
  std::string bytes;
  for (; text[0] != '\0' && text[1] != '\0'; text += 2) {
    const char digits[] = {text[0], text[1], '\0'};
    bytes += static_cast<char>(std::strtol(digits, nullptr, 16));
  }
  return bytes;
}

void print_words(const char* language) {
  std::vector<WindowToken> tokens;
  std::vector<double> times;
  char line[1024], bytes[512];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    double time;
    float probability;
    if (std::sscanf(line, "%511s %lf %f", bytes, &time, &probability) == 3) {
      tokens.push_back({static_cast<whisper_token>(vocabulary.size()), probability});
      vocabulary.push_back(from_hex(bytes));
      times.push_back(time);
    } else {
      times.push_back(std::atof(line));
    }
  }
  for (const WordResult& word : words_of(nothing<whisper_context>(), tokens, times, language)) {
    for (const unsigned char byte : word.text)
      std::printf("%02x", byte);
    std::printf(" %.3f %.3f %.3f %zu\n", word.start, word.end, static_cast<double>(word.probability),
                word.tokens.size());
  }
}

} // namespace

int main(int, char** arguments) {
  if (std::strcmp(arguments[1], "path") == 0)
    print_path(std::atoi(arguments[2]), std::atoi(arguments[3]));
  else if (std::strcmp(arguments[1], "times") == 0)
    print_times(arguments + 2);
  else
    print_words(arguments[2]);
}
