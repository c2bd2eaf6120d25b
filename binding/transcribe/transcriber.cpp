#include "transcribe/transcriber.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "support/error.h"
#include "support/log.h"
#include "transcribe/compression_ratio.h"
#include "transcribe/grammar.h"
#include "transcribe/language.h"
#include "transcribe/prompt.h"
#include "transcribe/speech_clips.h"
#include "transcribe/text_assembler.h"
#include "transcribe/token_filter.h"
#include "transcribe/token_times.h"

namespace whisper_hip {

namespace {

constexpr int kWindowFrames = 3000;      // 30 s
constexpr int kMinimumFrames = 10;       // whisper.cpp decodes nothing shorter than 100 ms
constexpr size_t kListenedSeconds = 300; // for a language, when nothing else is asked
constexpr int kEncoderGraphs = 3;        // conv, encode, cross
// Temperature above which a text is not given to the next window.
constexpr float kHighestTrusted = 0.5f;
// Seconds by which the attention may contradict the timestamps, which models round.
constexpr double kTimestampError = 1.0;
constexpr double kEdgeError = 0.5; // the same for one word (OpenAI's timing.py)

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void check(const std::atomic<bool>& cancelled) {
  if (cancelled.load(std::memory_order_relaxed))
    throw Error("ERR_CANCELLED", "The job was cancelled");
}

// The whole audio (or its first `max_samples`) as log-mel frames. The detector, if there is one, hears it
// too.
LogMel read_mel(LoadedModel& model, AudioStream& audio, size_t max_samples, SpeechDetector* speech,
                const std::atomic<bool>& cancelled, Phases& phases) {
  auto mark = Clock::now();
  LogMel mel(mel_filters(model.context()), model.hparams().n_mels);
  std::vector<float> block(64 * 1024);
  while (mel.samples() < max_samples) {
    check(cancelled);
    const size_t count = audio.read(block.data(), std::min(block.size(), max_samples - mel.samples()));
    phases.decode += seconds_since(mark);
    mark = Clock::now();
    if (count == 0)
      break;
    mel.push(block.data(), count);
    phases.mel += seconds_since(mark);
    mark = Clock::now();
    if (speech != nullptr) {
      speech->push(block.data(), count);
      phases.vad += seconds_since(mark);
      mark = Clock::now();
    }
  }
  mel.finish();
  phases.mel += seconds_since(mark);
  if (speech != nullptr)
    speech->finish();
  return mel;
}

std::string trimmed(const std::string& text) {
  const char* spaces = " \t\r\n";
  const size_t first = text.find_first_not_of(spaces);
  if (first == std::string::npos)
    return {};
  return text.substr(first, text.find_last_not_of(spaces) - first + 1);
}

// "[BLANK_AUDIO]", "(silence)", "♪♪♪": what a model writes about audio without speech.
bool is_annotation(const std::string& text) {
  const std::string bare = trimmed(text);
  if (bare.size() < 2)
    return false;
  const bool bracketed =
      (bare.front() == '[' && bare.back() == ']') || (bare.front() == '(' && bare.back() == ')');
  const bool notes = bare.find_first_not_of("\xE2\x99\xAA\xAB ") == std::string::npos;
  return bracketed || notes;
}

// One decoding of one window, with its text.
struct Attempt {
  WindowResult window;
  float temperature;
  double compression_ratio;
  std::vector<SegmentResult> segments;
};

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
    std::optional<SpeechDetector> speech;
    if (request_.vad)
      speech.emplace(*request_.vad);
    else if (detects_language())
      speech.emplace(SpeechRequest{request_.network, {}});
    const std::unique_ptr<AudioStream> audio = open_audio();
    const LogMel mel =
        read_mel(model_, *audio, SIZE_MAX, speech ? &*speech : nullptr, cancelled_, result.phases);
    result.channels = audio->channels();
    result.warnings.add(audio->warnings());
    result.duration = static_cast<double>(mel.samples()) / LogMel::kSampleRate;
    auto clips = clip_frames(mel);
    if (request_.vad)
      clips = speech_in_clips(speech->speech(), clips);
    for (const auto& clip : clips)
      total_frames_ += clip.second - clip.first;
    ComputeScope scope(compute_);
    settle_language(mel, clips, speech ? speech->speech() : std::vector<SpeechSpan>(), result);
    for (const auto& clip : clips)
      decode_clip(mel, clip.first, clip.second, result.duration);
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

