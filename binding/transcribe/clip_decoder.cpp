#include "transcribe/clip_decoder.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "support/cancellation.h"
#include "transcribe/invented_text.h"

namespace whisper_hip {

namespace {

// What gave no text within a window is cut into shorter ones: 10 s.
constexpr int kLostWindow = 1000;
// A window of lost speech that gives less than this, twice in a row, is not worth a third one.
constexpr int kLeastProgress = 300;
// Timestamps may send a window back to its own beginning.
constexpr int kLeastStep = 50;
// A prompt confuses the decoder in a short rest (whisper.cpp drops it below 5 s).
constexpr int kShortRest = 500;

// Nothing lasts longer than what was decoded.
void cut(std::vector<SegmentResult>& segments, double limit) {
  for (SegmentResult& segment : segments) {
    segment.end = std::min(segment.end, limit);
    segment.start = std::min(segment.start, segment.end);
    for (WordResult& word : segment.words) {
      word.end = std::min(word.end, limit);
      word.start = std::min(word.start, word.end);
    }
  }
}

} // namespace

int skip_silence(const LogMel& mel, int seek, int end) {
  const int sound = static_cast<int>(std::min<size_t>(mel.next_audible(static_cast<size_t>(seek)), end));
  while (seek < end && sound >= std::min(seek + kWindowFrames, end))
    seek = std::min(seek + kWindowFrames, end);
  return seek;
}

void ClipDecoder::decode(int first, int end, Window encoded) {
  const double duration = static_cast<double>(job_.mel->samples()) / LogMel::kSampleRate;
  bool again = false; // the window begins with speech that the one before it has lost
  for (int seek = first;;) {
    check(job_.client->cancelled);
    const int sound = skip_silence(*job_.mel, seek, end);
    events_.progress(sound - seek);
    seek = sound;
    if (seek + kMinimumFrames >= end)
      break;
    if (seek > first && seek + kShortRest >= end)
      before_.history.clear();
    DecodedWindow decoded = decode_window(job_, seek, end, before_, 1.0f, std::exchange(encoded, nullptr));
    leave_out_invented(decoded, seek, end);
    remember(decoded);
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
      for (const FrameSpan& part : job_.voiced->parts(lost, kLostWindow))
        decode_lost(part, decoded.segments);
    }
    cut(decoded.segments, std::min(duration, (again ? seek + step : end) / 100.0));
    if (!decoded.segments.empty())
      events_.segments(std::move(decoded.segments));
    step = std::max(step, std::min(kLeastStep, end - seek));
    seek += step;
    events_.progress(step);
  }
}

// What follows is decoded again, from a window that begins later.
void ClipDecoder::leave_out_invented(DecodedWindow& decoded, int seek, int end) const {
  const double threshold = job_.request.hallucination_silence_threshold;
  if (!std::isfinite(threshold))
    return;
  const HeardWindow window = {seek / 100.0, std::min(seek + kWindowFrames, end) / 100.0, end / 100.0,
                              before_.spoken_until};
  const std::optional<InventedText> invented = find_invented(decoded.segments, window, threshold);
  if (!invented)
    return;
  decoded.segments.resize(invented->first);
  decoded.step = std::clamp(static_cast<int>(std::lround(invented->seek * 100)) - seek, 1, end - seek);
  decoded.lost.clear();
}

// Speech within a window that has no text gets a window of its own. What follows it was already decoded.
void ClipDecoder::decode_lost(const FrameSpan& lost, std::vector<SegmentResult>& segments) {
  const int end = std::min(lost.second + kMargin, static_cast<int>(job_.mel->frames()));
  TextBefore nothing;
  nothing.spoken_until = lost.first / 100.0;
  DecodedWindow decoded = decode_window(job_, lost.first, end, nothing, kHighestTrusted);
  // A doubtful text is worse than none where the model had a reason to leave something out.
  if (!decoded.good) {
    decoded = {};
    decoded.lost = {lost};
  }
  if (request_has_words(decoded))
    before_.spoken_until = std::max(before_.spoken_until, decoded.segments.back().end);
  const auto later = std::find_if(segments.begin(), segments.end(), [&](const SegmentResult& segment) {
    return segment.start * 100 >= lost.first;
  });
  cut(decoded.segments, end / 100.0);
  segments.insert(later, std::make_move_iterator(decoded.segments.begin()),
                  std::make_move_iterator(decoded.segments.end()));
  for (const FrameSpan& span : decoded.lost)
    events_.warning({"SPEECH_NOT_TRANSCRIBED", "What sounds like speech gave no text", span.first / 100.0,
                     span.second / 100.0});
}

bool ClipDecoder::request_has_words(const DecodedWindow& window) const {
  return job_.request.words && !window.segments.empty();
}

// What the next window is conditioned on. A window without text leaves it as it is. Text that only a high
// temperature gave is likely to be wrong, and would spread (OpenAI's transcribe.py).
void ClipDecoder::remember(const DecodedWindow& window) {
  before_.prefix.clear();
  if (request_has_words(window))
    before_.spoken_until = window.segments.back().end;
  if (window.segments.empty())
    return;
  std::vector<Token>& history = before_.history;
  if (!job_.request.condition_on_previous_text || window.temperature > kHighestTrusted)
    return history.clear();
  history.insert(history.end(), window.tokens.begin(), window.tokens.end());
  const size_t most = 224;
  if (history.size() > most)
    history.erase(history.begin(), history.end() - static_cast<ptrdiff_t>(most));
}

} // namespace whisper_hip
