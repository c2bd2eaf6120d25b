#include "transcribe/window_decoder.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "transcribe/align_text.h"
#include "transcribe/prompt.h"
#include "transcribe/segment_words.h"

namespace whisper_hip {

namespace {

// A word that lasts longer has been stretched over speech that the text leaves out.
constexpr int kLongestWord = 150;

class WindowDecoder {
 public:
  WindowDecoder(const JobFacts& job, int seek, int end, const TextBefore& before, Window encoded)
      : job_(job), request_(job.request), seek_(seek), end_(end), before_(before),
        window_(encoded ? std::move(encoded)
                        : encode_window(job.engine, *job.client, *job.mel, job.hparams, seek, end)) {}

  DecodedWindow run(float hottest) {
    std::optional<Attempt> silent; // a good attempt, but for the speech that it does not tell of
    std::vector<Attempt> bad;
    const std::vector<float>& temperatures = request_.temperatures;
    for (size_t i = 0;; ++i) {
      const bool last = i + 1 == temperatures.size() || temperatures[i + 1] > hottest;
      Attempt attempt = decode(temperatures[i]);
      const bool good = !needs_fallback(attempt);
      const int step = std::min(attempt.seek_delta, end_ - seek_);
      if (good && !silent && attempt.segments.empty() &&
          job_.voiced->within(seek_, seek_ + step) > kLongestLoss)
        silent = attempt;
      // Where a calm text is not to be had, a wild one would be made up.
      if (silent)
        hottest = std::min(hottest, kHighestTrusted);
      const bool is_wanted = good && !(silent && attempt.segments.empty());
      if (is_wanted)
        return finish(attempt, true);
      bad.push_back(std::move(attempt));
      if (!last)
        continue;
      return silent ? finish(*silent, true) : finish(best_of(bad), false);
    }
  }

 private:
  Attempt decode(float temperature) {
    const std::vector<Token> start =
        start_tokens(job_.context, job_.language, request_.translate, request_.rules.timestamps);
    Prompt prompt = make_prompt(job_.context, job_.carried, before_.history, start);
    std::vector<Token> prefix = before_.prefix;
    if (!prefix.empty() && request_.rules.timestamps)
      prefix.insert(prefix.begin(), job_.engine.tokens().first_timestamp);
    prompt.tokens.insert(prompt.tokens.end(), prefix.begin(), prefix.end());
    SearchOptions options = request_.search;
    options.temperature = temperature;
    options.max_tokens = room_for_text(job_.context, prompt.tokens.size());
    if (request_.max_tokens > 0)
      options.max_tokens = std::min(options.max_tokens, request_.max_tokens);
    // Each window has samples of its own.
    options.seed += static_cast<uint64_t>(seek_);
    options.prefix = prefix;
    const std::unique_ptr<Rules> rules = job_.rules.make(prefix);
    const std::unique_ptr<Search> search = make_search(job_.engine.tokens(), options, *rules);
    const float no_speech = job_.engine.decode(*job_.client, window_, prompt, *search);
    return make_attempt(job_.context, job_.engine.tokens(), request_, job_.language, seek_,
                        std::min(end_ - seek_, kWindowFrames), temperature,
                        {search->best(), search->repeats(), no_speech});
  }

  // The rule of OpenAI's transcribe.py; a loop in which a search was ended is known without it.
  bool needs_fallback(const Attempt& attempt) const {
    const bool improbable = attempt.average_log_probability < request_.log_probability_threshold;
    if (improbable && attempt.no_speech_probability > request_.no_speech_threshold)
      return false;
    const bool repeats = attempt.repeats && !std::isinf(request_.compression_ratio_threshold);
    return repeats || improbable || attempt.compression_ratio > request_.compression_ratio_threshold;
  }

  // Of attempts that are all bad (faster-whisper's rule; OpenAI takes the last).
  Attempt& best_of(std::vector<Attempt>& bad) const {
    const auto rank = [this](const Attempt& attempt) {
      const bool circles =
          attempt.repeats || attempt.compression_ratio > request_.compression_ratio_threshold;
      return std::make_pair(!circles, attempt.average_log_probability);
    };
    return *std::max_element(bad.begin(), bad.end(),
                             [&](const Attempt& a, const Attempt& b) { return rank(a) < rank(b); });
  }

  DecodedWindow finish(Attempt& attempt, bool good) {
    DecodedWindow result;
    std::vector<SegmentResult>& segments = attempt.segments;
    result.step = std::min(attempt.seek_delta, end_ - seek_);
    result.good = good;
    result.temperature = attempt.temperature;
    result.tokens = std::move(attempt.tokens);
    const auto frame = [](double seconds) { return static_cast<int>(std::lround(seconds * 100)); };
    std::vector<FrameSpan> spoken;
    bool sparse = false;
    for (const SegmentResult& segment : segments) {
      spoken.emplace_back(frame(segment.start), frame(segment.end));
      sparse = sparse || is_sparse(job_.voiced->within(spoken.back().first, spoken.back().second),
                                   segment.tokens.size());
    }
    if (!segments.empty() && (sparse || request_.words)) {
      std::vector<SegmentResult> timed = segments;
      write_words(job_.context, times_of(segments), seek_ / 100.0, before_.spoken_until, timed);
      if (sparse) {
        spoken.clear();
        for (const SegmentResult& segment : timed) {
          for (const WordResult& word : segment.words)
            spoken.emplace_back(frame(word.start) - kMargin,
                                std::min(frame(word.end), frame(word.start) + kLongestWord) + kMargin);
        }
      }
      if (request_.words) {
        segments = std::move(timed);
      } else if (sparse) {
        // Their own times reach over what is decoded next.
        for (size_t i = 0; i < segments.size(); ++i) {
          segments[i].start = timed[i].start;
          segments[i].end = timed[i].end;
        }
      }
    }
    result.reached = seek_;
    for (const FrameSpan& span : spoken)
      result.reached = std::max(result.reached, span.second);
    result.lost = unspoken(*job_.voiced, spoken, seek_, seek_ + result.step);
    result.segments = std::move(segments);
    return result;
  }

  std::vector<double> times_of(const std::vector<SegmentResult>& segments) {
    const std::vector<Token> start = start_tokens(job_.context, job_.language, request_.translate, false);
    return align_text(job_.engine, *job_.client, window_, job_.alignment_heads, start, text_tokens(segments),
                      std::min(end_ - seek_, kWindowFrames));
  }

  const JobFacts& job_;
  const TranscribeRequest& request_;
  int seek_;
  int end_;
  const TextBefore& before_;
  Window window_;
};

} // namespace

Window encode_window(Engine& engine, Client& client, const LogMel& mel, const Hyperparameters& hparams,
                     int seek, int end) {
  const int positions = hparams.n_audio_ctx;
  std::vector<float> window(static_cast<size_t>(hparams.n_mels) * 2 * positions);
  mel.window(static_cast<size_t>(seek), static_cast<size_t>(2 * positions), static_cast<size_t>(end),
             window.data());
  return engine.encode(client, std::move(window), positions);
}

DecodedWindow decode_window(const JobFacts& job, int seek, int end, const TextBefore& before, float hottest,
                            Window encoded) {
  return WindowDecoder(job, seek, end, before, std::move(encoded)).run(hottest);
}

} // namespace whisper_hip
