// Searches of made-up logits: prints a line for each check that failed, then "N checks".
//
//   search NAME     one of the tests at the end
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>

#include "cpu/kernels.h"
#include "engine/search/choose.h"
#include "engine/search/loop.h"
#include "engine/search/rule_chain.h"
#include "engine/search/rules.h"
#include "engine/search/segments.h"
#include "support/error.h"

namespace whisper_hip {
const Kernels* kernels = nullptr;
const Kernels* cpu_kernels() {
  return kernels;
}
} // namespace whisper_hip

using namespace whisper_hip;

namespace {

using Text = std::vector<Token>;
using Row = std::vector<float>;
// The logits of what follows a text.
using Model = std::function<Row(const Text&)>;

int checks = 0;

void check_at(int line, bool passed, const char* what) {
  checks++;
  if (!passed)
    std::printf("failed: line %d: %s\n", line, what);
}

void check_near(int line, double value, double wanted, const char* what) {
  check_at(line, std::abs(value - wanted) < 1e-4, what);
  if (!(std::abs(value - wanted) < 1e-4))
    std::printf("  %f, not %f\n", value, wanted);
}

void check_text(int line, const Text& text, const Text& wanted, const char* what) {
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
const NoRules no_rules;

// Text 0..2, without timestamps.
const SpecialTokens kPlain = {4, 3, 4, 4, 4, 4};
constexpr Token kA = 0, kB = 1, kEnd = 3;

// As a vocabulary of Whisper, with timestamps up to two seconds.
constexpr Token kFirst = 10;
const SpecialTokens kTokens = {kFirst + 101, 5, 6, 8, 9, kFirst};

Row log_row(std::vector<double> probabilities) {
  Row row;
  for (double probability : probabilities)
    row.push_back(static_cast<float>(std::log(probability)));
  return row;
}

// A row that depends on the text only.
Row babble(const Text& text, unsigned seed, int count, float spread = 2.0f) {
  std::vector<unsigned> words(text.begin(), text.end());
  words.push_back(seed);
  std::seed_seq sequence(words.begin(), words.end());
  std::mt19937 generator(sequence);
  Row row(static_cast<size_t>(count));
  for (float& logit : row)
    logit = spread * (static_cast<float>(generator()) / 2147483648.0f - 1.0f);
  return row;
}

double log_probability(const Row& row, Token token) {
  double sum = 0;
  for (float logit : row)
    sum += std::exp(static_cast<double>(logit));
  return row[static_cast<size_t>(token)] - std::log(sum);
}

struct Run {
  Sequence best;
  bool repeats = false;
  int steps = 0;
  size_t widest = 0;
};

Run run(const Model& model, const SearchOptions& options, const Rules& rules = no_rules,
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

// What a model says of a text.
double log_probability(const Model& model, const Sequence& sequence, size_t prefix) {
  double sum = 0;
  for (size_t i = prefix; i <= sequence.text.size(); ++i) {
    const Text before(sequence.text.begin(), sequence.text.begin() + static_cast<ptrdiff_t>(i));
    if (i < sequence.text.size())
      sum += log_probability(model(before), sequence.text[i]);
    else if (sequence.ended)
      sum += log_probability(model(before), kEnd);
  }
  return sum;
}

SearchOptions beams(int count, float patience = 1.0f) {
  SearchOptions options;
  options.beam_size = count;
  options.patience = patience;
  return options;
}

SearchOptions samples(float temperature, int count, uint64_t seed) {
  SearchOptions options;
  options.temperature = temperature;
  options.best_of = count;
  options.seed = seed;
  return options;
}

void choices() {
  std::mt19937 generator(1);
  for (int count : {1, 3, 64, 300, 1000}) {
    Row row(static_cast<size_t>(count));
    for (float& logit : row) // with equal ones, and some that are not allowed
      logit = generator() % 5 == 0 ? -INFINITY : static_cast<float>(generator() % 40);
    Text order;
    double sum = 0;
    for (Token i = 0; i < count; ++i) {
      sum += std::exp(static_cast<double>(row[static_cast<size_t>(i)]));
      if (row[static_cast<size_t>(i)] > -INFINITY)
        order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](Token a, Token b) {
      return row[static_cast<size_t>(a)] > row[static_cast<size_t>(b)];
    });
    for (int wanted : {0, 1, 6, 64, 1000}) {
      const Ranking ranking = choose(row.data(), count, wanted);
      CHECK(order.empty() || std::abs(ranking.log_sum - std::log(sum)) < 1e-4);
      CHECK(ranking.best.size() == std::min<size_t>(order.size(), static_cast<size_t>(std::min(wanted, 64))));
      for (size_t i = 0; i < ranking.best.size(); ++i) {
        CHECK(ranking.best[i].token == order[i]);
        CHECK_NEAR(ranking.best[i].log_probability,
                   row[static_cast<size_t>(order[i])] - static_cast<float>(std::log(sum)));
      }
    }
  }
  const Row none(70, -INFINITY);
  CHECK(choose(none.data(), 70, 5).best.empty());
  CHECK(choose(none.data(), 70, 5).log_sum == -INFINITY);

  // Those of this processor, where there are any.
  Kernels made = {};
  made.select = [](const float*, int, int, int32_t* tokens, float* log_sum) {
    tokens[0] = 2;
    *log_sum = 7;
    return 1;
  };
  kernels = &made;
  const Row row = {5, 6, 4};
  CHECK(choose(row.data(), 3, 1).best.at(0).token == 2);
  CHECK_NEAR(choose(row.data(), 3, 1).best.at(0).log_probability, -3.0f);
  made.select = [](const float*, int, int, int32_t*, float*) { return -1; };
  CHECK(is_corrupt([&] { choose(row.data(), 3, 1); }));
  kernels = nullptr;
}

void damage() {
  for (float bad : {NAN, INFINITY}) {
    for (size_t place : {size_t{0}, size_t{2}, size_t{3}}) {
      Row row(4, 0.0f);
      row[place] = bad;
      CHECK(is_corrupt([&] { choose(row.data(), 4, 1); }));
      for (const SearchOptions& options : {beams(1), beams(3), samples(0.5f, 3, 1)})
        CHECK(is_corrupt([&] { run([&](const Text&) { return row; }, options); }));
      // After the first token, too.
      const Model late = [&](const Text& text) { return text.empty() ? Row{1, 0, 0, -9} : row; };
      CHECK(is_corrupt([&] { run(late, beams(2)); }));
    }
  }
  const Model nothing = [](const Text&) { return Row(4, -INFINITY); };
  for (const SearchOptions& options : {beams(1), samples(1.0f, 1, 1)})
    CHECK(is_corrupt([&] { run(nothing, options); }));
  CHECK(!is_corrupt([&] { run([](const Text&) { return Row(4, 0.0f); }, beams(2)); }));
}

void greedy() {
  for (unsigned seed = 0; seed < 50; ++seed) {
    const Model model = [seed](const Text& text) { return babble(text, seed, 4); };
    SearchOptions options = beams(1, 3.0f); // greed has no patience
    options.max_tokens = 9;
    Text text;
    bool ended = false;
    while (!ended && text.size() < 9) {
      const Row row = model(text);
      const auto token = static_cast<Token>(std::max_element(row.begin(), row.end()) - row.begin());
      ended = token == kEnd;
      if (!ended)
        text.push_back(token);
    }
    const Run found = run(model, options);
    CHECK(found.best.text == text);
    CHECK(found.best.ended == ended);
    CHECK(found.widest <= 1);
  }
}

// All texts of at most three tokens, with their ends.
void enumerate(const Model& model, const Text& text, double sum,
               const std::function<void(const Text&, double)>& visit) {
  const Row row = model(text);
  visit(text, sum + log_probability(row, kEnd));
  for (Token token = 0; token < kEnd; ++token) {
    Text longer = text;
    longer.push_back(token);
    const double with = sum + log_probability(row, token);
    if (longer.size() == 3)
      visit(longer, with); // cut off
    else
      enumerate(model, longer, with, visit);
  }
}

void exhaustive() {
  std::set<size_t> lengths;
  for (unsigned seed = 0; seed < 200; ++seed) {
    const Model model = [seed](const Text& text) { return babble(text, seed, 4, 3.0f); };
    for (std::optional<float> alpha : {std::optional<float>(), std::optional<float>(0.0f), {0.6f}, {1.0f}}) {
      SearchOptions options = beams(32);
      options.max_tokens = 3;
      options.length_penalty = alpha;
      double best = -INFINITY;
      Text text;
      enumerate(model, {}, 0, [&](const Text& other, double sum) {
        const double length = alpha ? std::pow((5.0 + static_cast<double>(other.size())) / 6, *alpha)
                                    : std::max<double>(1, static_cast<double>(other.size()));
        if (sum / length > best) {
          best = sum / length;
          text = other;
        }
      });
      const Run found = run(model, options);
      CHECK(found.best.text == text);
      CHECK(found.widest == 9);
      lengths.insert(text.size());
    }
  }
  CHECK(lengths.size() == 4);
}

void beam() {
  // Whatever the width, a text has the probability that the model gives it, and the same search finds it
  // again.
  double sums[6] = {};
  for (unsigned seed = 0; seed < 60; ++seed) {
    const Model model = [seed](const Text& text) { return babble(text, seed, 4); };
    for (int width = 1; width <= 5; ++width) {
      SearchOptions options = beams(width);
      options.prefix = {2, 0};
      options.max_tokens = 8;
      options.length_penalty = 0.0f;
      const Run found = run(model, options);
      CHECK_NEAR(found.best.log_probability, log_probability(model, found.best, 2));
      double product = 0;
      for (float probability : found.best.probabilities)
        product += std::log(static_cast<double>(probability));
      Sequence open = found.best;
      open.ended = false;
      CHECK_NEAR(product, log_probability(model, open, 2));
      CHECK_TEXT(Text(found.best.text.begin(), found.best.text.begin() + 2), {2, 0});
      CHECK(run(model, options).best.text == found.best.text);
      sums[width] += found.best.log_probability;
    }
  }
  CHECK(sums[2] > sums[1] && sums[5] > sums[2]);

  // What begins well ends badly.
  const Model path = [](const Text& text) {
    if (text.empty())
      return log_row({0.55, 0.43, 0.01, 0.01});
    return text[0] == kA ? log_row({0.3, 0.3, 0.1, 0.3}) : log_row({0.01, 0.01, 0.01, 0.97});
  };
  SearchOptions options = beams(2);
  options.length_penalty = 0.0f;
  CHECK_TEXT(run(path, options).best.text, {kB});
  CHECK(run(path, options).best.ended);
  options.beam_size = 1;
  CHECK(run(path, options).best.text.at(0) == kA);

  // Equal ones: the lower token, of the earlier text.
  options = beams(2);
  options.max_tokens = 3;
  CHECK_TEXT(run([](const Text&) { return Row{0, 0, 0, -50}; }, options).best.text, {0, 0, 0});
  CHECK_TEXT(run([](const Text&) { return Row{-2, 0, 0, -50}; }, options).best.text, {1, 1, 1});
}

void patience() {
  // One text ends in each step: "", "a", "aa", "aaa", with means of -1.20, -1.90, -1.30 and -1.09.
  const Model model = [](const Text&) { return log_row({0.5, 0.2, 1e-9, 0.3}); };
  Run found = run(model, beams(2));
  CHECK(found.steps == 2);
  CHECK_TEXT(found.best.text, {});
  CHECK(found.best.ended);
  CHECK_NEAR(found.best.log_probability, std::log(0.3));
  found = run(model, beams(2, 2.0f));
  CHECK(found.steps == 4);
  CHECK_TEXT(found.best.text, {kA, kA, kA});
  CHECK_NEAR(found.best.log_probability, std::log(0.5 * 0.5 * 0.5 * 0.3));
  CHECK_NEAR(found.best.mean(), std::log(0.5 * 0.5 * 0.5 * 0.3) / 4);
  CHECK(run(model, beams(2, 1.25f)).steps == 2); // round(2.5) is 2
  CHECK(run(model, beams(2, 1.75f)).steps == 4);
  SearchOptions options = beams(2, 2.0f);
  options.length_penalty = 1.0f; // -1.44, -1.90, -2.22, -2.46
  CHECK_TEXT(run(model, options).best.text, {});
  // No text is cut off because one is enough, though "a" is the likelier.
  found = run(model, beams(4, 0.25f));
  CHECK(found.steps == 1);
  CHECK(found.best.ended && found.best.text.empty());
}

void limit() {
  const Model model = [](const Text&) { return log_row({0.5, 0.2, 1e-9, 0.3}); };
  SearchOptions options = beams(2);
  options.max_tokens = 1;
  Run found = run(model, options); // too few have ended: "a" competes
  CHECK_TEXT(found.best.text, {kA});
  CHECK(!found.best.ended && !found.repeats);
  CHECK_NEAR(found.best.log_probability, std::log(0.5));
  const Model endless = [](const Text&) { return log_row({0.5, 0.3, 0.2, 0}); };
  for (SearchOptions of : {beams(1), beams(3), samples(0.7f, 4, 3)}) {
    of.prefix = {2, 2};
    for (int most : {0, 1, 5}) {
      of.max_tokens = most;
      found = run(endless, of);
      CHECK(static_cast<int>(found.best.probabilities.size()) == most);
      CHECK(found.steps == std::max(most, 1));
      CHECK(!found.best.ended);
      CHECK_TEXT(Text(found.best.text.begin(), found.best.text.begin() + 2), {2, 2});
    }
  }
}

void sampling() {
  // As often as softmax(logits / 2) says, with the probability at temperature 1.
  const std::vector<double> probabilities = {0.64, 0.16, 0.16, 0.04};
  const std::vector<double> wanted = {0.8, 0.4, 0.4, 0.2}; // square roots
  std::map<Token, int> counts;
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    SearchOptions options = samples(2.0f, 1, seed);
    options.max_tokens = 1;
    const Sequence text = run([&](const Text&) { return log_row(probabilities); }, options).best;
    const Token token = text.ended ? kEnd : text.text.at(0);
    counts[token]++;
    CHECK_NEAR(text.log_probability, std::log(probabilities[static_cast<size_t>(token)]));
  }
  for (Token token = 0; token < 4; ++token)
    CHECK(std::abs(counts[token] / 20000.0 - wanted[static_cast<size_t>(token)] / 1.8) < 0.015);

  // More tokens than are ranked: each as often as the others.
  const SpecialTokens many = {256, 255, 256, 256, 256, 256};
  std::map<Token, int> uniform;
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    SearchOptions options = samples(0.5f, 1, seed);
    options.max_tokens = 1;
    const Sequence text = run([](const Text&) { return Row(256, 3.0f); }, options, no_rules, many).best;
    uniform[text.ended ? 255 : text.text.at(0)]++;
    CHECK_NEAR(text.log_probability, -std::log(256.0));
  }
  CHECK(uniform.size() == 256);
  for (const auto& [token, count] : uniform)
    CHECK(count > 35 && count < 130);

