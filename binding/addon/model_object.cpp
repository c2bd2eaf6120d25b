#include "addon/model_object.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "addon/environment.h"
#include "addon/js_error.h"
#include "addon/plan_from_js.h"
#include "addon/request_from_js.h"
#include "model/plan_writer.h"

namespace whisper_hip {

namespace {

std::shared_ptr<TaskCallbacks> callbacks_of(Napi::Value segments, Napi::Value progress) {
  auto callbacks = std::make_shared<TaskCallbacks>();
  if (segments.IsFunction())
    callbacks->on_segments = Napi::Persistent(segments.As<Napi::Function>());
  if (progress.IsFunction())
    callbacks->on_progress = Napi::Persistent(progress.As<Napi::Function>());
  return callbacks;
}

// Posts progress in steps of at least one percent. Holds the callbacks weakly: they die on the JS thread.
std::function<void(double)> progress_reporter(Environment& environment,
                                              const std::shared_ptr<TaskCallbacks>& callbacks) {
  return [&environment, weak = std::weak_ptr<TaskCallbacks>(callbacks), last = -1](double progress) mutable {
    const int percent = static_cast<int>(std::floor(progress * 100.0));
    if (percent <= last)
      return;
    last = percent;
    environment.post([weak, progress](Napi::Env env) {
      const auto alive = weak.lock();
      if (alive && !alive->on_progress.IsEmpty())
        alive->on_progress.Call({Napi::Number::New(env, progress)});
    });
  };
}

} // namespace

Napi::Function ModelObject::define(Napi::Env env) {
  return DefineClass(env, "Model",
                     {InstanceAccessor<&ModelObject::weight_bytes>("weightBytes"),
                      InstanceAccessor<&ModelObject::device>("device"),
                      InstanceMethod<&ModelObject::transcribe>("transcribe"),
                      InstanceMethod<&ModelObject::hypothesize>("hypothesize"),
                      InstanceMethod<&ModelObject::detect_language>("detectLanguage"),
                      InstanceMethod<&ModelObject::dispose>("dispose")});
}

Napi::Object ModelObject::create(Napi::Env env, std::shared_ptr<LoadedModel> model) {
  Napi::Object object = Environment::of(env).model_constructor.New({});
  ModelObject* self = Unwrap(object);
  self->model_ = std::move(model);
  // V8 cannot see the weights; told of them, it collects forgotten models earlier.
  Napi::MemoryManagement::AdjustExternalMemory(env, self->total_bytes());
  return object;
}

ModelObject::ModelObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ModelObject>(info) {}

void ModelObject::Finalize(Napi::Env env) {
  if (model_)
    Napi::MemoryManagement::AdjustExternalMemory(env, -total_bytes());
}

int64_t ModelObject::total_bytes() const {
  int64_t total = 0;
  for (const auto& entry : model_->weight_bytes())
    total += static_cast<int64_t>(entry.second);
  return total;
}

std::shared_ptr<LoadedModel> ModelObject::model_or_throw(Napi::Env env) const {
  if (model_)
    return model_;
  throw js_error(env, "ERR_DISPOSED", "The model has been disposed");
}

Napi::Value ModelObject::weight_bytes(const Napi::CallbackInfo& info) {
  const auto model = model_or_throw(info.Env());
  Napi::Object bytes = Napi::Object::New(info.Env());
  for (const auto& entry : model->weight_bytes())
    bytes.Set(entry.first, static_cast<double>(entry.second));
  return bytes;
}

Napi::Value ModelObject::device(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), model_or_throw(info.Env())->device());
}

Napi::Value ModelObject::transcribe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto model = model_or_throw(env);
  OpenAudio open_audio = audio_from_js(info[0].As<Napi::Object>());
  TranscribeRequest request = request_from_js(info[1].As<Napi::Object>());
  const auto events = info[2].As<Napi::Object>();
  auto callbacks = callbacks_of(events.Get("onSegments"), events.Get("onProgress"));

  Environment& environment = Environment::of(env);
  TranscribeEvents reports;
  reports.segments = [&environment,
                      weak = std::weak_ptr<TaskCallbacks>(callbacks)](std::vector<SegmentResult> found) {
    environment.post([weak, found = std::move(found)](Napi::Env posted) {
      const auto alive = weak.lock();
      if (alive && !alive->on_segments.IsEmpty())
        alive->on_segments.Call({segments_to_js(posted, found)});
    });
  };
  reports.progress = progress_reporter(environment, callbacks);
  Work work = [model, open_audio = std::move(open_audio), request = std::move(request),
               reports = std::move(reports)](const std::atomic<bool>& cancelled) -> Settle {
    TranscribeResult result = whisper_hip::transcribe(*model, open_audio, request, cancelled, reports);
    return [result = std::move(result), on_gpu = model->on_gpu()](Napi::Env done) -> Napi::Value {
      return result_to_js(done, result, on_gpu);
    };
  };
  return environment.run(env, std::move(work), std::move(callbacks));
}

