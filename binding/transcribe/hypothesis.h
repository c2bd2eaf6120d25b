// A quick guess at a short piece of audio, for live transcription: one decoding without timestamps and
// without a second attempt, which goes on from a text that is already certain.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "backend/compute.h"
#include "model/loaded_model.h"
#include "transcribe/transcriber.h"
#include "transcribe/words.h"

namespace whisper_hip {

struct HypothesisRequest {
  std::string language;               // ISO code; empty = detect
  std::vector<std::string> languages; // that it may be; empty = all
  bool translate;
  std::vector<Token> prompt; // text before the audio, and hints
  std::vector<Token> prefix; // the beginning of the text, which stays
  int beam_size;             // 1 = greedy
  int audio_context;         // positions of 20 ms to encode; 0 = all
  bool suppress_blank;
  bool suppress_non_speech;
  std::vector<int> suppress_tokens;
  int max_tokens; // after the prefix
  int threads;
};

struct Hypothesis {
  std::string language;
  double language_probability;    // 1 when it was given
  std::vector<WordResult> words;  // after the prefix
  bool continues;                 // the first word is the rest of the last one of the prefix
  double average_log_probability; // after the prefix, with the end of the text
  float no_speech_probability;
  double compression_ratio; // of the whole text
  bool repeats;             // ended in a loop
  NodeCounts nodes;
  double wall; // seconds
};

// At most 30 s of audio. Errors and cancellation as for transcribe().
Hypothesis hypothesize(LoadedModel& model, const OpenAudio& open_audio, const HypothesisRequest& request,
                       const std::atomic<bool>& cancelled);

} // namespace whisper_hip
