#include "addon/live_audio_object.h"

#include <algorithm>

#include "addon/js_error.h"
#include "addon/js_warnings.h"

namespace whisper_hip {

namespace {

Napi::Float32Array array_of(Napi::Env env, const std::vector<float>& values) {
  Napi::Float32Array array = Napi::Float32Array::New(env, values.size());
  std::copy(values.begin(), values.end(), array.Data());
  return array;
}

Napi::Object to_js(Napi::Env env, const LiveAudio::Heard& heard) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("samples", array_of(env, heard.samples));
  object.Set("probabilities", array_of(env, heard.probabilities));
  object.Set("warnings", warnings_to_js(env, heard.warnings));
  return object;
}

} // namespace

Napi::Function LiveAudioObject::define(Napi::Env env) {
  return DefineClass(
      env, "LiveAudio",
      {InstanceMethod<&LiveAudioObject::push>("push"), InstanceMethod<&LiveAudioObject::finish>("finish")});
}

LiveAudioObject::LiveAudioObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<LiveAudioObject>(info) {
  const auto options = info[0].As<Napi::Object>();
  const bool is_f32 = options.Get("format").ToString().Utf8Value() == "f32le";
  const int rate = std::clamp(options.Get("sampleRate").ToNumber().Int32Value(), FrameSource::kLowestRate,
                              FrameSource::kHighestRate);
  const int channels =
      std::clamp(options.Get("channels").ToNumber().Int32Value(), 1, FrameSource::kMostChannels);
  const std::string network = options.Get("network").ToString().Utf8Value();
  audio_ = with_js_errors(info.Env(), [&] {
    return std::make_unique<LiveAudio>(is_f32 ? PcmFormat::f32 : PcmFormat::s16, rate, channels, network);
  });
}

Napi::Value LiveAudioObject::push(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsTypedArray())
    throw Napi::TypeError::New(env, "Expected a typed array for push");
  const auto view = info[0].As<Napi::TypedArray>();
  const auto* bytes = static_cast<const uint8_t*>(view.ArrayBuffer().Data()) + view.ByteOffset();
  return to_js(env, with_js_errors(env, [&] { return audio_->push(bytes, view.ByteLength()); }));
}

Napi::Value LiveAudioObject::finish(const Napi::CallbackInfo& info) {
  return to_js(info.Env(), with_js_errors(info.Env(), [&] { return audio_->finish(); }));
}

} // namespace whisper_hip