  // SplitMix64, whatever the platform: the numbers are those of another implementation.
  const SpecialTokens sixteen = {17, 16, 17, 17, 17, 17};
  SearchOptions fixed = samples(1.0f, 1, 42);
  fixed.max_tokens = 10;
  const Model even = [](const Text&) {
    Row row(17, 0.0f);
    row[16] = -INFINITY;
    return row;
  };
  CHECK_TEXT(run(even, fixed, no_rules, sixteen).best.text, {6, 11, 13, 2, 6, 14, 3, 11, 5, 8});

  std::set<Text> texts;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Model model = [](const Text& text) { return babble(text, 5, 4); };
    SearchOptions options = samples(1.0f, 5, seed);
    options.max_tokens = 6;
    const Run all = run(model, options);
    CHECK(run(model, options).best.text == all.best.text);
    CHECK_NEAR(all.best.log_probability, log_probability(model, all.best, 0));
    texts.insert(all.best.text);
    // A sample does not depend on the others, so that more of them are not worse.
    const auto mean = [](const Sequence& text) {
      return text.log_probability / std::max<double>(1, static_cast<double>(text.probabilities.size()));
    };
    options.best_of = 1;
    CHECK(mean(run(model, options).best) <= mean(all.best) + 1e-6);
  }
  CHECK(texts.size() > 10);

  // Nearly no temperature is greedy, and samples that agree are one.
  for (float temperature : {0.01f, 1e-30f, 1e-38f}) {
    const Model model = [](const Text& text) { return babble(text, 9, 4, 40.0f); };
    SearchOptions options = samples(temperature, 5, 1);
    options.max_tokens = 8;
    const Run cold = run(model, options);
    CHECK(cold.widest == 1);
    SearchOptions greedy = beams(1);
    greedy.max_tokens = 8;
    CHECK(cold.best.text == run(model, greedy).best.text);
  }
}

