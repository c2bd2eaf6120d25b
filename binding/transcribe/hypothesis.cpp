#include "transcribe/hypothesis.h"

#include <algorithm>
#include <chrono>

#include "support/error.h"
#include "support/log.h"
#include "transcribe/compression_ratio.h"
#include "transcribe/prompt.h"
#include "transcribe/token_filter.h"
#include "transcribe/token_times.h"

namespace whisper_hip {

namespace {

constexpr int kWindowFrames = 3000; // 30 s

void check(const std::atomic<bool>& cancelled) {
  if (cancelled.load(std::memory_order_relaxed))
    throw Error("ERR_CANCELLED", "The job was cancelled");
}

// Whether the text ends in the same few tokens again and again.
bool ends_in_loop(const std::vector<whisper_token>& tokens) {
  for (size_t period = 1; period <= 12; ++period) {
    const size_t length = period * (period == 1 ? 6 : 4);
    if (tokens.size() < length)
      break;
    const auto last = tokens.end() - static_cast<ptrdiff_t>(length);
    if (std::equal(last, tokens.end() - static_cast<ptrdiff_t>(period),
                   last + static_cast<ptrdiff_t>(period)))
      return true;
  }
  return false;
}

LogMel read_mel(LoadedModel& model, const OpenAudio& open_audio, const std::atomic<bool>& cancelled) {
  const std::unique_ptr<AudioStream> audio = open_audio();
  LogMel mel(mel_filters(model.context()), model.hparams().n_mels);
  std::vector<float> block(64 * 1024);
  const size_t most = 30 * LogMel::kSampleRate;
  while (mel.samples() < most) {
    check(cancelled);
    const size_t count = audio->read(block.data(), std::min(block.size(), most - mel.samples()));
    if (count == 0)
      break;
    mel.push(block.data(), count);
  }
  mel.finish();
  return mel;
}

class Guess {
 public:
  Guess(LoadedModel& model, const HypothesisRequest& request, const std::atomic<bool>& cancelled)
      : model_(model), lease_(model.lease()), context_(model.context()), request_(request),
        cancelled_(cancelled), filter_(context_, request.suppress_tokens, {}, cancelled),
        compute_{&cancelled, request.threads, {}, model.gpu_only(), 0} {}

  Hypothesis run(const OpenAudio& open_audio) {
    const auto begun = std::chrono::steady_clock::now();
    const LogMel mel = read_mel(model_, open_audio, cancelled_);
    frames_ = static_cast<int>(std::min<size_t>(mel.frames(), kWindowFrames));
    std::vector<float>& window = mel_window(lease_->state(), model_.hparams().n_mels, kWindowFrames);
    mel.window(0, kWindowFrames, mel.frames(), window.data());
    ComputeScope scope(compute_);
    encode();
    decode();
    write_words();
    hypothesis_.nodes = compute_.counts;
    hypothesis_.wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    return std::move(hypothesis_);
  }

 private:
  // With the language, when it has to be found.
  void encode() {
    hypothesis_.language = whisper_is_multilingual(&context_) ? request_.language : "en";
    hypothesis_.language_probability = 1.0;
    if (!hypothesis_.language.empty()) {
      step([this](whisper_state& state) { return encode_window(context_, state, request_.audio_context); });
      return;
    }
    const std::vector<float> probabilities = lease_->use([this](whisper_state& state) {
      return language_probabilities(context_, state, request_.audio_context);
    });
    check(cancelled_);
    if (probabilities.empty())
      fail("The language could not be detected");
    const auto best = std::max_element(probabilities.begin(), probabilities.end());
    hypothesis_.language = whisper_lang_str(static_cast<int>(best - probabilities.begin()));
    hypothesis_.language_probability = *best;
  }

