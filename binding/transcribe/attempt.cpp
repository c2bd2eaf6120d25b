#include "transcribe/attempt.h"

#include <algorithm>

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

} // namespace

Attempt make_attempt(const whisper_context& context, const TranscribeRequest& request,
                     const std::string& language, int seek, float temperature, WindowResult window) {
  Attempt attempt = {std::move(window), temperature, 0.0, {}};
  TextAssembler assembler;
  std::string whole;
  int written = 0;
  for (const WindowSegment& part : attempt.window.segments) {
    SegmentResult segment = {};
    // A token without any timestamp probability gives a start before the window.
    segment.start = (seek + std::max(part.start, 0)) / 100.0;
    segment.end = (seek + part.end) / 100.0;
    for (const WindowToken& token : part.tokens) {
      // Without timestamps whisper.cpp decodes one token more than it was allowed.
      if (request.max_tokens > 0 && written++ >= request.max_tokens)
        break;
      std::string text = assembler.push(token_bytes(context, token.id));
      segment.text += text;
      segment.tokens.push_back({token.id, std::move(text), token.probability});
    }
    if (&part == &attempt.window.segments.back())
      segment.text += assembler.flush();
    whole += segment.text;
    if (!trimmed(segment.text).empty())
      attempt.segments.push_back(std::move(segment));
  }
  attempt.compression_ratio = compression_ratio(trimmed(whole));
  // whisper.cpp drops an improbable text where no speech is likely; a text about the silence is as little
  // wanted.
  if (attempt.window.no_speech_probability > request.no_speech_threshold) {
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
    segment.language = language;
  }
  return attempt;
}

std::vector<whisper_token> text_tokens(const std::vector<SegmentResult>& segments) {
  std::vector<whisper_token> tokens;
  for (const SegmentResult& segment : segments) {
    for (const TokenResult& token : segment.tokens)
      tokens.push_back(token.id);
  }
  return tokens;
}

} // namespace whisper_hip