void loops() {
  const auto loop = [](const Text& part, int times, Text text = {}) {
    for (int i = 0; i < times; ++i)
      text.insert(text.end(), part.begin(), part.end());
    return ends_in_loop(text, kTokens);
  };
  CHECK(!ends_in_loop({}, kTokens));
  CHECK(loop({1}, 12) && !loop({1}, 11));
  CHECK(loop({1, 2}, 12) && !loop({1, 2}, 11));
  CHECK(loop({1, 2, 3}, 8) && !loop({1, 2, 3}, 7));
  CHECK(loop({1, 2, 3, 4}, 6) && !loop({1, 2, 3, 4}, 5));
  CHECK(loop({0, 1, 2, 3, 4, 4, 3, 2, 1}, 6) && !loop({0, 1, 2, 3, 4, 4, 3, 2, 1}, 5));
  CHECK(loop({1, 2}, 12, {4, 3, 4, 0}));
  Text broken(12, 1);
  broken.push_back(2);
  CHECK(!ends_in_loop(broken, kTokens));
  CHECK(!loop({1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2}, 5));
  // Each time with other timestamps.
  Text timed;
  for (Token i = 0; i < 6; ++i) {
    CHECK(!ends_in_loop(timed, kTokens));
    for (Token token : {kFirst + 3 * i, 1, 2, 3, 4, kFirst + 3 * i + 3})
      timed.push_back(token);
  }
  CHECK(ends_in_loop(timed, kTokens));

  const Model model = [](const Text&) { return log_row({0.97, 0.02, 0.01, 0}); };
  for (const SearchOptions& options : {beams(1), beams(3), samples(0.1f, 3, 1)}) {
    const Run found = run(model, options);
    CHECK(found.best.text == Text(12, kA));
    CHECK(found.repeats && !found.best.ended);
    CHECK(found.steps == 12);
  }
  // What has ended is better than a loop, though that is likelier.
  const Model early = [](const Text& text) {
    return text.empty() ? log_row({0.69, 0.005, 0.005, 0.3}) : log_row({0.97, 0.02, 0.01, 1e-9});
  };
  const Run ended = run(early, beams(2));
  CHECK(ended.steps == 12);
  CHECK_TEXT(ended.best.text, {});
  CHECK(ended.best.ended && !ended.repeats);
  // Of samples some loop; those that do not, end badly.
  const Model either = [](const Text& text) {
    if (text.empty())
      return log_row({0.5, 0.5, 0, 0});
    return text[0] == kA ? log_row({1, 0, 0, 0}) : log_row({0.4, 0.3, 0.1, 0.2});
  };
  int looping = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Run found = run(either, samples(1.0f, 2, seed));
    CHECK(found.repeats == (found.best.text[0] == kA));
    looping += found.repeats;
  }
  CHECK(looping > 2 && looping < 20); // a quarter
}

