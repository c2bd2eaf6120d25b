// Searches that are decoded together against each one alone, to the last bit: windows of several lengths,
// prompts, branches in any order, places in the cache, and a window that is no numbers beside them.
// engine-batches MODULE FLASH_ATTENTION: prints a line for each check that failed, then "N checks, exact" or
// the largest relative error, and a digest of the logits.
#include <cstdio>
#include <cstdlib>
#include <map>

#include "backend/cpu_module.h"
#include "engine/runner.h"
#include "made-weights.h"
#include "support/abort.h"
#include "support/error.h"
#include "support/log.h"

using namespace whisper_hip;

namespace {

using Row = std::vector<float>;
using Text = std::vector<Token>;

// Asks for branches that chance chooses, and keeps all logits by the text before them.
class Recorder : public Search {
 public:
  Recorder(unsigned seed, int width, int steps) : random_(seed + 1), width_(width), left_(steps) {
    random_.discard(seed % 7);
  }
  int width() const override { return width_; }
  std::vector<Branch> advance(const std::vector<float*>& logits) override {
    for (size_t i = 0; i < logits.size(); ++i)
      rows[texts_[i]].assign(logits[i], logits[i] + kVocabulary);
    if (left_-- == 0)
      return {};
    const auto count = static_cast<int>(random_() % static_cast<unsigned>(width_)) + 1;
    std::vector<Branch> branches;
    std::vector<Text> texts;
    for (int i = 0; i < count; ++i) {
      const Branch branch = {static_cast<int>(random_() % logits.size()),
                             static_cast<Token>(random_() % 900)};
      branches.push_back(branch);
      texts.push_back(texts_[static_cast<size_t>(branch.parent)]);
      texts.back().push_back(branch.token);
    }
    texts_ = texts;
    return branches;
  }
  Sequence best() const override { return {}; }
  bool repeats() const override { return false; }

  std::map<Text, Row> rows;

 private:
  std::minstd_rand random_;
  int width_, left_;
  std::vector<Text> texts_ = {{}};
};

// Reads one text, alone.
class Reader : public Recorder {
 public:
  explicit Reader(Text text) : Recorder(0, 1, 0), text_(std::move(text)) {}
  std::vector<Branch> advance(const std::vector<float*>& logits) override {
    rows[Text(text_.begin(), text_.begin() + at_)].assign(logits[0], logits[0] + kVocabulary);
    if (at_ == static_cast<int>(text_.size()))
      return {};
    return {{0, text_[static_cast<size_t>(at_++)]}};
  }

 private:
  Text text_;
  int at_ = 0;
};

struct Case {
  unsigned seed;
  int positions, prompt, start, width, steps;
  bool is_numbers = true;
};

std::shared_ptr<Request> request_for(Runner& runner, const Case& one, Search& search) {
  auto request = std::make_shared<Request>();
  request->client = std::make_shared<ClientRecord>();
  request->mel = made_mel(one.seed, one.positions);
  if (!one.is_numbers)
    request->mel.assign(request->mel.size(), NAN);
  request->positions = one.positions;
  request->tokens = made_tokens(one.seed, one.prompt);
  request->start = one.start;
  request->search = &search;
  request->width = search.width();
  runner.encode(*request);
  request->window = request->encoded;
  return request;
}

using Active = std::vector<std::unique_ptr<ActiveSearch>>;

std::vector<ActiveSearch*> those_of(const Active& active) {
  std::vector<ActiveSearch*> all;
  for (const auto& search : active)
    all.push_back(search.get());
  return all;
}

void drop_ended(Active& active) {
  for (size_t i = 0; i < active.size();) {
    if (active[i]->ended)
      active.erase(active.begin() + static_cast<ptrdiff_t>(i));
    else
      ++i;
  }
}

// Reads them together: prompts of the same length at once, as the worker does.
void decode(Runner& runner, const std::vector<std::shared_ptr<Request>>& requests) {
  Active active;
  std::map<size_t, std::vector<ActiveSearch*>> by_length;
  for (const auto& request : requests) {
    active.push_back(runner.begin(request));
    by_length[request->tokens.size()].push_back(active.back().get());
  }
  for (const auto& [length, same] : by_length)
    runner.read_prompts(same);
  for (drop_ended(active); !active.empty(); drop_ended(active))
    runner.step(those_of(active));
}

struct Result {
  std::map<Text, Row> rows;
  float no_speech;
};

std::vector<Result> decode_cases(Runner& runner, const std::vector<Case>& cases) {
  std::vector<std::unique_ptr<Recorder>> searches;
  std::vector<std::shared_ptr<Request>> requests;
  for (const Case& one : cases) {
    searches.push_back(std::make_unique<Recorder>(one.seed, one.width, one.steps));
    requests.push_back(request_for(runner, one, *searches.back()));
  }
  decode(runner, requests);
  std::vector<Result> results;
  for (size_t i = 0; i < cases.size(); ++i)
    results.push_back({searches[i]->rows, requests[i]->no_speech});
  return results;
}

bool same_bits(const Row& a, const Row& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

double relative_error(const Row& row, const Row& wanted) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    difference += std::pow(static_cast<double>(row[i]) - wanted[i], 2);
    size += std::pow(static_cast<double>(wanted[i]), 2);
  }
  return std::sqrt(difference / size);
}

