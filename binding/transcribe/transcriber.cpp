#include "transcribe/transcriber.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "support/cancellation.h"
#include "support/error.h"
#include "support/log.h"
#include "transcribe/batch.h"
#include "transcribe/clip_decoder.h"
#include "transcribe/language.h"
#include "transcribe/recording.h"
#include "transcribe/speech_clips.h"
#include "transcribe/window_language.h"

namespace whisper_hip {

namespace {

using Clock = std::chrono::steady_clock;
using Span = std::pair<int, int>;

// From two minutes on there is more than one stretch.
constexpr int kLongAudio = 4 * kWindowFrames;

class Job {
 public:
  Job(LoadedModel& model, const TranscribeRequest& request, const std::atomic<bool>& cancelled,
      const TranscribeEvents& events)
      : lease_(model.lease()), request_(request), cancelled_(cancelled), events_(events),
        client_(cancelled, request.threads, false),
        rules_(lease_->context(), lease_->engine().tokens(), request.rules, cancelled),
        facts_{lease_->context(),       lease_->engine(), &client_, model.hparams(),
               model.alignment_heads(), request,          rules_,   request.hotwords} {
    const std::vector<Token>& prompt = request.initial_prompt;
    if (request.carry_initial_prompt)
      facts_.carried.insert(facts_.carried.end(), prompt.begin(), prompt.end());
    else
      before_.history = prompt;
    before_.prefix = request.prefix;
  }

  TranscribeResult run(const OpenAudio& open_audio) {
    const auto start = Clock::now();
    const std::unique_ptr<AudioStream> audio = open_audio();
    if (request_.diarize)
      audio->compare_sides();
    Recording recording = read_recording(facts_.context, facts_.hparams, *audio, SIZE_MAX, speech_request(),
                                         cancelled_, result_.phases);
    const LogMel& mel = recording.mel;
    facts_.mel = &mel;
    facts_.voiced = &voiced_;
    if (is_complete())
      voiced_ = std::move(recording.voiced);
    sides_ = audio->sides();
    result_.channels = audio->channels();
    result_.warnings.add(audio->warnings());
    result_.duration = static_cast<double>(mel.samples()) / LogMel::kSampleRate;
    std::vector<Span> clips = clip_frames(mel);
    if (request_.vad)
      clips = speech_in_clips(recording.speech, clips);
    for (const Span& clip : clips)
      total_frames_ += clip.second - clip.first;
    settle_language(clips, recording.speech);
    const int at_once = windows_at_once();
    if (at_once > 1)
      decode_batch(facts_, before_, stretches_of(voiced_, clips, at_once), at_once, events_of_clips());
    else
      decode_in_order(clips);
    const PassSeconds spent = client_.seconds();
    result_.phases.encode = spent.encode;
    result_.phases.prompt = spent.prompt;
    result_.phases.sample = spent.sample;
    result_.nodes = client_.counts();
    result_.wall = std::chrono::duration<double>(Clock::now() - start).count();
    return std::move(result_);
  }

 private:
  // The clips in frames, cut to the audio.
  std::vector<Span> clip_frames(const LogMel& mel) {
    std::vector<Span> frames;
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
    const bool detects = request_.language.empty() && is_multilingual(facts_.context);
    if (request_.network.empty() || (!detects && !is_complete()))
      return std::nullopt;
    return SpeechRequest{request_.network, {}};
  }

  // Whether all speech is wanted: a limit and a grammar leave something out on purpose.
  bool is_complete() const { return request_.max_tokens == 0 && request_.rules.grammar.empty(); }

  // Windows that are decoded together; 1 where each one needs the text of the one before it.
  int windows_at_once() const {
    const bool is_ordered = request_.condition_on_previous_text || !is_complete() || voiced_.is_empty() ||
                            std::isfinite(request_.hallucination_silence_threshold);
    if (is_ordered || (request_.batch_size == 0 && total_frames_ <= kLongAudio))
      return 1;
    return request_.batch_size > 0 ? request_.batch_size : facts_.engine.batch_windows();
  }

  void decode_in_order(const std::vector<Span>& clips) {
    ClipDecoder decoder(facts_, before_, events_of_clips());
    for (const Span& clip : clips)
      decoder.decode(clip.first, clip.second, std::exchange(encoded_, nullptr));
  }

  ClipDecoder::Events events_of_clips() {
    ClipDecoder::Events events;
    events.segments = [this](std::vector<SegmentResult> segments) {
      if (sides_)
        name_speakers(segments);
      events_.segments(std::move(segments));
    };
    events.warning = [this](Warning warning) { result_.warnings.add(std::move(warning)); };
    events.progress = [this](int frames) { progress(frames); };
    return events;
  }

  void name_speakers(std::vector<SegmentResult>& segments) const {
    for (SegmentResult& segment : segments) {
      segment.speaker = sides_->louder(segment.start, segment.end);
      for (WordResult& word : segment.words)
        word.speaker = sides_->louder(word.start, word.end);
    }
  }

  void progress(int frames) {
    done_frames_ += frames;
    events_.progress(std::min(static_cast<double>(done_frames_) / total_frames_, 1.0));
  }

  void settle_language(const std::vector<Span>& clips, const std::vector<SpeechSpan>& speech) {
    std::string& language = facts_.language;
    language = request_.language;
    result_.language_probability = 1.0;
    if (!is_multilingual(facts_.context))
      language = "en";
    const Span first = first_window(clips);
    if (language.empty() && first.first < 0) {
      language = request_.languages.empty() ? "en" : request_.languages.front();
      result_.language_probability = 0.0;
    } else if (language.empty()) {
      LanguageVote vote(request_.languages);
      for (const Span& part : language_windows(first, speech, clips)) {
        encoded_ = nullptr; // before another one is made
        Window window =
            encode_window(facts_.engine, client_, *facts_.mel, facts_.hparams, part.first, part.second);
        vote.add(language_probabilities(facts_.context, facts_.engine, client_, window));
        if (part == first)
          encoded_ = std::move(window);
        if (vote.sure())
          break;
      }
      language = vote.language();
      result_.language_probability = vote.probability();
      if (!vote.sure() && !speech.empty())
        result_.warnings.add(
            {"LANGUAGE_UNSURE", "The language was guessed: " + language + ", with a probability of " +
                                    std::to_string(std::lround(100 * vote.probability())) + " %"});
    }
    result_.language = language;
  }

  // Where decoding will begin, and the end of its clip; { -1, -1 } when there is nothing to decode.
  Span first_window(const std::vector<Span>& clips) const {
    for (const Span& clip : clips) {
      const int seek = skip_silence(*facts_.mel, clip.first, clip.second);
      if (seek + kMinimumFrames < clip.second)
        return {seek, clip.second};
    }
    return {-1, -1};
  }

  std::unique_ptr<LoadedModel::Lease> lease_; // from the start: it keeps the model
  const TranscribeRequest& request_;
  const std::atomic<bool>& cancelled_;
  const TranscribeEvents& events_;
  Client client_;
  DecodingRules rules_;
  JobFacts facts_;
  VoicedTime voiced_;
  std::shared_ptr<const SideLoudness> sides_; // when speakers are told apart
  TextBefore before_;
  TranscribeResult result_ = {};
  Window encoded_; // the first window, when its language was looked for
  int total_frames_ = 0;
  int done_frames_ = 0;
};

} // namespace

TranscribeResult transcribe(LoadedModel& model, const OpenAudio& open_audio, const TranscribeRequest& request,
                            const std::atomic<bool>& cancelled, const TranscribeEvents& events) {
  return Job(model, request, cancelled, events).run(open_audio);
}

} // namespace whisper_hip
