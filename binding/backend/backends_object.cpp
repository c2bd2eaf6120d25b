#include "backend/backends_object.h"

#include <string>
#include <vector>

#include "backend/compute.h"
#include "backend/cpu_module.h"
#include "environment.h"

namespace whisper_hip {

Napi::Object build_constants(Napi::Env env) {
  Napi::Object build = Napi::Object::New(env);
  build.Set("whisperCpp", WHISPER_VERSION);
  build.Set("ggml", GGML_VERSION);
  build.Set("compiler", __VERSION__);
  build.Set("napi", NAPI_VERSION);
  return build;
}

Napi::Value load_backends(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto array = info[0].As<Napi::Array>();
  std::vector<std::string> paths;
  for (uint32_t i = 0; i < array.Length(); ++i)
    paths.push_back(array.Get(i).ToString().Utf8Value());

  Napi::Object task = Environment::of(env).run(env, [paths](const std::atomic<bool>&) -> Settle {
    const CpuModule& module = load_cpu_module(paths);
    return [&module](Napi::Env done) -> Napi::Value {
      Napi::Array failures = Napi::Array::New(done);
      for (const ModuleFailure& failure : module.failures) {
        Napi::Object entry = Napi::Object::New(done);
        entry.Set("path", failure.path);
        entry.Set("error", failure.error);
        failures.Set(failures.Length(), entry);
      }
      Napi::Object cpu = Napi::Object::New(done);
      cpu.Set("path", module.path);
      cpu.Set("name", module.name);
      cpu.Set("failures", failures);
      Napi::Object backends = Napi::Object::New(done);
      backends.Set("cpu", cpu);
      backends.Set("computeThreads", compute_threads());
      return backends;
    };
  });
  return task.Get("result");
}

} // namespace whisper_hip
