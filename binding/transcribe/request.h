// What a job is asked to do and what it answers: plain structs, copied across the border.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/compute.h"
#include "engine/search/search.h"
#include "support/warnings.h"
#include "transcribe/decoding_rules.h"
#include "transcribe/words.h"
#include "vad/speech_detector.h"

namespace whisper_hip {

struct TranscribeRequest {
  std::string language;               // ISO code; empty = detect
  std::vector<std::string> languages; // that it may be; empty = all
  std::string network;                // path of Silero's ONNX file, to find where somebody speaks
  bool translate = false;
  SearchOptions search; // but for the temperature, the prefix and the room for text
  std::vector<float> temperatures;
  RuleRequest rules;
  std::vector<Token> hotwords;       // that are put before every window
  std::vector<Token> initial_prompt; // with the hotwords no more than half of the context
  std::vector<Token> prefix;         // the beginning of the text
  bool carry_initial_prompt = false;
  bool condition_on_previous_text = false;
  int max_tokens = 0;                           // of a window; 0 = no limit
  bool words = false;                           // with their times
  std::vector<std::pair<double, double>> clips; // seconds; end may be infinite
  std::optional<SpeechRequest> vad;             // only the speech in them
  bool diarize = false;                         // tell which of two channels speaks
  int batch_size = 0;                           // windows that are decoded together; 0 = as is best
  float no_speech_threshold = 0;
  float log_probability_threshold = 0;
  double compression_ratio_threshold = 0;     // infinite = off
  double hallucination_silence_threshold = 0; // seconds; infinite = off
  int threads = 1;
};

struct TokenResult {
  int id;
  std::string text; // valid UTF-8; empty while a character is incomplete
  float probability;
};

struct SegmentResult {
  double start; // seconds from the start of the audio
  double end;
  std::string text;
  float temperature;
  double average_log_probability;
  double compression_ratio;
  float no_speech_probability;
  std::string language;
  int speaker = kNobody; // with diarize: 0 = the first channel, 1 = the second, -1 = unclear
  std::vector<TokenResult> tokens;
  std::vector<WordResult> words; // when they were asked for
};

struct Phases { // seconds
  double decode = 0, mel = 0, vad = 0, encode = 0, prompt = 0, sample = 0;
};

struct TranscribeResult {
  std::string language;
  double language_probability;
  double duration;
  NodeCounts nodes;
  double wall;
  Phases phases;
  int channels; // of the audio, before they were brought to one
  Warnings warnings;
};

} // namespace whisper_hip
