// What may follow in a text, and what a text is made into.
//
//   search-rules NAME     one of the tests at the end
#include "search-checks.h"

#include "engine/search/rule_chain.h"
#include "engine/search/rules.h"
#include "engine/search/segments.h"

namespace {

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
  CHECK(allowed(given, {at + 90, 1, 1}) == tokens_of(5, true, 0, 101));
  CHECK(allowed(given, {at + 90, 1, at + 3}) == tokens_of(5, true, 0, 0));
  CHECK(allowed(given, {at + 90, 1, at + 3, 1}) == tokens_of(5, true, 4, 101));

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
  row.assign(row.size(), -1.0f);
  WhisperRules(kTokens, penalty).apply({kFirst, 3, kFirst + 3}, row.data());
  CHECK(row[kFirst + 3] == -1.0f);

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

  ngrams.timestamps = true;
  ngrams.no_repeat_ngram_size = 1;
  CHECK(allowed(ngrams, {kFirst, 1, kFirst + 3}) == tokens_of(0, true, 3, 101));

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
  for (unsigned seed = 0; seed < 60; ++seed) {
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
  run_test({{"timestamps", timestamp_rules}, {"others", other_rules}, {"texts", texts}, {"segments", split}},
           arguments[1]);
}
