#include "transcribe/detect_language.h"

#include <algorithm>

#include "support/error.h"
#include "transcribe/clip_decoder.h"
#include "transcribe/language.h"
#include "transcribe/recording.h"
#include "transcribe/window_language.h"

namespace whisper_hip {

namespace {

constexpr size_t kListenedSeconds = 300;

} // namespace

DetectedLanguage detect_language(LoadedModel& model, const OpenAudio& open_audio, const std::string& network,
                                 int threads, const std::atomic<bool>& cancelled) {
  const auto lease = model.lease();
  const whisper_context& context = lease->context();
  if (!is_multilingual(context))
    return {"en", 1.0, {{"en", 1.0}}, {}};
  Phases phases;
  const std::unique_ptr<AudioStream> audio = open_audio();
  const Recording recording =
      read_recording(context, model.hparams(), *audio, kListenedSeconds * LogMel::kSampleRate,
                     SpeechRequest{network, {}}, cancelled, phases);
  const LogMel& mel = recording.mel;
  if (mel.frames() <= kMinimumFrames) {
    throw Error("ERR_INVALID_ARGUMENT",
                "Expected at least 100 ms of audio to detect a language in but received " +
                    std::to_string(mel.samples() / 16) + " ms");
  }
  Client client(cancelled, threads, false);
  const std::pair<int, int> all = {0, static_cast<int>(mel.frames())};
  LanguageVote vote({});
  for (const auto& part : language_windows(all, recording.speech, {all})) {
    const Window window =
        encode_window(lease->engine(), client, mel, model.hparams(), part.first, part.second);
    vote.add(language_probabilities(context, lease->engine(), client, window));
    if (vote.sure())
      break;
  }

  DetectedLanguage result;
  result.warnings = audio->warnings();
  const std::vector<double> probabilities = vote.all();
  for (size_t i = 0; i < probabilities.size(); ++i)
    result.all.emplace_back(whisper_lang_str(static_cast<int>(i)), probabilities[i]);
  std::stable_sort(result.all.begin(), result.all.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  result.language = result.all.front().first;
  result.probability = result.all.front().second;
  return result;
}

} // namespace whisper_hip
