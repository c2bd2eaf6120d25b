#include "addon/request_from_js.h"

#include <algorithm>
#include <utility>

#include "addon/byte_store_object.h"
#include "addon/js_warnings.h"
#include "audio/byte_reader.h"
#include "audio/decoder.h"

namespace whisper_hip {

namespace {

// Below it the most probable token is sampled anyway, and scores divided by it overflow.
constexpr float kLowestSampling = 1e-3f;
constexpr int kMostBeams = 32;

std::string text(Napi::Object object, const char* name) {
  return object.Get(name).ToString().Utf8Value();
}
bool flag(Napi::Object object, const char* name) {
  return object.Get(name).ToBoolean();
}
double number(Napi::Object object, const char* name) {
  return object.Get(name).ToNumber().DoubleValue();
}
int integer(Napi::Object object, const char* name, int low, int high) {
  return std::clamp(object.Get(name).ToNumber().Int32Value(), low, high);
}

std::vector<double> numbers(Napi::Object object, const char* name) {
  const auto array = object.Get(name).As<Napi::Array>();
  std::vector<double> values(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i)
    values[i] = array.Get(i).ToNumber().DoubleValue();
  return values;
}

// The smallest vocabulary bounds the ids: nothing outside of the logits is ever written.
std::vector<int> tokens(Napi::Object object, const char* name) {
  std::vector<int> ids;
  for (double token : numbers(object, name)) {
    if (token >= 0 && token < 51864)
      ids.push_back(static_cast<int>(token));
  }
  return ids;
}

std::vector<std::string> texts(Napi::Object object, const char* name) {
  const auto array = object.Get(name).As<Napi::Array>();
  std::vector<std::string> values(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i)
    values[i] = array.Get(i).ToString().Utf8Value();
  return values;
}

Napi::Array words_to_js(Napi::Env env, const std::vector<WordResult>& words) {
  Napi::Array array = Napi::Array::New(env, words.size());
  for (uint32_t i = 0; i < words.size(); ++i) {
    Napi::Object word = Napi::Object::New(env);
    word.Set("text", words[i].text);
    word.Set("start", words[i].start);
    word.Set("end", words[i].end);
    word.Set("probability", words[i].probability);
    Napi::Array ids = Napi::Array::New(env, words[i].tokens.size());
    for (uint32_t j = 0; j < words[i].tokens.size(); ++j)
      ids.Set(j, words[i].tokens[j]);
    word.Set("tokens", ids);
    if (words[i].speaker != kNobody)
      word.Set("speaker", words[i].speaker);
    array.Set(i, word);
  }
  return array;
}

// Milliseconds as samples.
int64_t samples(Napi::Object object, const char* name) {
  return static_cast<int64_t>(std::clamp(number(object, name), 0.0, 1e9) * 16.0);
}

} // namespace

SpeechRequest speech_request_from_js(Napi::Object options) {
  SpeechRequest request;
  request.network = text(options, "network");
  request.options.threshold = static_cast<float>(number(options, "threshold"));
  request.options.negative_threshold = static_cast<float>(number(options, "negThreshold"));
  request.options.minimum_speech = samples(options, "minSpeechDurationMs");
  request.options.minimum_silence = samples(options, "minSilenceDurationMs");
  request.options.padding = samples(options, "speechPadMs");
  const double longest = number(options, "maxSpeechDurationS");
  if (longest < 1e6)
    request.options.maximum_speech = static_cast<int64_t>(std::max(longest, 0.0) * LogMel::kSampleRate);
  return request;
}

TranscribeRequest request_from_js(Napi::Object options) {
  TranscribeRequest request;
  request.language = text(options, "language");
  request.languages = texts(options, "languages");
  request.network = text(options, "network");
  request.translate = flag(options, "translate");
  request.search.beam_size = integer(options, "beamSize", 1, kMostBeams);
  request.search.best_of = integer(options, "bestOf", 1, kMostBeams);
  request.search.patience = static_cast<float>(number(options, "patience"));
  request.search.seed = static_cast<uint64_t>(std::clamp(number(options, "seed"), 0.0, 9007199254740991.0));
  for (double temperature : numbers(options, "temperatures")) {
    request.temperatures.push_back(
        temperature > 0 ? std::max(static_cast<float>(temperature), kLowestSampling) : 0.0f);
  }
  if (request.temperatures.empty())
    request.temperatures.push_back(0.0f);
  const double length_penalty = number(options, "lengthPenalty");
  if (length_penalty >= 0)
    request.search.length_penalty = static_cast<float>(length_penalty);
  request.hotwords = tokens(options, "hotwords");
  request.initial_prompt = tokens(options, "initialPrompt");
  request.carry_initial_prompt = flag(options, "carryInitialPrompt");
  request.condition_on_previous_text = flag(options, "conditionOnPreviousText");
  request.prefix = tokens(options, "prefix");
  RuleRequest& rules = request.rules;
  rules.timestamps = flag(options, "timestamps");
  rules.suppress_blank = flag(options, "suppressBlank");
  rules.suppress_non_speech = flag(options, "suppressNonSpeech");
  rules.suppress_tokens = tokens(options, "suppressTokens");
  rules.suppress_regex = text(options, "suppressRegex");
  rules.grammar = text(options, "grammar");
  rules.grammar_rule = text(options, "grammarRule");
  rules.grammar_penalty = static_cast<float>(number(options, "grammarPenalty"));
  rules.repetition_penalty = static_cast<float>(number(options, "repetitionPenalty"));
  rules.no_repeat_ngram_size = integer(options, "noRepeatNgramSize", 0, 448);
  request.max_tokens = integer(options, "maxTokens", 0, 448);
  request.diarize = flag(options, "diarize");
  request.batch_size = integer(options, "batchSize", 0, 64);
  request.words = flag(options, "words");
  const std::vector<double> clips = numbers(options, "clips");
  for (size_t i = 0; i + 1 < clips.size(); i += 2) {
    request.clips.emplace_back(std::max(clips[i], 0.0), std::max(clips[i + 1], 0.0));
  }
  const Napi::Value vad = options.Get("vad");
  if (vad.IsObject())
    request.vad = speech_request_from_js(vad.As<Napi::Object>());
  request.no_speech_threshold = static_cast<float>(number(options, "noSpeechThreshold"));
  request.log_probability_threshold = static_cast<float>(number(options, "logProbThreshold"));
  request.compression_ratio_threshold = number(options, "compressionRatioThreshold");
  request.hallucination_silence_threshold = number(options, "hallucinationSilenceThreshold");
  request.threads = integer(options, "threads", 1, compute_threads());
  return request;
}

OpenAudio audio_from_js(Napi::Object source) {
  const std::string kind = text(source, "kind");
  const Napi::Value chosen = source.Get("channel");
  const int channel = chosen.IsNumber() ? integer(source, "channel", 0, 1 << 20) : ChannelMixer::kMix;
  if (kind == "file") {
    return [path = text(source, "path"), channel] {
      return AudioStream::from_decoder(Decoder::open(ByteReader::open_file(path), path), channel);
    };
  }
  auto store = ByteStoreObject::store_of(source.Get("store"));
  if (!store)
    throw Napi::TypeError::New(source.Env(), "Expected a byte store for store");
  if (kind == "bytes") {
    return [store, channel] {
      return AudioStream::from_decoder(Decoder::open(ByteReader::from_store(store), "<bytes>"), channel);
    };
  }
  PcmLayout layout;
  layout.format = text(source, "format") == "s16" ? PcmFormat::s16 : PcmFormat::f32;
  layout.sample_rate = integer(source, "sampleRate", 1000, 768000);
  layout.channels = integer(source, "channels", 1, 64);
  layout.keep = flag(source, "keep");
  if (source.Get("gaps").IsArray()) {
    const std::vector<double> gaps = numbers(source, "gaps");
    const auto frames = [&gaps](size_t i) { return static_cast<uint64_t>(std::clamp(gaps[i], 0.0, 1e12)); };
    for (size_t i = 0; i + 2 < gaps.size(); i += 3)
      layout.gaps.push_back({frames(i), frames(i + 1), frames(i + 2)});
  }
  return [store = std::move(store), layout = std::move(layout), channel] {
    return AudioStream::from_pcm(store, layout, channel);
  };
}

Napi::Array segments_to_js(Napi::Env env, const std::vector<SegmentResult>& segments) {
  Napi::Array array = Napi::Array::New(env, segments.size());
  for (uint32_t i = 0; i < segments.size(); ++i) {
    const SegmentResult& segment = segments[i];
    Napi::Array tokens = Napi::Array::New(env, segment.tokens.size());
    for (uint32_t j = 0; j < segment.tokens.size(); ++j) {
      Napi::Object token = Napi::Object::New(env);
      token.Set("id", segment.tokens[j].id);
      token.Set("text", segment.tokens[j].text);
      token.Set("probability", segment.tokens[j].probability);
      tokens.Set(j, token);
    }
    Napi::Object object = Napi::Object::New(env);
    object.Set("start", segment.start);
    object.Set("end", segment.end);
    object.Set("text", segment.text);
    object.Set("temperature", segment.temperature);
    object.Set("averageLogProbability", segment.average_log_probability);
    object.Set("compressionRatio", segment.compression_ratio);
    object.Set("noSpeechProbability", segment.no_speech_probability);
    object.Set("language", segment.language);
    if (segment.speaker != kNobody)
      object.Set("speaker", segment.speaker);
    object.Set("tokens", tokens);
    if (!segment.words.empty())
      object.Set("words", words_to_js(env, segment.words));
    array.Set(i, object);
  }
  return array;
}

Napi::Object result_to_js(Napi::Env env, const TranscribeResult& result, bool on_gpu) {
  Napi::Object phases = Napi::Object::New(env);
  phases.Set("decode", result.phases.decode);
  phases.Set("mel", result.phases.mel);
  phases.Set("vad", result.phases.vad);
  phases.Set("encode", result.phases.encode);
  phases.Set("prompt", result.phases.prompt);
  phases.Set("sample", result.phases.sample);
  Napi::Array operations = Napi::Array::New(env);
  for (const std::string& operation : result.nodes.cpu_operations)
    operations.Set(operations.Length(), operation);
  Napi::Object object = Napi::Object::New(env);
  object.Set("language", result.language);
  object.Set("languageProbability", result.language_probability);
  object.Set("duration", result.duration);
  object.Set("channels", result.channels);
  object.Set("onGpu", on_gpu);
  object.Set("gpuNodes", static_cast<double>(result.nodes.gpu));
  object.Set("cpuNodes", static_cast<double>(result.nodes.cpu));
  object.Set("cpuOperations", operations);
  object.Set("wallSeconds", result.wall);
  object.Set("phases", phases);
  object.Set("warnings", warnings_to_js(env, result.warnings.list()));
  return object;
}

HypothesisRequest hypothesis_request_from_js(Napi::Object options) {
  HypothesisRequest request;
  request.language = text(options, "language");
  request.languages = texts(options, "languages");
  request.translate = flag(options, "translate");
  request.prompt = tokens(options, "prompt");
  request.prefix = tokens(options, "prefix");
  request.beam_size = integer(options, "beamSize", 1, kMostBeams);
  request.audio_context = integer(options, "audioContext", 0, 1500);
  request.suppress_blank = flag(options, "suppressBlank");
  request.suppress_non_speech = flag(options, "suppressNonSpeech");
  request.suppress_tokens = tokens(options, "suppressTokens");
  request.max_tokens = integer(options, "maxTokens", 0, 448);
  request.threads = integer(options, "threads", 1, compute_threads());
  return request;
}

Napi::Object hypothesis_to_js(Napi::Env env, const Hypothesis& hypothesis) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("language", hypothesis.language);
  object.Set("languageProbability", hypothesis.language_probability);
  object.Set("words", words_to_js(env, hypothesis.words));
  object.Set("continues", hypothesis.continues);
  object.Set("averageLogProbability", hypothesis.average_log_probability);
  object.Set("noSpeechProbability", hypothesis.no_speech_probability);
  object.Set("compressionRatio", hypothesis.compression_ratio);
  object.Set("repeats", hypothesis.repeats);
  object.Set("gpuNodes", static_cast<double>(hypothesis.nodes.gpu));
  object.Set("cpuNodes", static_cast<double>(hypothesis.nodes.cpu));
  object.Set("wallSeconds", hypothesis.wall);
  return object;
}

