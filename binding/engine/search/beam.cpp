// Beam search as OpenAI's BeamSearchDecoder: the texts side by side whose sums of log probabilities are the
// largest, until enough have ended. Identical texts need no merging, as all come from one beginning.
#include <algorithm>
#include <cmath>

#include "engine/search/kinds.h"
#include "engine/search/loop.h"

namespace whisper_hip {

namespace {

struct Candidate {
  int parent;
  RankedToken choice;
  double sum;
};

class Beams : public Search {
 public:
  Beams(const SpecialTokens& tokens, const SearchOptions& options, const Rules& rules)
      : tokens_(tokens), options_(options), rules_(rules),
        beams_(static_cast<size_t>(std::max(options.beam_size, 1))) {
    best_.text = options.prefix;
    live_ = {best_};
    // Greedy search has no patience. Half is rounded to even, as Python does.
    if (beams_ > 1)
      enough_ = static_cast<size_t>(std::max(std::nearbyint(options.beam_size * options.patience), 1.0f));
  }

  int width() const override { return static_cast<int>(beams_); }

  std::vector<Branch> advance(const std::vector<float*>& logits) override {
    if (step_ >= options_.max_tokens)
      return {};
    std::vector<Branch> branches;
    std::vector<Sequence> next;
    for (const Candidate& candidate : candidates(logits)) {
      if (next.size() == beams_)
        break;
      const RankedToken& choice = candidate.choice;
      Sequence sequence = live_[static_cast<size_t>(candidate.parent)];
      sequence.log_probability = candidate.sum;
      sequence.ended = choice.token == tokens_.end;
      if (sequence.ended) {
        ended_.push_back(std::move(sequence));
        continue;
      }
      sequence.text.push_back(choice.token);
      sequence.probabilities.push_back(std::exp(choice.log_probability));
      next.push_back(std::move(sequence));
      branches.push_back({candidate.parent, choice.token});
    }
    live_ = std::move(next);
    const bool loops = !live_.empty() && ends_in_loop(live_.front().text, tokens_);
    if (++step_ < options_.max_tokens && ended_.size() < enough_ && !live_.empty() && !loops)
      return branches;
    finish(loops);
    return {};
  }

  Sequence best() const override { return best_; }
  bool repeats() const override { return !best_.ended && ends_in_loop(best_.text, tokens_); }

 private:
  // Best first; of equal ones the one of the earlier sequence, and then of the lower token.
  std::vector<Candidate> candidates(const std::vector<float*>& logits) const {
    std::vector<Candidate> all;
    for (size_t i = 0; i < live_.size(); ++i) {
      const Sequence& parent = live_[i];
      const int wanted = static_cast<int>(beams_) + 1;
      for (const RankedToken& choice : choose_next(tokens_, rules_, parent.text, logits[i], wanted).best)
        all.push_back({static_cast<int>(i), choice, parent.log_probability + choice.log_probability});
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const Candidate& a, const Candidate& b) { return a.sum > b.sum; });
    return all;
  }

  // Where fewer texts have ended than there are beams, the live ones compete with them; but not with a loop
  // among them, whose tokens are all but certain, and not where patience below 1 was content with fewer, as
  // they would be cut off in the middle.
  void finish(bool loops) {
    std::vector<Sequence> all = ended_;
    if (all.empty() || (all.size() < enough_ && !loops)) {
      for (size_t i = 0; i < live_.size() && all.size() < beams_; ++i)
        all.push_back(live_[i]);
    }
    best_ = likeliest(all, options_);
  }

  const SpecialTokens tokens_;
  const SearchOptions options_;
  const Rules& rules_;
  const size_t beams_;
  size_t enough_ = 1;
  int step_ = 0;
  std::vector<Sequence> live_, ended_; // best first; as they ended
  Sequence best_;
};

} // namespace

std::unique_ptr<Search> search_beams(const SpecialTokens& tokens, const SearchOptions& options,
                                     const Rules& rules) {
  return std::make_unique<Beams>(tokens, options, rules);
}

} // namespace whisper_hip