Napi::Value ModelObject::hypothesize(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Environment::of(env).run(
      env,
      [model = model_or_throw(env), open_audio = audio_from_js(info[0].As<Napi::Object>()),
       request = hypothesis_request_from_js(info[1].As<Napi::Object>())](
          const std::atomic<bool>& cancelled) -> Settle {
        Hypothesis hypothesis = whisper_hip::hypothesize(*model, open_audio, request, cancelled);
        return [hypothesis = std::move(hypothesis)](Napi::Env done) -> Napi::Value {
          return hypothesis_to_js(done, hypothesis);
        };
      });
}

Napi::Value ModelObject::detect_language(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const int threads = std::clamp(info[1].ToNumber().Int32Value(), 1, compute_threads());
  return Environment::of(env).run(
      env,
      [model = model_or_throw(env), open_audio = audio_from_js(info[0].As<Napi::Object>()), threads,
       network = info[2].ToString().Utf8Value()](const std::atomic<bool>& cancelled) -> Settle {
        DetectedLanguage language =
            whisper_hip::detect_language(*model, open_audio, network, threads, cancelled);
        return [language = std::move(language)](Napi::Env done) -> Napi::Value {
          return language_to_js(done, language);
        };
      });
}

Napi::Value ModelObject::dispose(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (model_)
    Napi::MemoryManagement::AdjustExternalMemory(env, -total_bytes());
  Napi::Object task = Environment::of(env).run_at_any_cost(
      env, [model = std::move(model_)](const std::atomic<bool>&) -> Settle {
        if (model)
          model->dispose();
        return [](Napi::Env done) { return done.Undefined(); };
      });
  return task.Get("result");
}

Napi::Value load_model(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto plan = with_js_errors(
      env, [&] { return std::make_shared<LoadPlan>(plan_from_js(info[0].As<Napi::Object>())); });
  const auto options = info[1].As<Napi::Object>();
  ContextOptions context;
  context.use_gpu = options.Get("backend").ToString().Utf8Value() == "hip";
  context.gpu_device = std::max(options.Get("device").ToNumber().Int32Value(), 0);
  context.gpu_only = context.use_gpu && !options.Get("allowPartial").ToBoolean();
  context.flash_attention = options.Get("flashAttention").ToBoolean();
  context.alignment_heads = alignment_heads_from_js(options.Get("alignmentHeads"), plan->hparams);
  auto callbacks = callbacks_of(env.Undefined(), info[2]);

  Environment& environment = Environment::of(env);
  Work work = [plan = std::move(plan), context, report = progress_reporter(environment, callbacks)](
                  const std::atomic<bool>& cancelled) -> Settle {
    auto model = std::make_shared<LoadedModel>(*plan, context, cancelled, report);
    return [model = std::move(model)](Napi::Env done) mutable -> Napi::Value {
      return ModelObject::create(done, std::move(model));
    };
  };
  return environment.run(env, std::move(work), std::move(callbacks));
}

Napi::Value write_tensors(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  auto plan = with_js_errors(
      env, [&] { return std::make_shared<LoadPlan>(plan_from_js(info[0].As<Napi::Object>())); });
  auto target =
      with_js_errors(env, [&] { return std::make_shared<PlanSource>(info[1].ToNumber().Int32Value()); });
  const auto places = info[2].As<Napi::Float64Array>();
  const PlanWriterMode mode = info[3].ToBoolean() ? PlanWriterMode::compare : PlanWriterMode::write;
  if (places.ElementLength() != plan->tensors.size())
    throw Napi::TypeError::New(env, "Expected an offset for each tensor");
  std::vector<uint64_t> offsets;
  for (size_t i = 0; i < places.ElementLength(); ++i)
    offsets.push_back(static_cast<uint64_t>(std::clamp(places[i], 0.0, 9007199254740991.0)));
  auto callbacks = callbacks_of(env.Undefined(), info[4]);

  Environment& environment = Environment::of(env);
  Work work = [plan = std::move(plan), target = std::move(target), offsets = std::move(offsets), mode,
               report =
                   progress_reporter(environment, callbacks)](const std::atomic<bool>& cancelled) -> Settle {
    validate(*plan);
    write_plan(*plan, offsets, *target, mode, cancelled, report);
    return [](Napi::Env done) { return done.Undefined(); };
  };
  return environment.run(env, std::move(work), std::move(callbacks));
}

} // namespace whisper_hip