  void decode() {
    const std::vector<whisper_token> start = start_tokens(context_, hypothesis_.language, request_.translate);
    std::vector<whisper_token> tokens = prompt();
    const size_t row_of_start = tokens.size();
    tokens.insert(tokens.end(), start.begin(), start.end());
    tokens.insert(tokens.end(), request_.prefix.begin(), request_.prefix.end());
    text_ = request_.prefix;

    whisper_full_params params = whisper_full_default_params(WHISPER_SAMPLING_GREEDY);
    params.no_timestamps = true;
    params.suppress_blank = request_.suppress_blank;
    params.suppress_nst = request_.suppress_non_speech;
    filter_.install(params);

    const int limit =
        std::min(request_.max_tokens, model_.hparams().n_text_ctx - static_cast<int>(tokens.size()));
    int position = 0;
    double log_probability = 0;
    for (int count = 0;; ++count) {
      step([&](whisper_state& state) {
        return decode_tokens(context_, state, tokens, position,
                             position == 0 ? static_cast<int>(tokens.size() - row_of_start) : 1);
      });
      const int row = static_cast<int>(tokens.size()) - 1;
      if (position == 0) {
        hypothesis_.no_speech_probability = token_probability(
            context_, lease_->state(), static_cast<int>(row_of_start), whisper_token_nosp(&context_));
      }
      const Choice choice = best_token(context_, lease_->state(), params, row, text_);
      if (filter_.found_damage())
        throw_damaged_model();
      log_probability += choice.log_probability;
      hypothesis_.average_log_probability = log_probability / (count + 1);
      if (choice.id >= whisper_token_eot(&context_) || count >= limit)
        break;
      text_.push_back(choice.id);
      probabilities_.push_back(choice.probability);
      hypothesis_.repeats = ends_in_loop(text_);
      if (hypothesis_.repeats)
        break;
      position += static_cast<int>(tokens.size());
      tokens = {choice.id};
    }
  }

  // What is said to come before the audio, as far as half of the context has room.
  std::vector<whisper_token> prompt() {
    std::vector<whisper_token> tokens = prompt_tokens(context_, request_.prompt);
    if (tokens.empty())
      return tokens;
    const size_t most = model_.hparams().n_text_ctx / 2 - 1;
    if (tokens.size() > most)
      tokens.erase(tokens.begin(), tokens.end() - static_cast<ptrdiff_t>(most));
    tokens.insert(tokens.begin(), whisper_token_prev(&context_));
    return tokens;
  }

  void write_words() {
    std::string whole;
    for (const whisper_token token : text_)
      whole += token_bytes(context_, token);
    hypothesis_.compression_ratio = compression_ratio(whole);
    if (probabilities_.empty())
      return;
    const std::vector<whisper_token> start = start_tokens(context_, hypothesis_.language, request_.translate);
    const std::vector<double> times = lease_->use([&](whisper_state& state) {
      return token_times(context_, state, model_.alignment_heads(), start, text_, frames_);
    });
    check(cancelled_);
    if (times.empty())
      fail("The words could not be aligned");
    // The prefix too: where it ends tells whether the rest begins within a word.
    std::vector<WindowToken> tokens;
    const size_t kept = request_.prefix.size();
    for (size_t i = 0; i < text_.size(); ++i)
      tokens.push_back({text_[i], i < kept ? 1.0f : probabilities_[i - kept]});
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

  template <typename Work> void step(Work work) {
    const bool done = lease_->use([&](whisper_state& state) { return work(state); });
    check(cancelled_);
    if (!done)
      fail("whisper.cpp could not compute");
  }

  [[noreturn]] void fail(const std::string& what) {
    const std::string& errors = log_.errors();
    const bool memory = errors.find("alloc") != std::string::npos;
    throw Error(memory ? "ERR_OUT_OF_MEMORY" : "ERR_INTERNAL", errors.empty() ? what : what + ": " + errors);
  }

  LoadedModel& model_;
  std::unique_ptr<LoadedModel::Lease> lease_;
  whisper_context& context_;
  const HypothesisRequest& request_;
  const std::atomic<bool>& cancelled_;
  TokenFilter filter_;
  LogScope log_;
  ComputeJob compute_;
  Hypothesis hypothesis_ = {};
  int frames_ = 0;
  std::vector<whisper_token> text_;  // with the prefix
  std::vector<float> probabilities_; // of what follows the prefix
};

} // namespace

Hypothesis hypothesize(LoadedModel& model, const OpenAudio& open_audio, const HypothesisRequest& request,
                       const std::atomic<bool>& cancelled) {
  return Guess(model, request, cancelled).run(open_audio);
}

} // namespace whisper_hip