  bool detects_language() const {
    return request_.language.empty() && whisper_is_multilingual(&context_) && !request_.network.empty();
  }

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

  void decode_clip(const LogMel& mel, int first, int end, double duration) {
    for (int seek = first;;) {
      check(cancelled_);
      const int sound = skip_silence(mel, seek, end);
      done_frames_ += sound - seek;
      seek = sound;
      if (seek + kMinimumFrames >= end)
        break;
      load_window(mel, seek, end);
      // A prompt confuses the decoder in a short rest (whisper.cpp drops it below 5 s).
      if (seek > first && seek + 500 >= end)
        history_.clear();
      Attempt attempt = decode_until_good(seek, end);
      if (request_.words)
        write_words(seek, end, attempt.segments);
      const double limit = std::min(duration, end / 100.0);
      for (SegmentResult& segment : attempt.segments) {
        segment.end = std::min(segment.end, limit);
        segment.start = std::min(segment.start, segment.end);
        for (WordResult& word : segment.words) {
          word.end = std::min(word.end, limit);
          word.start = std::min(word.start, word.end);
        }
      }
      if (!attempt.segments.empty())
        events_.segments(std::move(attempt.segments));
      const int step = std::min(attempt.window.seek_delta, end - seek);
      seek += step;
      done_frames_ += step;
      events_.progress(static_cast<double>(done_frames_) / total_frames_);
    }
  }

