#include "transcribe/hypothesis.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "support/cancellation.h"
#include "support/error.h"
#include "support/log.h"
#include "transcribe/compression_ratio.h"
#include "transcribe/language.h"
#include "transcribe/prompt.h"
#include "transcribe/recording.h"
#include "transcribe/token_filter.h"
#include "transcribe/token_times.h"

namespace whisper_hip {

namespace {

constexpr int kWindowFrames = 3000; // 30 s
constexpr size_t kMostSamples = 30 * LogMel::kSampleRate;
constexpr int kFewestTokens = 32; // there is room for, whatever is said to come before

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

class Guess {
 public:
  Guess(LoadedModel& model, const HypothesisRequest& request, const std::atomic<bool>& cancelled)
      : model_(model), lease_(model.lease()), context_(model.context()), request_(request),
        cancelled_(cancelled), filter_(context_, request.suppress_tokens, {}, cancelled),
        compute_{&cancelled, request.threads, {}, model.gpu_only(), 0} {}

  Hypothesis run(const OpenAudio& open_audio) {
    const auto begun = std::chrono::steady_clock::now();
    Phases phases;
    const Recording recording = read_recording(model_, *open_audio(), kMostSamples, {}, cancelled_, phases);
    const LogMel& mel = recording.mel;
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
    LanguageVote vote(request_.languages);
    vote.add(probabilities);
    hypothesis_.language = vote.language();
    hypothesis_.language_probability = vote.probability();
  }

  void decode() {
    const std::vector<whisper_token> start = start_tokens(context_, hypothesis_.language, request_.translate);
    std::vector<whisper_token> tokens = prompt(start.size() + request_.prefix.size());
    const size_t row_of_start = tokens.size();
    tokens.insert(tokens.end(), start.begin(), start.end());
    tokens.insert(tokens.end(), request_.prefix.begin(), request_.prefix.end());

    lease_->prepare([&](whisper_state& state) { reserve_decoders(context_, state, request_.beam_size); });
    step([&](whisper_state& state) {
      return decode_tokens(context_, state, tokens, 0, static_cast<int>(tokens.size() - row_of_start));
    });
    hypothesis_.no_speech_probability = lease_->use([&](whisper_state& state) {
      return token_probability(context_, state, static_cast<int>(row_of_start),
                               whisper_token_nosp(&context_));
    });

    whisper_full_params params = whisper_full_default_params(WHISPER_SAMPLING_GREEDY);
    params.no_timestamps = true;
    params.suppress_blank = request_.suppress_blank;
    params.suppress_nst = request_.suppress_non_speech;
    filter_.install(params);
    const int room = model_.hparams().n_text_ctx - static_cast<int>(tokens.size());
    const Sequence best =
        search(params, static_cast<int>(tokens.size()), std::min(request_.max_tokens, room));
    hypothesis_.average_log_probability = best.mean();
    hypothesis_.repeats = ends_in_loop(best.text);
    text_ = best.text;
    probabilities_ = best.probabilities;
  }

  struct Sequence {
    std::vector<whisper_token> text;
    std::vector<float> probabilities; // of what follows the prefix
    double log_probability = 0;       // of that and the end
    bool ended = false;

    double mean() const {
      return log_probability / static_cast<double>(std::max<size_t>(probabilities.size() + ended, 1));
    }
  };

  // Beam search (OpenAI's BeamSearchDecoder with patience 1): the sequences side by side with the best sum of
  // log probabilities, until as many have ended; of those the best mean. With one beam it is greedy.
  Sequence search(const whisper_full_params& params, int position, int limit) {
    const auto beams = static_cast<size_t>(request_.beam_size);
    std::vector<Sequence> live = {{request_.prefix, {}, 0, false}};
    std::vector<Sequence> ended;
    std::vector<int> rows = {position - 1};
    for (int count = 0;; ++count) {
      struct Candidate {
        int parent;
        Choice choice;
        double sum;
      };
      std::vector<Candidate> candidates;
      for (size_t i = 0; i < live.size(); ++i) {
        const std::vector<Choice> choices = lease_->use([&](whisper_state& state) {
          std::vector<Choice> best = best_tokens(context_, state, params, rows[i], live[i].text, beams + 1);
          if (filter_.found_damage())
            throw_not_numbers(state);
          return best;
        });
        for (const Choice& choice : choices)
          candidates.push_back(
              {static_cast<int>(i), choice, live[i].log_probability + choice.log_probability});
      }
      std::stable_sort(candidates.begin(), candidates.end(),
                       [](const Candidate& a, const Candidate& b) { return a.sum > b.sum; });
      std::vector<Sequence> next;
      std::vector<Continuation> continuations;
      for (const Candidate& candidate : candidates) {
        if (next.size() == beams || ended.size() == beams)
          break;
        Sequence sequence = live[candidate.parent];
        sequence.log_probability = candidate.sum;
        sequence.ended = candidate.choice.id >= whisper_token_eot(&context_);
        if (sequence.ended) {
          ended.push_back(std::move(sequence));
          continue;
        }
        sequence.text.push_back(candidate.choice.id);
        sequence.probabilities.push_back(candidate.choice.probability);
        continuations.push_back({candidate.parent, candidate.choice.id});
        next.push_back(std::move(sequence));
      }
      const bool done =
          ended.size() >= beams || next.empty() || count + 1 >= limit || ends_in_loop(next.front().text);
      if (done) {
        // A loop, or a text without an end, counts only where nothing has ended.
        const std::vector<Sequence>& all = ended.empty() ? next : ended;
        return *std::max_element(all.begin(), all.end(),
                                 [](const Sequence& a, const Sequence& b) { return a.mean() < b.mean(); });
      }
      live = std::move(next);
      step([&](whisper_state& state) {
        return decode_continuations(context_, state, continuations, position + count);
      });
      rows.resize(live.size());
      std::iota(rows.begin(), rows.end(), 0);
    }
  }

  // What is said to come before the audio, as far as half of the context has room, and less where the
  // beginning of the text is long.
  std::vector<whisper_token> prompt(size_t text_start) {
    std::vector<whisper_token> tokens = request_.prompt;
    const int context = model_.hparams().n_text_ctx;
    const int room = std::min(context / 2, context - static_cast<int>(text_start) - kFewestTokens) - 1;
    if (tokens.empty() || room <= 0)
      return {};
    if (tokens.size() > static_cast<size_t>(room))
      tokens.erase(tokens.begin(), tokens.end() - room);
    tokens.insert(tokens.begin(), whisper_token_prev(&context_));
    return tokens;
  }

  void write_words() {
    std::string whole;
    for (const whisper_token token : text_)
      whole += token_bytes(context_, token);
    hypothesis_.compression_ratio = compression_ratio(whole);
    // Less than the attention can tell apart is no audio.
    if (probabilities_.empty() || frames_ < 2)
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