// The tokens that may follow, of text that is likely.
std::set<Token> allowed(const RuleOptions& options, const Text& text, float words = 20.0f) {
  Row row(static_cast<size_t>(kTokens.vocabulary), 0.0f);
  std::fill(row.begin(), row.begin() + kFirst, words);
  WhisperRules(kTokens, options).apply(text, row.data());
  std::set<Token> tokens;
  for (Token token = 0; token < kTokens.vocabulary; ++token) {
    if (row[static_cast<size_t>(token)] > -INFINITY)
      tokens.insert(token);
  }
  return tokens;
}

// Tokens below `words`, the end and timestamps of [from, to).
std::set<Token> tokens_of(Token words, bool end, Token from, Token to) {
  std::set<Token> tokens;
  for (Token token = 0; token < words; ++token)
    tokens.insert(token);
  if (end)
    tokens.insert(kTokens.end);
  for (Token token = from; token < to; ++token)
    tokens.insert(kFirst + token);
  return tokens;
}

void timestamp_rules() {
  const RuleOptions options;
  constexpr Token at = kFirst;
  CHECK(allowed(options, {}) == tokens_of(0, false, 0, 51));
  CHECK(allowed(options, {at}) == tokens_of(5, true, 0, 0));
  CHECK(allowed(options, {at + 7, 1}) == tokens_of(5, true, 8, 101));
  CHECK(allowed(options, {at + 7, 1, at + 20}) == tokens_of(0, true, 20, 101));
  CHECK(allowed(options, {at + 7, 1, at + 20, at + 22}) == tokens_of(5, true, 0, 0));
  CHECK(allowed(options, {at + 7, 1, at + 20, at + 22, 1}) == tokens_of(5, true, 23, 101));
  CHECK(allowed(options, {at, 1, at + 100}) == tokens_of(0, true, 100, 101));
  CHECK(allowed(options, {at, 1, at + 100, at + 100, 1}) == tokens_of(5, true, 0, 0));

  RuleOptions initial;
  initial.max_initial_timestamp = 0.0f;
  CHECK(allowed(initial, {}) == tokens_of(0, false, 0, 1));
  initial.max_initial_timestamp = 0.3f;
  CHECK(allowed(initial, {}) == tokens_of(0, false, 0, 16));
  initial.max_initial_timestamp = 60.0f;
  CHECK(allowed(initial, {}) == tokens_of(0, false, 0, 101));
  initial.max_initial_timestamp = std::nullopt;
  CHECK(allowed(initial, {}) == tokens_of(0, false, 0, 101));

  // Of what is given nothing counts.
  RuleOptions given;
  given.prefix = 2;
  CHECK(allowed(given, {at + 90, 1}) == tokens_of(0, false, 0, 51));
  CHECK(allowed(given, {1, at + 90, at + 3}) == tokens_of(5, true, 0, 0));
  CHECK(allowed(given, {1, at + 90, at + 3, 1}) == tokens_of(5, true, 4, 101));

  // Together 93 timestamps are as likely as one word at log(93).
  const float mass = std::log(93.0f);
  CHECK(allowed(options, {at + 7, 1}, mass + 0.01f) == tokens_of(5, true, 8, 101));
  CHECK(allowed(options, {at + 7, 1}, mass - 0.01f) == tokens_of(0, false, 8, 101));
  // Each word is asked, and the end.
  for (Token likely = 0; likely <= kTokens.end; ++likely) {
    Row row(static_cast<size_t>(kTokens.vocabulary), 0.0f);
    row[static_cast<size_t>(likely)] = mass + 0.01f;
    WhisperRules(kTokens, options).apply({at + 7, 1}, row.data());
    CHECK(row[0] > -INFINITY);
    row.assign(row.size(), 0.0f);
    row[static_cast<size_t>(likely)] = NAN; // is not hidden
    WhisperRules(kTokens, options).apply({at + 7, 1}, row.data());
    CHECK(is_corrupt([&] { choose(row.data(), kTokens.vocabulary, 1); }));
  }
  // Words that are suppressed are not asked.
  RuleOptions suppress;
  suppress.suppress = {3};
  Row row(static_cast<size_t>(kTokens.vocabulary), 0.0f);
  row[3] = 9;
  WhisperRules(kTokens, suppress).apply({at + 7, 1}, row.data());
  CHECK(row[0] == -INFINITY);
}

