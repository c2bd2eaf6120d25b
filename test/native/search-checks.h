// Checks, and searches of made-up logits, for search-kinds.cpp and search-rules.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>

#include "engine/search/choose.h"
#include "support/error.h"

using namespace whisper_hip;

using Text = std::vector<Token>;
using Row = std::vector<float>;
// The logits of what follows a text.
using Model = std::function<Row(const Text&)>;

inline int checks = 0;

inline void check_at(int line, bool passed, const char* what) {
  checks++;
  if (!passed)
    std::printf("failed: line %d: %s\n", line, what);
}

inline void check_near(int line, double value, double wanted, const char* what) {
  check_at(line, std::abs(value - wanted) < 1e-4, what);
  if (!(std::abs(value - wanted) < 1e-4))
    std::printf("  %f, not %f\n", value, wanted);
}

inline void check_text(int line, const Text& text, const Text& wanted, const char* what) {
  check_at(line, text == wanted, what);
  for (size_t i = 0; i < text.size() && text != wanted; ++i)
    std::printf(" %d%s", text[i], i + 1 == text.size() ? "\n" : "");
}
#define CHECK(condition) check_at(__LINE__, condition, #condition)
#define CHECK_NEAR(value, wanted) check_near(__LINE__, value, wanted, #value)
#define CHECK_TEXT(text, ...) check_text(__LINE__, text, Text __VA_ARGS__, #text)

template <typename Action> bool is_corrupt(const Action& action) {
  try {
    action();
    return false;
  } catch (const Error& error) {
    return std::strcmp(error.code, "ERR_MODEL_CORRUPT") == 0;
  }
}

struct NoRules : Rules {
  void apply(const Text&, float*) const override {}
};
inline const NoRules no_rules;

// Text 0..2, without timestamps.
const SpecialTokens kPlain = {4, 3, 4, 4, 4, 4};
constexpr Token kA = 0, kB = 1, kEnd = 3;

// As a vocabulary of Whisper, with timestamps up to two seconds.
constexpr Token kFirst = 10;
const SpecialTokens kTokens = {kFirst + 101, 5, 6, 8, 9, kFirst};

// A row that depends on the text only.
inline Row babble(const Text& text, unsigned seed, int count, float spread = 2.0f) {
  for (Token token : text)
    seed = (seed ^ static_cast<unsigned>(token + 1)) * 2654435761u;
  std::minstd_rand generator(seed % 1000003 + 1);
  generator.discard(3);
  Row row(static_cast<size_t>(count));
  for (float& logit : row)
    logit = spread * (static_cast<float>(generator()) / 1073741824.0f - 1.0f);
  return row;
}

struct Run {
  Sequence best;
  bool repeats = false;
  int steps = 0;
  size_t widest = 0;
};

inline Run run(const Model& model, const SearchOptions& options, const Rules& rules = no_rules,
               const SpecialTokens& tokens = kPlain) {
  const auto search = make_search(tokens, options, rules);
  std::vector<Text> live = {options.prefix};
  Run result;
  while (!live.empty()) {
    std::vector<Row> rows;
    for (const Text& text : live)
      rows.push_back(model(text));
    std::vector<float*> logits;
    for (Row& row : rows)
      logits.push_back(row.data());
    std::vector<Text> next;
    for (const Branch& branch : search->advance(logits)) {
      next.push_back(live.at(static_cast<size_t>(branch.parent)));
      next.back().push_back(branch.token);
    }
    result.steps++;
    result.widest = std::max(result.widest, next.size());
    // Whatever the options say.
    const std::set<Text> distinct(next.begin(), next.end());
    CHECK(distinct.size() == next.size());
    CHECK(static_cast<int>(next.size()) <= search->width());
    live = std::move(next);
  }
  result.best = search->best();
  result.repeats = search->repeats();
  CHECK(result.best.text.size() == options.prefix.size() + result.best.probabilities.size());
  return result;
}

inline SearchOptions beams(int count, float patience = 1.0f) {
  SearchOptions options;
  options.beam_size = count;
  options.patience = patience;
  return options;
}

inline SearchOptions samples(float temperature, int count, uint64_t seed) {
  SearchOptions options;
  options.temperature = temperature;
  options.best_of = count;
  options.seed = seed;
  return options;
}

using Tests = std::map<std::string, void (*)()>;

// Prints a line for each check that failed, then "N checks".
inline void run_test(const Tests& tests, const std::string& name) {
  tests.at(name)();
  std::printf("%d checks\n", checks);
}