// ggml's own kernels sum in another order for other numbers of rows.
bool exact = true;
double worst = 0;
// Of all logits of searches that were alone: the same for each instruction set.
uint64_t digest = 0xcbf29ce484222325;

void digest_of(const Row& row) {
  for (const float value : row) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    digest = (digest ^ bits) * 0x100000001b3;
  }
}

void compare(const std::map<Text, Row>& rows, const std::map<Text, Row>& wanted, const std::string& what) {
  check(rows.size() <= wanted.size() && !rows.empty(), what + ": texts");
  for (const auto& [text, row] : rows) {
    const auto found = wanted.find(text);
    if (!check(found != wanted.end(), what + ": a text"))
      continue;
    const double error = relative_error(row, found->second);
    worst = std::max(worst, error);
    check(exact ? same_bits(row, found->second) : error < 2e-3,
          what + ": logits after " + std::to_string(text.size()) + " tokens, error " + std::to_string(error));
  }
}

// A search takes the place in the cache of one whose values were no numbers.
void damaged_neighbour(const MadeModel& model, const EngineOptions& options) {
  const Case first = {60, 64, 5, 0, 1, 10}, damaged = {61, 64, 24, 0, 5, 10, false},
             next = {62, 37, 4, 0, 5, 20};
  Runner alone(model.weights, kMadeTokens, options);
  const Result wanted = decode_cases(alone, {next}).front();
  Runner runner(model.weights, kMadeTokens, options);
  Recorder holder(first.seed, first.width, first.steps), nothing(damaged.seed, damaged.width, damaged.steps),
      search(next.seed, next.width, next.steps);
  const auto held = runner.begin(request_for(runner, first, holder));
  runner.read_prompts({held.get()});
  decode(runner, {request_for(runner, damaged, nothing)});
  check(nothing.rows.empty(), "a damaged window gives a text");
  decode(runner, {request_for(runner, next, search)});
  compare(search.rows, wanted.rows, "in the place of a damaged window");
  check(search.rows.size() == wanted.rows.size(), "in the place of a damaged window: number of texts");
}

} // namespace

int main(int, char** arguments) {
  install_abort_handler();
  const AbortScope abort;
  load_cpu_module({arguments[1]});
  exact = cpu_kernels() != nullptr;
  const MadeModel model;
  EngineOptions options;
  options.flash_attention = std::atoi(arguments[2]) != 0;
  exact = exact && options.flash_attention;

  std::vector<Case> cases;
  for (unsigned i = 0; i < 12; ++i)
    cases.push_back({i + 1, static_cast<int>(1 + i * 37 % kAudio),
                     static_cast<int>(i % 3 == 0 ? 5 : 20 + i % 2), static_cast<int>(i % 4),
                     static_cast<int>(1 + i * 3 % 5), static_cast<int>(40 + 9 * (i % 3))});
  cases.push_back({50, 64, 20, 0, 5, 30, false});

  Runner together(model.weights, kMadeTokens, options);
  const std::vector<Result> all = decode_cases(together, cases);
  // And once more in an engine in which all places were used before, the other way round.
  const std::vector<Result> again = [&] {
    auto results = decode_cases(together, {cases.rbegin(), cases.rend()});
    return std::vector<Result>(results.rbegin(), results.rend());
  }();
  for (size_t i = 0; i < cases.size(); ++i) {
    const std::string name = "search " + std::to_string(i);
    if (!cases[i].is_numbers) {
      check(all[i].rows.empty() && again[i].rows.empty(), name + ": goes on with what is no number");
      continue;
    }
    Runner alone(model.weights, kMadeTokens, options);
    const Result one = decode_cases(alone, {cases[i]}).front();
    check(std::abs(one.no_speech - all[i].no_speech) <= (exact ? 0 : 1e-2f * one.no_speech),
          name + ": no speech");
    for (const auto& [text, row] : one.rows)
      digest_of(row);
    compare(all[i].rows, one.rows, name + " together");
    compare(again[i].rows, one.rows, name + " again");
    check(one.rows.size() == all[i].rows.size(), name + ": number of texts");
    // A text that has branched off others is the same as one that was read from its start.
    int left = 6;
    for (auto text = one.rows.rbegin(); text != one.rows.rend() && left > 0; ++text) {
      if (static_cast<int>(text->first.size()) < cases[i].steps)
        continue;
      --left;
      Reader reader(text->first);
      decode(alone, {request_for(alone, cases[i], reader)});
      std::map<Text, Row> end = {{text->first, text->second}};
      compare(end, reader.rows, name + " after branches");
    }
  }
  damaged_neighbour(model, options);
  std::printf("%d checks, %s %.1e, %016llx\n", checks, exact ? "exact" : "error", worst,
              static_cast<unsigned long long>(digest));
}
