// Searches of made-up logits.
//
//   search-kinds NAME     one of the tests at the end
#include "search-checks.h"

#include "cpu/kernels.h"
#include "engine/search/loop.h"

namespace whisper_hip {
const Kernels* kernels = nullptr;
const Kernels* cpu_kernels() {
  return kernels;
}
} // namespace whisper_hip

namespace {

Row log_row(std::vector<double> probabilities) {
  Row row;
  for (double probability : probabilities)
    row.push_back(static_cast<float>(std::log(probability)));
  return row;
}

double log_probability(const Row& row, Token token) {
  double sum = 0;
  for (float logit : row)
    sum += std::exp(static_cast<double>(logit));
  return row[static_cast<size_t>(token)] - std::log(sum);
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

  // The end takes no place from a text that goes on.
  CHECK(run([](const Text&) { return log_row({0.3, 0.2, 1e-9, 0.5}); }, beams(2, 2.0f)).widest == 2);

  // Equal ones: the lower token, of the earlier text.
  options = beams(2);
  options.max_tokens = 3;
  CHECK_TEXT(run([](const Text&) { return Row{0, 0, 0, -50}; }, options).best.text, {0, 0, 0});
  CHECK_TEXT(run([](const Text&) { return Row{-2, 0, 0, -50}; }, options).best.text, {1, 1, 1});
  options = beams(8);
  options.max_tokens = 3;
  const SpecialTokens many = {16, 15, 16, 16, 16, 16};
  CHECK_TEXT(run([](const Text&) { return Row(16, 0.0f); }, options, no_rules, many).best.text, {0, 0, 0});
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
  for (uint64_t seed = 0; seed < 8000; ++seed) {
    SearchOptions options = samples(2.0f, 1, seed);
    options.max_tokens = 1;
    const Sequence text = run([&](const Text&) { return log_row(probabilities); }, options).best;
    const Token token = text.ended ? kEnd : text.text.at(0);
    counts[token]++;
    CHECK_NEAR(text.log_probability, std::log(probabilities[static_cast<size_t>(token)]));
  }
  for (Token token = 0; token < 4; ++token)
    CHECK(std::abs(counts[token] / 8000.0 - wanted[static_cast<size_t>(token)] / 1.8) < 0.015);

  // More tokens than are ranked, every other one of them likelier.
  const SpecialTokens many = {256, 255, 256, 256, 256, 256};
  std::map<Token, int> drawn;
  Row uneven(256);
  for (size_t i = 0; i < uneven.size(); ++i)
    uneven[i] = i % 2 == 0 ? 3.0f : 4.0f;
  for (uint64_t seed = 0; seed < 10000; ++seed) {
    SearchOptions options = samples(2.0f, 1, seed);
    options.max_tokens = 1;
    const Sequence text = run([&](const Text&) { return uneven; }, options, no_rules, many).best;
    const Token token = text.ended ? 255 : text.text.at(0);
    drawn[token]++;
    CHECK_NEAR(text.log_probability, log_probability(uneven, token));
  }
  CHECK(drawn.size() == 256);
  for (const auto& [token, count] : drawn) // 29 and 49
    CHECK(token % 2 == 0 ? count > 10 && count < 55 : count > 22 && count < 85);

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
  int apart = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Model model = [](const Text& text) { return babble(text, 5, 4, 1.0f); };
    SearchOptions options = samples(1.0f, 5, seed);
    options.max_tokens = 6;
    const Run all = run(model, options);
    CHECK(run(model, options).best.text == all.best.text);
    CHECK_NEAR(all.best.log_probability, log_probability(model, all.best, 0));
    texts.insert(all.best.text);
    apart += all.widest > 1;
    // A sample does not depend on the others, so that more of them are not worse.
    const auto mean = [](const Sequence& text) {
      return text.log_probability / std::max<double>(1, static_cast<double>(text.probabilities.size()));
    };
    options.best_of = 1;
    CHECK(mean(run(model, options).best) <= mean(all.best) + 1e-6);
  }
  CHECK(texts.size() > 10 && apart > 90);

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
  // A text that ended may go round in circles: no search was ended there.
  const Model second = [](const Text& text) {
    if (text.empty())
      return log_row({0.4, 0.6, 0, 0});
    if (text[0] == kA)
      return text.size() < 12 ? log_row({1, 0, 0, 0}) : log_row({0, 0, 0, 1});
    if (text.size() == 13)
      return log_row({0.5, 0, 0, 0.5});
    return text.size() % 5 < 2 || text.size() == 7 ? log_row({0, 1, 0, 0}) : log_row({0, 0, 1, 0});
  };
  const Run round = run(second, beams(2));
  CHECK(round.best.text == Text(12, kA) && round.best.ended && !round.repeats);
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

} // namespace

int main(int, char** arguments) {
  run_test({{"choices", choices},
            {"damage", damage},
            {"greedy", greedy},
            {"exhaustive", exhaustive},
            {"beam", beam},
            {"patience", patience},
            {"limit", limit},
            {"sampling", sampling},
            {"loops", loops}},
           arguments[1]);
}