void other_rules() {
  RuleOptions options;
  options.timestamps = false;
  options.blank = {2};
  const std::set<Token> all = {0, 1, 2, 3, 4, 5};
  CHECK((allowed(options, {}) == std::set<Token>{0, 1, 3, 4}));
  CHECK(allowed(options, {1}) == all);
  options.prefix = 1;
  CHECK((allowed(options, {1}) == std::set<Token>{0, 1, 3, 4}));
  CHECK(allowed(options, {1, 1}) == all);
  options.suppress_blank = false;
  CHECK(allowed(options, {1}) == all);
  options.suppress = {-1, 0, 4, 5, kTokens.vocabulary, 1 << 30};
  CHECK((allowed(options, {1}) == std::set<Token>{1, 2, 3, 5}));

  // Above 0 divided, else multiplied; once, however often the token was said; the end and timestamps never.
  RuleOptions penalty;
  penalty.repetition_penalty = 2.0f;
  Row row(static_cast<size_t>(kTokens.vocabulary), -1.0f);
  for (size_t i = 0; i < 6; ++i)
    row[i] = i % 2 == 0 ? 12.0f : -12.0f;
  WhisperRules(kTokens, penalty).apply({kFirst + 3, 3, 2, 2, 2}, row.data());
  CHECK((Row(row.begin(), row.begin() + 6) == Row{12, -12, 6, -24, 12, -12}));
  CHECK(row[kFirst + 4] == -1.0f);

  RuleOptions ngrams = options;
  ngrams.prefix = 0;
  ngrams.suppress = {};
  const auto forbidden = [&](int size, const Text& text) {
    ngrams.no_repeat_ngram_size = size;
    std::set<Token> left = all;
    for (Token token : allowed(ngrams, text))
      left.erase(token);
    return left;
  };
  const Text text = {0, 1, 2, 0, 1, 3, 0, 1};
  CHECK((forbidden(1, text) == std::set<Token>{0, 1, 2, 3}));
  CHECK((forbidden(2, text) == std::set<Token>{2, 3}));
  CHECK((forbidden(3, text) == std::set<Token>{2, 3}));
  CHECK((forbidden(4, text) == std::set<Token>{}));
  CHECK((forbidden(4, {4, 4, 4, 4}) == std::set<Token>{4}));
  CHECK((forbidden(5, {4, 4, 4, 4}) == std::set<Token>{}));
  CHECK((forbidden(9, {1, 1}) == std::set<Token>{}));
  CHECK((forbidden(3, {}) == std::set<Token>{}));

  struct Forbid : Rules {
    Token first;
    explicit Forbid(Token token) : first(token) {}
    void apply(const Text&, float* logits) const override {
      std::fill(logits + first, logits + 4, -INFINITY);
    }
  };
  // Where nothing is left, the text ends.
  const Forbid one(1), nothing(0);
  const Model model = [](const Text&) { return Row{0, 5, 5, 5}; };
  for (SearchOptions search : {beams(1), beams(3), samples(1.0f, 3, 1)}) {
    search.max_tokens = 3;
    CHECK_TEXT(run(model, search, one).best.text, {0, 0, 0});
    search.prefix = {2};
    const Run found = run(model, search, RuleChain({&one, &nothing}));
    CHECK(found.best.ended && found.steps == 1);
    CHECK_TEXT(found.best.text, {2});
    CHECK_NEAR(found.best.log_probability, 0.0);
  }
  const Forbid two(2);
  row = {1, 1, 1, 1};
  RuleChain({&two, &one}).apply({}, row.data());
  CHECK((row == Row{1, -INFINITY, -INFINITY, -INFINITY}));
}

