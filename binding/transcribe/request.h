// What a job is asked to do and what it answers: plain structs, copied across the border.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/compute.h"
#include "support/warnings.h"
#include "transcribe/words.h"
#include "vad/speech_detector.h"

namespace whisper_hip {

struct TranscribeRequest {
  std::string language;               // ISO code; empty = detect
  std::vector<std::string> languages; // that it may be; empty = all
  std::string network;                // path of Silero's ONNX file, to find where somebody speaks
  bool translate;
  int beam_size; // 1 = greedy
  int best_of;
  std::vector<float> temperatures;
  float length_penalty;            // negative = score is the mean log probability
  std::vector<int> hotwords;       // tokens that are put before every window
  std::vector<int> initial_prompt; // tokens; with the hotwords no more than half of the context
  bool carry_initial_prompt;
  bool condition_on_previous_text;
  bool suppress_blank;
  bool suppress_non_speech;
  std::vector<int> suppress_tokens;
  std::string suppress_regex; // empty = none
  std::string grammar;        // empty = none
  std::string grammar_rule;
  float grammar_penalty;
  int max_tokens; // 0 = no limit
  bool timestamps;
  bool words;                                   // with their times
  std::vector<std::pair<double, double>> clips; // seconds; end may be infinite
  std::optional<SpeechRequest> vad;             // only the speech in them
  float no_speech_threshold;
  float log_probability_threshold;
  double compression_ratio_threshold; // infinite = off
  int threads;
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
