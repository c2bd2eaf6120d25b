#include "transcribe/transcriber.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "support/cancellation.h"
#include "support/error.h"
#include "support/log.h"
#include "transcribe/attempt.h"
#include "transcribe/coverage.h"
#include "transcribe/grammar.h"
#include "transcribe/language.h"
#include "transcribe/prompt.h"
#include "transcribe/recording.h"
#include "transcribe/segment_words.h"
#include "transcribe/speech_clips.h"
#include "transcribe/token_filter.h"
#include "transcribe/token_times.h"

namespace whisper_hip {

namespace {

constexpr int kWindowFrames = 3000; // 30 s
constexpr int kMinimumFrames = 10;  // whisper.cpp decodes nothing shorter than 100 ms
constexpr int kEncoderGraphs = 3;   // conv, encode, cross
// Temperature above which a text is not given to the next window.
constexpr float kHighestTrusted = 0.5f;
constexpr int kMargin = 20; // around a word
// What gave no text within a window is cut into shorter ones: 10 s.
constexpr int kLostWindow = 1000;
// A window of lost speech that gives less than this, twice in a row, is not worth a third one.
constexpr int kLeastProgress = 300;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class Job {
 public:
  Job(LoadedModel& model, const TranscribeRequest& request, const std::atomic<bool>& cancelled,
      const TranscribeEvents& events)
      : model_(model), lease_(model.lease()), context_(model.context()), request_(request),
        cancelled_(cancelled), events_(events),
        filter_(context_, request.suppress_tokens, request.suppress_regex, cancelled),
        carried_(request.hotwords), compute_{&cancelled, request.threads, {}, model.gpu_only(), 0} {
    if (!request.grammar.empty()) {
      grammar_ = std::make_unique<Grammar>(request.grammar, request.grammar_rule);
      filter_.suppress_nul(context_);
    }
    const std::vector<whisper_token>& prompt = request.initial_prompt;
    if (request.carry_initial_prompt)
      carried_.insert(carried_.end(), prompt.begin(), prompt.end());
    else
      history_ = prompt;
  }

  TranscribeResult run(const OpenAudio& open_audio) {
    const auto start = Clock::now();
    TranscribeResult result = {};
    const std::unique_ptr<AudioStream> audio = open_audio();
    Recording recording =
        read_recording(model_, *audio, SIZE_MAX, speech_request(), cancelled_, result.phases);
    const LogMel& mel = recording.mel;
    if (is_complete())
      voiced_ = std::move(recording.voiced);
    result.channels = audio->channels();
    result.warnings.add(audio->warnings());
    result.duration = static_cast<double>(mel.samples()) / LogMel::kSampleRate;
    auto clips = clip_frames(mel);
    if (request_.vad)
      clips = speech_in_clips(recording.speech, clips);
    for (const auto& clip : clips)
      total_frames_ += clip.second - clip.first;
    ComputeScope scope(compute_);
    settle_language(mel, clips, recording.speech, result);
    for (const auto& clip : clips)
      decode_clip(mel, clip.first, clip.second, result);
    const StateTimings spent = timings(lease_->state());
    result.phases.encode = spent.encode;
    result.phases.prompt = spent.prompt;
    result.phases.sample = spent.decode + spent.sample;
    result.nodes = compute_.counts;
    result.wall = seconds_since(start);
    return result;
  }

 private:
  // The clips in frames, cut to the audio.
  std::vector<std::pair<int, int>> clip_frames(const LogMel& mel) {
    std::vector<std::pair<int, int>> frames;
    const auto last = static_cast<double>(mel.frames());
    for (const auto& clip : request_.clips) {
      const int first = static_cast<int>(std::min(last, std::round(clip.first * 100.0)));
      const int end = static_cast<int>(std::min(last, std::round(clip.second * 100.0)));
      if (first < end)
        frames.emplace_back(first, end);
    }
    return frames;
  }

  // What has to be heard beside the text: where there is speech to decode, to find the language in, or to
  // miss in the text.
  std::optional<SpeechRequest> speech_request() const {
    if (request_.vad)
      return request_.vad;
    const bool detects = request_.language.empty() && whisper_is_multilingual(&context_);
    if (request_.network.empty() || (!detects && !is_complete()))
      return std::nullopt;
    return SpeechRequest{request_.network, {}};
  }

  // Whether all speech is wanted: a limit and a grammar leave something out on purpose.
  bool is_complete() const { return request_.max_tokens == 0 && !grammar_; }

  void settle_language(const LogMel& mel, const std::vector<std::pair<int, int>>& clips,
                       const std::vector<SpeechSpan>& speech, TranscribeResult& result) {
    language_ = request_.language;
    result.language_probability = 1.0;
    if (!whisper_is_multilingual(&context_))
      language_ = "en";
    const std::pair<int, int> first = first_window(mel, clips);
    if (language_.empty() && first.first < 0) {
      language_ = request_.languages.empty() ? "en" : request_.languages.front();
      result.language_probability = 0.0;
    } else if (language_.empty()) {
      LanguageVote vote(request_.languages);
      for (const auto& window : language_windows(first, speech, clips)) {
        load_window(mel, window.first, window.second);
        const std::vector<float> probabilities =
            lease_->use([this](whisper_state& state) { return language_probabilities(context_, state, 0); });
        check(cancelled_);
        if (probabilities.empty())
          fail("The language could not be detected");
        vote.add(probabilities);
        // What was encoded last.
        reuse_encoding_ = window == first;
        if (vote.sure())
          break;
      }
      language_ = vote.language();
      result.language_probability = vote.probability();
      if (!vote.sure() && !speech.empty())
        result.warnings.add(
            {"LANGUAGE_UNSURE", "The language was guessed: " + language_ + ", with a probability of " +
                                    std::to_string(std::lround(100 * vote.probability())) + " %"});
    }
    result.language = language_;
  }

  // Where decoding will begin, and the end of its clip; { -1, -1 } when there is nothing to decode.
  static std::pair<int, int> first_window(const LogMel& mel, const std::vector<std::pair<int, int>>& clips) {
    for (const auto& clip : clips) {
      const int seek = skip_silence(mel, clip.first, clip.second);
      if (seek + kMinimumFrames < clip.second)
        return {seek, clip.second};
    }
    return {-1, -1};
  }

  // Windows without any sound are not decoded: models write words into silence.
  static int skip_silence(const LogMel& mel, int seek, int end) {
    const int sound = static_cast<int>(std::min<size_t>(mel.next_audible(static_cast<size_t>(seek)), end));
    while (seek < end && sound >= std::min(seek + kWindowFrames, end))
      seek = std::min(seek + kWindowFrames, end);
    return seek;
  }

  // The window at `seek`; what lies at or after `end`, the end of the clip, is silence to the model.
  void load_window(const LogMel& mel, int seek, int end) {
    std::vector<float>& window = mel_window(lease_->state(), model_.hparams().n_mels, kWindowFrames);
    mel.window(static_cast<size_t>(seek), kWindowFrames, static_cast<size_t>(end), window.data());
  }

  void decode_clip(const LogMel& mel, int first, int end, TranscribeResult& result) {
    bool again = false; // the window begins with speech that the one before it has lost
    for (int seek = first;;) {
      check(cancelled_);
      const int sound = skip_silence(mel, seek, end);
      done_frames_ += sound - seek;
      seek = sound;
      if (seek + kMinimumFrames >= end)
        break;
      // A prompt confuses the decoder in a short rest (whisper.cpp drops it below 5 s).
      if (seek > first && seek + 500 >= end)
        history_.clear();
      Decoded decoded = decode_until_good(mel, seek, end);
      int step = decoded.step;
      if (!decoded.lost.empty() && decoded.reached > seek) {
        // What follows the text is the beginning of the next window.
        const int rest = decoded.lost.back().first;
        const bool goes_on = !again || rest - seek >= kLeastProgress;
        again = rest >= decoded.reached && goes_on;
        if (again) {
          step = rest - seek;
          decoded.lost.pop_back();
        }
      } else {
        again = false;
      }
      for (const FrameSpan& lost : decoded.lost) {
        for (const FrameSpan& part : voiced_.parts(lost, kLostWindow))
          decode_lost(mel, part, decoded.segments, result.warnings);
      }
      cut(decoded.segments, std::min(result.duration, (again ? seek + step : end) / 100.0));
      if (!decoded.segments.empty())
        events_.segments(std::move(decoded.segments));
      seek += step;
      done_frames_ += step;
      events_.progress(static_cast<double>(done_frames_) / total_frames_);
    }
  }

  // Speech within a window that has no text gets a window of its own. What follows it was already decoded.
  void decode_lost(const LogMel& mel, const FrameSpan& lost, std::vector<SegmentResult>& segments,
                   Warnings& warnings) {
    const std::vector<whisper_token> history = std::exchange(history_, {});
    const double spoken_until = std::exchange(spoken_until_, lost.first / 100.0);
    const int end = std::min(lost.second + kMargin, static_cast<int>(mel.frames()));
    Decoded decoded = decode_until_good(mel, lost.first, end, kHighestTrusted);
    history_ = history;
    spoken_until_ = std::max(spoken_until, spoken_until_);
    // A doubtful text is worse than none where the model had a reason to leave something out.
    if (!decoded.good)
      decoded = {{}, 0, lost.first, {lost}, false};
    const auto later = std::find_if(segments.begin(), segments.end(), [&](const SegmentResult& segment) {
      return segment.start * 100 >= lost.first;
    });
    cut(decoded.segments, end / 100.0);
    segments.insert(later, std::make_move_iterator(decoded.segments.begin()),
                    std::make_move_iterator(decoded.segments.end()));
    for (const FrameSpan& span : decoded.lost) {
      const double start = span.first / 100.0, stop = span.second / 100.0;
      warnings.add({"SPEECH_NOT_TRANSCRIBED", "What sounds like speech gave no text", start, stop});
    }
  }

  // Nothing lasts longer than what was decoded.
  static void cut(std::vector<SegmentResult>& segments, double limit) {
    for (SegmentResult& segment : segments) {
      segment.end = std::min(segment.end, limit);
      segment.start = std::min(segment.start, segment.end);
      for (WordResult& word : segment.words) {
        word.end = std::min(word.end, limit);
        word.start = std::min(word.start, word.end);
      }
    }
  }

  // What was made of a window.
  struct Decoded {
    std::vector<SegmentResult> segments; // with their words, where those were asked for
    int step;                            // frames to the next window
    int reached;                         // end of the text
    std::vector<FrameSpan> lost;         // speech without text, before the next window
    bool good;                           // by the rules of fallback
  };

  // The window at `seek`; what lies at or after `end` is silence to the model. No text that is hotter than
  // `hottest` is looked for.
  Decoded decode_until_good(const LogMel& mel, int seek, int end, float hottest = 1.0f) {
    load_window(mel, seek, end);
    std::optional<Attempt> silent; // a good attempt, but for the speech that it does not tell of
    for (size_t i = 0;; ++i) {
      const bool last = i + 1 == request_.temperatures.size() || request_.temperatures[i + 1] > hottest;
      // A second attempt starts from the encoding and the prompt of the first.
      const bool encoded = i > 0 || std::exchange(reuse_encoding_, false);
      Attempt attempt = decode(seek, end, request_.temperatures[i], encoded);
      const bool good = !needs_fallback(attempt);
      const int step = std::min(attempt.window.seek_delta, end - seek);
      if (good && !silent && attempt.segments.empty() && voiced_.within(seek, seek + step) > kLongestLoss)
        silent = attempt;
      // Where a calm text is not to be had, a wild one would be made up.
      if (silent)
        hottest = std::min(hottest, kHighestTrusted);
      if (!last && (!good || (silent && attempt.segments.empty())))
        continue;
      const bool back = silent && (!good || attempt.segments.empty());
      if (back)
        attempt = std::move(*silent);
      remember(attempt);
      return finish(attempt, seek, end, good || back);
    }
  }

  Decoded finish(Attempt& attempt, int seek, int end, bool good) {
    std::vector<SegmentResult>& segments = attempt.segments;
    const int step = std::min(attempt.window.seek_delta, end - seek);
    const auto frame = [](double seconds) { return static_cast<int>(std::lround(seconds * 100)); };
    std::vector<FrameSpan> spoken;
    bool sparse = false;
    for (const SegmentResult& segment : segments) {
      spoken.emplace_back(frame(segment.start), frame(segment.end));
      sparse = sparse ||
               is_sparse(voiced_.within(spoken.back().first, spoken.back().second), segment.tokens.size());
    }
    if (!segments.empty() && (sparse || request_.words)) {
      std::vector<SegmentResult> timed = segments;
      write_words(context_, times_of(segments, std::min(end - seek, kWindowFrames)), seek / 100.0,
                  spoken_until_, timed);
      if (sparse) {
        spoken.clear();
        for (const SegmentResult& segment : timed) {
          for (const WordResult& word : segment.words)
            spoken.emplace_back(frame(word.start) - kMargin, frame(word.end) + kMargin);
        }
      }
      if (request_.words) {
        segments = std::move(timed);
        spoken_until_ = segments.back().end;
      } else if (sparse) {
        // Their own times reach over what is decoded next.
        for (size_t i = 0; i < segments.size(); ++i) {
          segments[i].start = timed[i].start;
          segments[i].end = timed[i].end;
        }
      }
    }
    int reached = seek;
    for (const FrameSpan& span : spoken)
      reached = std::max(reached, span.second);
    return {std::move(segments), step, reached, unspoken(voiced_, spoken, seek, seek + step), good};
  }

  // The window is still encoded; what the decoder has seen is not needed any more.
  std::vector<double> times_of(const std::vector<SegmentResult>& segments, int frames) {
    const std::vector<whisper_token> text = text_tokens(segments);
    const std::vector<whisper_token> start = start_tokens(context_, language_, request_.translate);
    compute_.skip_graphs = 0;
    std::vector<double> times = lease_->use([&](whisper_state& state) {
      return token_times(context_, state, model_.alignment_heads(), start, text, frames);
    });
    check(cancelled_);
    if (times.empty())
      fail("The words could not be aligned");
    return times;
  }

  // What the next window is conditioned on. A window without text leaves it as it is. Text that only a high
  // temperature gave is likely to be wrong, and would spread (OpenAI's transcribe.py).
  void remember(const Attempt& attempt) {
    if (attempt.segments.empty())
      return;
    if (request_.condition_on_previous_text && attempt.temperature <= kHighestTrusted)
      history_ = prompt_history(lease_->state());
    else
      history_.clear();
  }

  // The rule of OpenAI's transcribe.py; `failed` adds whisper.cpp's own signs of a loop.
  bool needs_fallback(const Attempt& attempt) const {
    const bool improbable = attempt.window.average_log_probability < request_.log_probability_threshold;
    if (improbable && attempt.window.no_speech_probability > request_.no_speech_threshold)
      return false;
    return attempt.window.failed || improbable ||
           attempt.compression_ratio > request_.compression_ratio_threshold;
  }

  Attempt decode(int seek, int end, float temperature, bool encoded) {
    const bool beam = temperature == 0.0f && request_.beam_size > 1;
    const int decoders = beam ? request_.beam_size : temperature > 0.0f ? request_.best_of : 1;
    whisper_full_params params = parameters(beam, decoders, temperature);

    compute_.skip_graphs = encoded ? kEncoderGraphs : 0;
    lease_->prepare([&](whisper_state& state) { reserve_decoders(context_, state, decoders); });
    WindowResult window = lease_->use([&](whisper_state& state) {
      prompt_history(state) = history_;
      WindowResult result = decode_window(context_, state, params, end - seek, decoders);
      if (filter_.found_damage())
        throw_not_numbers(state);
      return result;
    });
    check(cancelled_);
    if (window.status == -7)
      lease_->abandon();
    if (window.status != 0)
      fail("whisper.cpp failed with status " + std::to_string(window.status));
    return make_attempt(context_, request_, language_, seek, temperature, std::move(window));
  }

  whisper_full_params parameters(bool beam, int decoders, float temperature) {
    whisper_full_params params =
        whisper_full_default_params(beam ? WHISPER_SAMPLING_BEAM_SEARCH : WHISPER_SAMPLING_GREEDY);
    params.print_progress = params.print_realtime = params.print_timestamps = params.print_special = false;
    params.no_context = false; // the history is set by hand
    params.language = language_.c_str();
    params.translate = request_.translate;
    params.no_timestamps = !request_.timestamps;
    params.max_tokens = request_.max_tokens;
    params.suppress_blank = request_.suppress_blank;
    params.suppress_nst = request_.suppress_non_speech;
    params.temperature = temperature;
    params.length_penalty = request_.length_penalty;
    params.logprob_thold = request_.log_probability_threshold;
    params.no_speech_thold = request_.no_speech_threshold;
    // whisper.cpp looks at the entropy of the last 32 tokens for the same purpose as the compression ratio.
    if (std::isinf(request_.compression_ratio_threshold))
      params.entropy_thold = -1.0f;
    params.greedy.best_of = decoders;
    params.beam_search.beam_size = decoders;
    if (!carried_.empty()) {
      params.carry_initial_prompt = true;
      params.prompt_tokens = carried_.data();
      params.prompt_n_tokens = static_cast<int>(carried_.size());
    }
    if (grammar_) {
      params.grammar_rules = grammar_->rules().data();
      params.n_grammar_rules = grammar_->rules().size();
      params.i_start_rule = grammar_->start_rule();
      params.grammar_penalty = request_.grammar_penalty;
    }
    filter_.install(params);
    return params;
  }

  [[noreturn]] void fail(const std::string& what) {
    const std::string& errors = log_.errors();
    const bool memory = errors.find("alloc") != std::string::npos;
    throw Error(memory ? "ERR_OUT_OF_MEMORY" : "ERR_INTERNAL", errors.empty() ? what : what + ": " + errors);
  }

  LoadedModel& model_;
  std::unique_ptr<LoadedModel::Lease> lease_; // from the start: it keeps the context
  whisper_context& context_;
  const TranscribeRequest& request_;
  const std::atomic<bool>& cancelled_;
  const TranscribeEvents& events_;
  TokenFilter filter_;
  std::unique_ptr<Grammar> grammar_;
  std::vector<whisper_token> carried_; // what every window is conditioned on
  std::vector<whisper_token> history_; // what the next window is conditioned on
  LogScope log_;
  ComputeJob compute_;
  VoicedTime voiced_;
  std::string language_;
  bool reuse_encoding_ = false;
  double spoken_until_ = 0; // end of the last word, in seconds
  int total_frames_ = 0;
  int done_frames_ = 0;
};

} // namespace

TranscribeResult transcribe(LoadedModel& model, const OpenAudio& open_audio, const TranscribeRequest& request,
                            const std::atomic<bool>& cancelled, const TranscribeEvents& events) {
  return Job(model, request, cancelled, events).run(open_audio);
}

} // namespace whisper_hip