// Whatever a model babbles, its texts are in order.
void texts() {
  size_t longest = 0, segments = 0;
  for (unsigned seed = 0; seed < 150; ++seed) {
    const Model model = [seed](const Text& text) {
      Row row = babble(text, seed, kTokens.vocabulary, 3.0f);
      for (Token token = 0; token < kFirst; ++token)
        row[static_cast<size_t>(token)] += 3.0f;
      row[static_cast<size_t>(kTokens.end)] -= 4.0f;
      return row;
    };
    RuleOptions options;
    options.no_repeat_ngram_size = seed % 3 == 0 ? 3 : 0;
    const WhisperRules rules(kTokens, options);
    for (SearchOptions search : {beams(1), beams(4), samples(0.8f, 3, seed)}) {
      search.max_tokens = 40;
      const Sequence best = run(model, search, rules, kTokens).best;
      const Text& text = best.text;
      longest = std::max(longest, text.size());
      Token last = kFirst;
      for (size_t i = 0; i < text.size(); ++i) {
        CHECK(text[i] < kTokens.end || text[i] >= kFirst);
        if (text[i] >= kFirst) {
          CHECK(text[i] >= last);
          last = text[i];
        }
        CHECK(i < 2 || !(text[i] >= kFirst && text[i - 1] >= kFirst && text[i - 2] >= kFirst));
      }
      CHECK(!text.empty() && text[0] >= kFirst && text[0] <= kFirst + 50);
      CHECK(text.size() < 2 || text[1] < kTokens.end);
      // And so are their segments, though the audio may be shorter.
      const int frames = seed % 2 == 0 ? 200 : 90;
      const WindowText window = split_text(text, kTokens, frames);
      CHECK(window.seek > 0 && window.seek <= frames);
      int end = 0;
      size_t next = 0;
      for (const TextSegment& segment : window.segments) {
        CHECK(end <= segment.start && segment.start < segment.end && segment.end <= frames);
        CHECK(segment.first == next && segment.first < segment.last && segment.last <= text.size());
        end = segment.end;
        next = segment.last;
      }
      segments = std::max(segments, window.segments.size());
    }
  }
  CHECK(longest == 40 && segments > 3);
}