  Attempt decode_until_good(int seek, int end) {
    for (size_t i = 0;; ++i) {
      const bool last = i + 1 == request_.temperatures.size();
      // A second attempt starts from the encoding and the prompt of the first.
      const bool encoded = i > 0 || std::exchange(reuse_encoding_, false);
      Attempt attempt = decode(seek, end, request_.temperatures[i], encoded);
      if (last || !needs_fallback(attempt)) {
        remember(attempt);
        return attempt;
      }
    }
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
    Attempt attempt = {std::move(window), temperature, 0.0, {}};
    check(cancelled_);
    if (attempt.window.status == -7)
      lease_->abandon();
    if (attempt.window.status != 0)
      fail("whisper.cpp failed with status " + std::to_string(attempt.window.status));
    write_segments(seek, attempt);
    return attempt;
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

  void write_segments(int seek, Attempt& attempt) {
    TextAssembler assembler;
    std::string whole;
    int written = 0;
    for (const WindowSegment& window : attempt.window.segments) {
      SegmentResult segment = {};
      // A token without any timestamp probability gives a start before the window.
      segment.start = (seek + std::max(window.start, 0)) / 100.0;
      segment.end = (seek + window.end) / 100.0;
      for (const WindowToken& token : window.tokens) {
        // Without timestamps whisper.cpp decodes one token more than it was allowed.
        if (request_.max_tokens > 0 && written++ >= request_.max_tokens)
          break;
        std::string text = assembler.push(token_bytes(context_, token.id));
        segment.text += text;
        segment.tokens.push_back({token.id, std::move(text), token.probability});
      }
      if (&window == &attempt.window.segments.back())
        segment.text += assembler.flush();
      whole += segment.text;
      if (!trimmed(segment.text).empty())
        attempt.segments.push_back(std::move(segment));
    }
    attempt.compression_ratio = compression_ratio(trimmed(whole));
    // whisper.cpp drops an improbable text where no speech is likely; a text about the silence is as little
    // wanted.
    if (attempt.window.no_speech_probability > request_.no_speech_threshold) {
      auto& segments = attempt.segments;
      segments.erase(std::remove_if(segments.begin(), segments.end(),
                                    [](const SegmentResult& segment) { return is_annotation(segment.text); }),
                     segments.end());
    }
    for (SegmentResult& segment : attempt.segments) {
      segment.temperature = attempt.temperature;
      segment.average_log_probability = attempt.window.average_log_probability;
      segment.compression_ratio = attempt.compression_ratio;
      segment.no_speech_probability = attempt.window.no_speech_probability;
      segment.language = language_;
    }
  }

  // The window is still encoded; what the decoder has seen is not needed any more.
  void write_words(int seek, int end, std::vector<SegmentResult>& segments) {
    std::vector<whisper_token> text;
    for (const SegmentResult& segment : segments) {
      for (const TokenResult& token : segment.tokens)
        text.push_back(token.id);
    }
    if (text.empty())
      return;
    const std::vector<whisper_token> start = start_tokens(context_, language_, request_.translate);
    compute_.skip_graphs = 0;
    const std::vector<double> times = lease_->use([&](whisper_state& state) {
      return token_times(context_, state, model_.alignment_heads(), start, text,
                         std::min(end - seek, kWindowFrames));
    });
    check(cancelled_);
    if (times.empty())
      fail("The words could not be aligned");
    auto first = times.begin();
    for (SegmentResult& segment : segments) {
      std::vector<WindowToken> tokens;
      for (const TokenResult& token : segment.tokens)
        tokens.push_back({token.id, token.probability});
      const auto last = first + static_cast<ptrdiff_t>(tokens.size());
      segment.words = words_of(context_, tokens, {first, last + 1}, language_);
      // Where attention and timestamps disagree by much, the attention has mostly reached back over a pause.
      const double earliest = std::max(segment.start - kTimestampError, spoken_until_);
      const double latest = std::max(segment.end + kTimestampError, earliest);
      for (WordResult& word : segment.words) {
        word.start = std::clamp(seek / 100.0 + word.start, earliest, latest);
        word.end = std::clamp(seek / 100.0 + word.end, earliest, latest);
      }
      // A word at the edge that is much longer than the segment has swallowed a pause.
      WordResult& front = segment.words.front();
      WordResult& back = segment.words.back();
      if (front.start + kEdgeError < segment.start && segment.start < front.end)
        front.start = segment.start;
      if (back.end - kEdgeError > segment.end && segment.end > back.start)
        back.end = segment.end;
      // Else the words are found more precisely than the segment, which may begin long before the first of
      // them.
      segment.start = front.start;
      segment.end = back.end;
      spoken_until_ = segment.end;
      first = last;
    }
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

DetectedLanguage detect_language(LoadedModel& model, const OpenAudio& open_audio, const std::string& network,
                                 int threads, const std::atomic<bool>& cancelled) {
  const auto lease = model.lease();
  if (!whisper_is_multilingual(&model.context()))
    return {"en", 1.0, {{"en", 1.0}}};
  Phases phases;
  SpeechDetector speech(SpeechRequest{network, {}});
  const LogMel mel =
      read_mel(model, *open_audio(), kListenedSeconds * LogMel::kSampleRate, &speech, cancelled, phases);
  if (mel.frames() <= kMinimumFrames) {
    throw Error("ERR_INVALID_ARGUMENT",
                "Expected at least 100 ms of audio to detect a language in but received " +
                    std::to_string(mel.samples() / 16) + " ms");
  }
  ComputeJob compute{&cancelled, threads, {}, model.gpu_only(), 0};
  ComputeScope scope(compute);
  const std::pair<int, int> all = {0, static_cast<int>(mel.frames())};
  LanguageVote vote({});
  for (const auto& part : language_windows(all, speech.speech(), {all})) {
    std::vector<float>& window = mel_window(lease->state(), model.hparams().n_mels, kWindowFrames);
    mel.window(static_cast<size_t>(part.first), kWindowFrames, static_cast<size_t>(part.second),
               window.data());
    const std::vector<float> probabilities = lease->use(
        [&model](whisper_state& state) { return language_probabilities(model.context(), state, 0); });
    check(cancelled);
    if (probabilities.empty())
      throw Error("ERR_INTERNAL", "The language could not be detected");
    vote.add(probabilities);
    if (vote.sure())
      break;
  }

  DetectedLanguage result;
  const std::vector<double> probabilities = vote.all();
  for (size_t i = 0; i < probabilities.size(); ++i)
    result.all.emplace_back(whisper_lang_str(static_cast<int>(i)), probabilities[i]);
  std::stable_sort(result.all.begin(), result.all.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  result.language = result.all.front().first;
  result.probability = result.all.front().second;
  return result;
}

} // namespace whisper_hip
