// Sampling as OpenAI's GreedyDecoder with a temperature: several texts, of which the likeliest is taken.
#include <algorithm>
#include <cmath>
#include <optional>

#include "engine/search/kinds.h"
#include "engine/search/loop.h"

namespace whisper_hip {

namespace {

// SplitMix64 (Steele, Lea and Flood 2014).
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// In [0, 1). A number for each place, so that it depends neither on the other samples nor on their order.
double random_number(uint64_t seed, uint64_t sample, uint64_t step) {
  return static_cast<double>(mix(mix(mix(seed) + sample) + step) >> 11) * 0x1p-53;
}

// softmax(logits / temperature) of a row, which it changes.
class Distribution {
 public:
  Distribution(const SpecialTokens& tokens, const Ranking& ranking, float* row, float temperature)
      : best_(ranking.best), log_sum_(ranking.log_sum), temperature_(temperature), row_(row),
        count_(tokens.vocabulary) {
    if (best_.size() == 1)
      return;
    // Relative to the largest, so that the lowest temperature does not make them infinite.
    top_ = row[best_.front().token];
    for (Token token = 0; token < count_; ++token)
      row[token] = (row[token] - top_) / temperature;
    scaled_log_sum_ = choose(row, count_, 0).log_sum;
  }

  // By a random number; with the log probability that the token has at temperature 1, as all that is said of
  // a text is comparable then.
  RankedToken draw(double number) const {
    if (best_.size() == 1)
      return best_.front();
    // Nearly always it is one of the best, so that few exponentials are needed.
    for (const RankedToken& choice : best_) {
      number -= probability(choice.token);
      if (number < 0)
        return choice;
    }
    for (Token token = 0; token < count_; ++token) {
      if (row_[token] == -INFINITY || is_best(token))
        continue;
      number -= probability(token);
      if (number < 0)
        return {token, row_[token] * temperature_ + top_ - log_sum_};
    }
    return best_.front(); // what rounding has left
  }

 private:
  double probability(Token token) const { return std::exp(row_[token] - scaled_log_sum_); }
  bool is_best(Token token) const {
    return std::any_of(best_.begin(), best_.end(),
                       [token](const RankedToken& choice) { return choice.token == token; });
  }

  const std::vector<RankedToken> best_;
  const float log_sum_;
  const float temperature_;
  const float* const row_;
  const int count_;
  float top_ = 0;
  float scaled_log_sum_ = 0;
};

class Samples : public Search {
 public:
  Samples(const SpecialTokens& tokens, const SearchOptions& options, const Rules& rules)
      : tokens_(tokens), options_(options), rules_(rules) {
    best_.text = options.prefix;
    const auto count = static_cast<size_t>(std::max(options.best_of, 1));
    sequences_.assign(count, best_);
    rows_.assign(count, 0);
  }

  int width() const override { return static_cast<int>(sequences_.size()); }

  std::vector<Branch> advance(const std::vector<float*>& logits) override {
    if (step_ >= options_.max_tokens)
      return {};
    std::vector<std::optional<Distribution>> distributions(logits.size());
    std::vector<Branch> branches;
    for (size_t i = 0; i < sequences_.size(); ++i) {
      if (rows_[i] < 0)
        continue;
      Sequence& sequence = sequences_[i];
      const int row = rows_[i];
      std::optional<Distribution>& distribution = distributions[static_cast<size_t>(row)];
      if (!distribution) {
        float* const values = logits[static_cast<size_t>(row)];
        const Ranking ranking = choose_next(tokens_, rules_, sequence.text, values, kMostChoices);
        distribution.emplace(tokens_, ranking, values, options_.temperature);
      }
      const RankedToken choice =
          distribution->draw(random_number(options_.seed, i, static_cast<uint64_t>(step_)));
      sequence.log_probability += choice.log_probability;
      sequence.ended = choice.token == tokens_.end;
      if (!sequence.ended) {
        sequence.text.push_back(choice.token);
        sequence.probabilities.push_back(std::exp(choice.log_probability));
      }
      const bool stops = sequence.ended || ends_in_loop(sequence.text, tokens_);
      rows_[i] = stops ? -1 : branch({row, choice.token}, branches);
    }
    if (++step_ < options_.max_tokens && !branches.empty())
      return branches;
    finish();
    return {};
  }

  Sequence best() const override { return best_; }
  bool repeats() const override { return loops(best_); }

 private:
  // The place of a branch: samples that agree so far are decoded once.
  static int branch(const Branch& wanted, std::vector<Branch>& branches) {
    const auto place = std::find_if(branches.begin(), branches.end(), [&](const Branch& other) {
      return other.parent == wanted.parent && other.token == wanted.token;
    });
    const auto index = static_cast<int>(place - branches.begin());
    if (place == branches.end())
      branches.push_back(wanted);
    return index;
  }

  bool loops(const Sequence& sequence) const {
    return !sequence.ended && ends_in_loop(sequence.text, tokens_);
  }

  // The tokens of a loop are all but certain: it counts only where all samples are loops.
  void finish() {
    std::vector<Sequence> all;
    std::copy_if(sequences_.begin(), sequences_.end(), std::back_inserter(all),
                 [this](const Sequence& sequence) { return !loops(sequence); });
    best_ = likeliest(all.empty() ? sequences_ : all, options_);
  }

  const SpecialTokens tokens_;
  const SearchOptions options_;
  const Rules& rules_;
  int step_ = 0;
  std::vector<Sequence> sequences_;
  std::vector<int> rows_; // of logits, of each sequence; -1 = it goes on no more
  Sequence best_;
};

} // namespace

std::unique_ptr<Search> search_samples(const SpecialTokens& tokens, const SearchOptions& options,
                                       const Rules& rules) {
  return std::make_unique<Samples>(tokens, options, rules);
}

} // namespace whisper_hip
