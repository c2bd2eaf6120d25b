#include "transcribe/attempt.h"

#include <algorithm>
#include <cctype>

#include "engine/search/segments.h"
#include "transcribe/compression_ratio.h"
#include "transcribe/text_assembler.h"

namespace whisper_hip {

namespace {

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

// Annotations that tell of nothing at all.
bool is_about_silence(const std::string& text) {
  std::string lower = trimmed(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char character) { return static_cast<char>(std::tolower(character)); });
  for (const char* nothing :
       {"[blank_audio]", "[ silence ]", "[silence]", "(silence)", "(silent)", "[no audio]"}) {
    if (lower == nothing)
      return true;
  }
  return false;
}

// Tokens before the first segment that begins where there is no audio any more: models go on writing there.
size_t tokens_within(const std::vector<Token>& text, const SpecialTokens& special, int frames) {
  constexpr int kFramesPerTimestamp = 2;
  for (size_t i = 1; i < text.size(); ++i) {
    const bool begins = text[i] >= special.first_timestamp && text[i - 1] >= special.first_timestamp;
    if (begins && (text[i] - special.first_timestamp) * kFramesPerTimestamp >= frames)
      return i;
  }
  return text.size();
}

} // namespace

Attempt make_attempt(const whisper_context& context, const SpecialTokens& special,
                     const TranscribeRequest& request, const std::string& language, int seek, int frames,
                     float temperature, Found found) {
  const Sequence& sequence = found.sequence;
  const std::vector<Token> tokens(sequence.text.begin(),
                                  sequence.text.begin() +
                                      static_cast<ptrdiff_t>(tokens_within(sequence.text, special, frames)));
  Attempt attempt = {temperature, tokens, found.repeats, sequence.mean(), found.no_speech_probability, 0.0,
                     frames,      {}};
  WindowText text = split_text(tokens, special, frames);
  // A text that a limit has cut does not tell where it ends.
  const bool is_cut = request.max_tokens > 0 && !sequence.ended;
  attempt.seek_delta = is_cut ? frames : text.seek;
  const size_t prefix = sequence.text.size() - sequence.probabilities.size();
  std::string whole;
  for (const Token token : sequence.text)
    whole += token < special.end ? token_bytes(context, token) : std::string();
  TextAssembler assembler;
  for (const TextSegment& part : text.segments) {
    SegmentResult segment = {};
    segment.start = (seek + part.start) / 100.0;
    segment.end = (seek + part.end) / 100.0;
    for (size_t i = part.first; i < part.last; ++i) {
      const Token token = tokens[i];
      if (token >= special.end || i < prefix)
        continue;
      std::string piece = assembler.push(token_bytes(context, token));
      segment.text += piece;
      segment.tokens.push_back({token, std::move(piece), sequence.probabilities[i - prefix]});
    }
    if (&part == &text.segments.back())
      segment.text += assembler.flush();
    if (!trimmed(segment.text).empty())
      attempt.segments.push_back(std::move(segment));
  }
  attempt.compression_ratio = compression_ratio(trimmed(whole));
  const bool is_silent = attempt.no_speech_probability > request.no_speech_threshold;
  // An improbable text where no speech is likely is none (OpenAI's transcribe.py).
  if (is_silent && attempt.average_log_probability < request.log_probability_threshold) {
    attempt.segments.clear();
    attempt.seek_delta = frames;
  }
  // A text about the silence is as little wanted.
  auto& segments = attempt.segments;
  segments.erase(std::remove_if(segments.begin(), segments.end(),
                                [is_silent](const SegmentResult& segment) {
                                  return is_about_silence(segment.text) ||
                                         (is_silent && is_annotation(segment.text));
                                }),
                 segments.end());
  for (SegmentResult& segment : attempt.segments) {
    segment.temperature = attempt.temperature;
    segment.average_log_probability = attempt.average_log_probability;
    segment.compression_ratio = attempt.compression_ratio;
    segment.no_speech_probability = attempt.no_speech_probability;
    segment.language = language;
  }
  return attempt;
}

std::vector<Token> text_tokens(const std::vector<SegmentResult>& segments) {
  std::vector<Token> tokens;
  for (const SegmentResult& segment : segments) {
    for (const TokenResult& token : segment.tokens)
      tokens.push_back(token.id);
  }
  return tokens;
}

} // namespace whisper_hip
