#include "transcribe/hypothesis.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "transcribe/align_text.h"
#include "transcribe/compression_ratio.h"
#include "transcribe/decoding_rules.h"
#include "transcribe/language.h"
#include "transcribe/prompt.h"
#include "transcribe/recording.h"
#include "transcribe/window_decoder.h"
#include "transcribe/window_language.h"

namespace whisper_hip {

namespace {

constexpr size_t kMostSamples = 30 * LogMel::kSampleRate;
constexpr int kFewestTokens = 32; // there is room for, whatever is said to come before

class Guess {
 public:
  Guess(LoadedModel& model, const HypothesisRequest& request, const std::atomic<bool>& cancelled)
      : model_(model), lease_(model.lease()), context_(lease_->context()), engine_(lease_->engine()),
        request_(request), cancelled_(cancelled), client_(cancelled, request.threads, true),
        rules_(context_, engine_.tokens(), rule_request(request), cancelled) {}

  Hypothesis run(const OpenAudio& open_audio) {
    const auto begun = std::chrono::steady_clock::now();
    Phases phases;
    const Recording recording =
        read_recording(context_, model_.hparams(), *open_audio(), kMostSamples, {}, cancelled_, phases);
    const LogMel& mel = recording.mel;
    frames_ = static_cast<int>(std::min<size_t>(mel.frames(), kWindowFrames));
    encode(mel);
    decode();
    write_words();
    hypothesis_.nodes = client_.counts();
    hypothesis_.wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    return std::move(hypothesis_);
  }

 private:
  static RuleRequest rule_request(const HypothesisRequest& request) {
    RuleRequest rules;
    rules.timestamps = false;
    rules.suppress_blank = request.suppress_blank;
    rules.suppress_non_speech = request.suppress_non_speech;
    rules.suppress_tokens = request.suppress_tokens;
    return rules;
  }

  // With the language, when it has to be found.
  void encode(const LogMel& mel) {
    const int all = model_.hparams().n_audio_ctx;
    const int positions = request_.audio_context > 0 ? std::min(request_.audio_context, all) : all;
    std::vector<float> window(static_cast<size_t>(model_.hparams().n_mels) * 2 * positions);
    mel.window(0, static_cast<size_t>(2 * positions), mel.frames(), window.data());
    window_ = engine_.encode(client_, std::move(window), positions);
    hypothesis_.language = is_multilingual(context_) ? request_.language : "en";
    hypothesis_.language_probability = 1.0;
    if (!hypothesis_.language.empty())
      return;
    LanguageVote vote(request_.languages);
    vote.add(language_probabilities(context_, engine_, client_, window_));
    hypothesis_.language = vote.language();
    hypothesis_.language_probability = vote.probability();
  }

  void decode() {
    start_ = start_tokens(context_, hypothesis_.language, request_.translate, false);
    Prompt prompt = make_prompt(context_, {}, history(start_.size() + request_.prefix.size()), start_);
    prompt.tokens.insert(prompt.tokens.end(), request_.prefix.begin(), request_.prefix.end());
    const int room = model_.hparams().n_text_ctx - static_cast<int>(prompt.tokens.size());
    SearchOptions options;
    options.beam_size = request_.beam_size;
    options.max_tokens = std::max(std::min(request_.max_tokens, room), 1);
    options.prefix = request_.prefix;
    const std::unique_ptr<Rules> rules = rules_.make(request_.prefix);
    const std::unique_ptr<Search> search = make_search(engine_.tokens(), options, *rules);
    hypothesis_.no_speech_probability = engine_.decode(client_, window_, prompt, *search);
    best_ = search->best();
    hypothesis_.average_log_probability = best_.mean();
    hypothesis_.repeats = search->repeats();
  }

  // What is said to come before the audio, as far as half of the context has room, and less where the
  // beginning of the text is long.
  std::vector<Token> history(size_t text_start) {
    std::vector<Token> tokens = request_.prompt;
    const int context = model_.hparams().n_text_ctx;
    const int room = std::min(context / 2, context - static_cast<int>(text_start) - kFewestTokens) - 1;
    if (tokens.empty() || room <= 0)
      return {};
    if (tokens.size() > static_cast<size_t>(room))
      tokens.erase(tokens.begin(), tokens.end() - room);
    return tokens;
  }

  void write_words() {
    std::string whole;
    for (const Token token : best_.text)
      whole += token_bytes(context_, token);
    hypothesis_.compression_ratio = compression_ratio(whole);
    // Less than the attention can tell apart is no audio.
    if (best_.probabilities.empty() || frames_ < 2)
      return;
    const std::vector<double> times = align_text(engine_, client_, window_, model_.alignment_heads(), start_,
                                                 best_.text, std::min(frames_, 2 * window_->positions()));
    if (times.empty())
      return;
    // The prefix too: where it ends tells whether the rest begins within a word.
    std::vector<WindowToken> tokens;
    const size_t kept = request_.prefix.size();
    for (size_t i = 0; i < best_.text.size(); ++i)
      tokens.push_back({best_.text[i], i < kept ? 1.0f : best_.probabilities[i - kept]});
    size_t next = 0;
    for (WordResult& word : words_of(context_, tokens, times, hypothesis_.language)) {
      const size_t first = next;
      next += word.tokens.size();
      if (next <= kept)
        continue;
      if (first < kept) {
        hypothesis_.continues = true;
        const std::vector<WindowToken> rest(tokens.begin() + static_cast<ptrdiff_t>(kept),
                                            tokens.begin() + static_cast<ptrdiff_t>(next));
        const std::vector<double> rest_times(times.begin() + static_cast<ptrdiff_t>(kept),
                                             times.begin() + static_cast<ptrdiff_t>(next) + 1);
        for (WordResult& part : words_of(context_, rest, rest_times, hypothesis_.language))
          hypothesis_.words.push_back(std::move(part));
      } else {
        hypothesis_.words.push_back(std::move(word));
      }
    }
  }

  LoadedModel& model_;
  std::unique_ptr<LoadedModel::Lease> lease_;
  const whisper_context& context_;
  Engine& engine_;
  const HypothesisRequest& request_;
  const std::atomic<bool>& cancelled_;
  Client client_;
  DecodingRules rules_;
  Hypothesis hypothesis_ = {};
  Window window_;
  int frames_ = 0;
  std::vector<Token> start_;
  Sequence best_;
};

} // namespace

Hypothesis hypothesize(LoadedModel& model, const OpenAudio& open_audio, const HypothesisRequest& request,
                       const std::atomic<bool>& cancelled) {
  return Guess(model, request, cancelled).run(open_audio);
}

} // namespace whisper_hip