void split() {
  const auto shown = [](const Text& text, int frames) {
    const WindowText window = split_text(text, kTokens, frames);
    std::string all;
    for (const TextSegment& segment : window.segments) {
      all += std::to_string(segment.start) + "-" + std::to_string(segment.end) + "[" +
             std::to_string(segment.first) + "," + std::to_string(segment.last) + ") ";
    }
    return all + "seek " + std::to_string(window.seek);
  };
  const auto at = [](int frame) { return kFirst + frame / 2; };
  struct Case {
    Text text;
    int frames;
    const char* wanted;
  };
  const Case cases[] = {
      {{}, 150, "seek 150"},
      // Without timestamps, or with one.
      {{1, 2, 3}, 150, "0-150[0,3) seek 150"},
      {{at(0), 1, 2}, 150, "0-150[0,3) seek 150"},
      {{at(0), 1, 2, at(80)}, 150, "0-80[0,4) seek 150"},
      {{at(40), 1, at(80)}, 150, "0-80[0,3) seek 150"},
      {{at(40), 1, 2}, 150, "0-40[0,3) seek 150"},
      // A segment that ended, and the next that did not.
      {{at(0), 1, at(80), at(80)}, 150, "0-80[0,3) seek 80"},
      {{at(0), 1, at(80), at(90), 2, 3}, 150, "0-80[0,3) seek 80"},
      {{at(10), 1, at(30), at(40), 2, at(60), at(60), 3}, 150, "10-30[0,3) 40-60[3,6) seek 60"},
      // One timestamp at the end.
      {{at(10), 1, at(30), at(40), 2, at(60)}, 150, "10-30[0,3) 40-60[3,6) seek 150"},
      {{at(0), 1, at(30), at(30), 2, 3, 4, at(148)}, 150, "0-30[0,3) 30-148[3,8) seek 150"},
      // A prefix comes before the timestamps.
      {{1, 2, at(50), at(60), 3}, 150, "0-50[0,3) seek 50"},
      // Beyond the audio.
      {{at(0), 1, at(160)}, 150, "0-150[0,3) seek 150"},
      {{at(0), 1, at(160), at(160)}, 150, "0-150[0,3) seek 150"},
      {{at(0), 1, at(30), at(40), 2, at(180)}, 150, "0-30[0,3) 40-150[3,6) seek 150"},
      {{at(0), 1, at(30), at(160), 2, at(180)}, 150, "0-30[0,6) seek 150"},
      {{at(160), 1, at(180), at(180)}, 150, "149-150[0,3) seek 150"},
      // Without time, or backwards, as the rules do not let it come.
      {{at(0), 1, at(0), at(0), 2}, 150, "0-2[0,3) seek 150"},
      {{at(20), 1, at(20), at(20), 2, at(90)}, 150, "20-22[0,3) 22-90[3,6) seek 150"},
      {{at(60), 1, at(80), at(20), 2, at(100), at(100)}, 150, "60-80[0,3) 80-100[3,6) seek 100"},
      {{at(60), 1, at(80), at(20), 2, at(50), at(50)}, 150, "60-80[0,6) seek 50"},
      {{at(0), at(0), at(0)}, 150, "0-2[0,2) seek 150"},
      {{at(20)}, 150, "0-20[0,1) seek 150"},
      {{at(0)}, 1, "0-1[0,1) seek 1"},
      {{at(40), 1, at(60), at(60)}, 1, "0-1[0,3) seek 1"},
  };
  for (const Case& each : cases) {
    const std::string said = shown(each.text, each.frames);
    check_at(__LINE__, said == each.wanted, (said + ", not " + each.wanted).c_str());
  }
}

} // namespace

int main(int, char** arguments) {
  const std::map<std::string, void (*)()> tests = {{"choices", choices},
                                                   {"damage", damage},
                                                   {"greedy", greedy},
                                                   {"exhaustive", exhaustive},
                                                   {"beam", beam},
                                                   {"patience", patience},
                                                   {"limit", limit},
                                                   {"sampling", sampling},
                                                   {"loops", loops},
                                                   {"timestamp-rules", timestamp_rules},
                                                   {"other-rules", other_rules},
                                                   {"texts", texts},
                                                   {"split", split}};
  tests.at(arguments[1])();
  std::printf("%d checks\n", checks);
}
