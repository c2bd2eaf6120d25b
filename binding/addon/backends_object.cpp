#include "addon/backends_object.h"

#include <string>
#include <vector>

#include "addon/environment.h"
#include "backend/compute.h"
#include "backend/cpu_module.h"
#include "backend/gpu_state.h"
#include "backend/graph_record.h"
#include "backend/hip_module.h"
#include "backend/operation_times.h"
#include "backend/probe.h"
#include "backend/probe_operations.h"

namespace whisper_hip {

Napi::Object build_constants(Napi::Env env) {
  Napi::Object build = Napi::Object::New(env);
  build.Set("whisperCpp", WHISPER_VERSION);
  build.Set("ggml", GGML_VERSION);
  build.Set("compiler", __VERSION__);
  build.Set("napi", NAPI_VERSION);
  return build;
}

namespace {

std::vector<std::string> texts(Napi::Value value) {
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> all;
  for (uint32_t i = 0; i < array.Length(); ++i)
    all.push_back(array.Get(i).ToString().Utf8Value());
  return all;
}

Napi::Object to_js(Napi::Env env, const HipModule& module) {
  Napi::Array devices = Napi::Array::New(env);
  for (const HipDevice& device : module.devices) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", device.name);
    entry.Set("description", device.description);
    entry.Set("pciId", device.pci_id);
    entry.Set("memoryFree", static_cast<double>(device.memory_free));
    entry.Set("memoryTotal", static_cast<double>(device.memory_total));
    devices.Set(devices.Length(), entry);
  }
  Napi::Object hip = Napi::Object::New(env);
  hip.Set("path", module.path);
  hip.Set("devices", devices);
  return hip;
}

} // namespace

Napi::Value load_hip(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = info[0].As<Napi::String>();
  const std::string gpu = info[1].As<Napi::String>();
  Napi::Object task = Environment::of(env).run(env, [path, gpu](const std::atomic<bool>&) -> Settle {
    const HipModule& module = load_hip_module(path, gpu);
    return [&module](Napi::Env done) -> Napi::Value { return to_js(done, module); };
  });
  return task.Get("result");
}

Napi::Value hip_state(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const HipModule* module = loaded_hip_module();
  const std::string failure = gpu_failure();
  Napi::Object state = Napi::Object::New(env);
  state.Set("path", module == nullptr ? env.Null() : Napi::String::New(env, module->path));
  state.Set("gpu", module == nullptr ? env.Null() : Napi::String::New(env, module->gpu));
  state.Set("failure", failure.empty() ? env.Null() : Napi::String::New(env, failure));
  return state;
}

Napi::Value set_variables(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Variables variables;
  for (const auto& entry : info[0].As<Napi::Object>()) {
    const Napi::Value value = entry.second;
    variables.emplace_back(entry.first.ToString(),
                           value.IsString() ? std::optional<std::string>(value.ToString()) : std::nullopt);
  }
  Napi::Object before = Napi::Object::New(env);
  for (const auto& [name, value] : set_variables(variables))
    before.Set(name, value ? Napi::String::New(env, *value) : env.Null());
  return before;
}

Napi::Value gpu_memory(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto place = static_cast<size_t>(info[0].ToNumber().Int64Value());
  Napi::Object task = Environment::of(env).run(env, [place](const std::atomic<bool>&) -> Settle {
    const HipMemory memory = hip_memory(place);
    return [memory](Napi::Env done) -> Napi::Value {
      Napi::Object object = Napi::Object::New(done);
      object.Set("free", static_cast<double>(memory.free));
      object.Set("total", static_cast<double>(memory.total));
      return object;
    };
  });
  return task.Get("result");
}

Napi::Value probe(const Napi::CallbackInfo& info) {
  const std::string module = info[1].As<Napi::String>();
  const std::string pci_id = info[2].As<Napi::String>();
  run_probe(texts(info[0]), module, pci_id, info[3].As<Napi::Number>());
  return info.Env().Undefined();
}

Napi::Value trial_operations(const Napi::CallbackInfo& info) {
  Napi::Array names = Napi::Array::New(info.Env());
  for (const ProbeOperation& operation : probe_operations())
    names.Set(names.Length(), operation.name);
  return names;
}

Napi::Value record_operations(const Napi::CallbackInfo& info) {
  record_graphs(info[0].ToBoolean());
  Napi::Array names = Napi::Array::New(info.Env());
  for (const std::string& signature : recorded_signatures())
    names.Set(names.Length(), signature);
  return names;
}

Napi::Value time_operations(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  time_operations(static_cast<bool>(info[0].ToBoolean()));
  Napi::Array all = Napi::Array::New(env);
  for (const OperationTime& time : operation_times()) {
    Napi::Object entry = Napi::Object::New(env);
    entry.Set("name", time.name);
    entry.Set("count", static_cast<double>(time.count));
    entry.Set("seconds", time.seconds);
    entry.Set("operations", time.operations);
    entry.Set("bytes", time.bytes);
    all.Set(all.Length(), entry);
  }
  return all;
}

Napi::Value load_backends(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::vector<std::string> paths = texts(info[0]);

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