std::vector<AttentionHead> alignment_heads_from_js(Napi::Value value, const Hyperparameters& hparams) {
  std::vector<AttentionHead> heads;
  if (!value.IsArray())
    return heads;
  const auto pairs = value.As<Napi::Array>();
  for (uint32_t i = 0; i + 1 < std::min<uint32_t>(pairs.Length(), 8192); i += 2) {
    const int layer = pairs.Get(i).ToNumber().Int32Value();
    const int head = pairs.Get(i + 1).ToNumber().Int32Value();
    if (layer < 0 || layer >= hparams.n_text_layer || head < 0 || head >= hparams.n_text_head)
      throw Napi::TypeError::New(value.Env(), "Expected layers and heads of the decoder for alignmentHeads");
    heads.push_back({layer, head});
  }
  return heads;
}

Napi::Object language_to_js(Napi::Env env, const DetectedLanguage& language) {
  Napi::Object all = Napi::Object::New(env);
  for (const auto& entry : language.all)
    all.Set(entry.first, entry.second);
  Napi::Object object = Napi::Object::New(env);
  object.Set("language", language.language);
  object.Set("probability", language.probability);
  object.Set("all", all);
  object.Set("warnings", warnings_to_js(env, language.warnings));
  return object;
}

} // namespace whisper_hip
