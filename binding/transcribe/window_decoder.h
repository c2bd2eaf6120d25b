// One window of a recording: decoded at rising temperatures until its text is good, and asked what it left
// out.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/loaded_model.h"
#include "transcribe/attempt.h"
#include "transcribe/coverage.h"
#include "transcribe/decoding_rules.h"
#include "transcribe/mel.h"
#include "transcribe/request.h"

namespace whisper_hip {

constexpr int kMargin = 20; // around a word, in frames of 10 ms
// Temperature above which a text is not trusted: what comes after it does not build on it.
constexpr float kHighestTrusted = 0.5f;

// What all windows of a job have in common.
struct JobFacts {
  const whisper_context& context;
  Engine& engine;
  Client* client;
  const Hyperparameters& hparams;
  const std::vector<AttentionHead>& alignment_heads;
  const TranscribeRequest& request;
  const DecodingRules& rules;
  std::vector<Token> carried; // what every window is conditioned on
  const LogMel* mel = nullptr;
  const VoicedTime* voiced = nullptr;
  std::string language = {};
};

// What a window is conditioned on, and where the text before it ends.
struct TextBefore {
  std::vector<Token> history;
  std::vector<Token> prefix; // the beginning of the text
  double spoken_until = 0;   // end of the last word, in seconds
};

// What was made of a window.
struct DecodedWindow {
  std::vector<SegmentResult> segments; // with their words, where those were asked for
  int step = 0;                        // frames to the next window
  int reached = 0;                     // end of the text
  std::vector<FrameSpan> lost;         // speech without text, before the next window
  bool good = false;                   // by the rules of fallback
  float temperature = 0;
  std::vector<Token> tokens; // of the whole text, with timestamps
};

// The encoded window of 30 s at frame `seek`; what lies at or after `end` is silence to the model.
Window encode_window(Engine& engine, Client& client, const LogMel& mel, const Hyperparameters& hparams,
                     int seek, int end);

// The text of the window that begins at `seek`, in the audio up to `end`. No text that is hotter than
// `hottest` is looked for. `encoded`: the window, where it is encoded already.
DecodedWindow decode_window(const JobFacts& job, int seek, int end, const TextBefore& before,
                            float hottest = 1.0f, Window encoded = nullptr);

} // namespace whisper_hip
