#include "fake_script.h"

#include <cstdlib>
#include <set>

#include "backend/node_signature.h"
#include "ggml.h"

namespace fake_gpu {

namespace {

// Operations are in capitals, stages are not.
bool is_place(const std::string& place) {
  static const std::set<std::string> stages = {"load",        "init",    "devices", "query", "stream",
                                               "alloc",       "write",   "read",    "clear", "graph",
                                               "synchronize", "release", "free",    "exit"};
  const bool operation = place == "*" || (place[0] >= 'A' && place[0] <= 'Z');
  return operation || stages.count(place) != 0;
}

bool fails(const doubles::Script::Answer& answer, const char* place) {
  if (answer.key == "abort")
    GGML_ABORT("ROCm error: made by the fake GPU at %s", place);
  return answer.key == "fail";
}

} // namespace

doubles::Script& script() {
  static auto* script = [] {
    auto* made = new doubles::Script({
        "fake GPU",
        "WHISPER_HIP_FAKE",
        {"devices", "pci", "uuid", "gfx", "description", "type", "memory", "cpu", "threads", "log", "error",
         "api", "oom", "wrong", "idle", "unsupported", "slow"},
        {"abort", "fail"},
        is_place,
    });
    atexit([] { reach("exit"); });
    return made;
  }();
  return *script;
}

bool reach(const std::string& stage, const std::string& detail) {
  return fails(script().reach(stage, detail), stage.c_str());
}

bool reach_operation(const ggml_tensor* node) {
  return fails(script().reach_any([&](const std::string& place) { return matches(place, node); }),
               ggml_op_desc(node));
}

bool matches(const std::string& pattern, const ggml_tensor* node) {
  if (pattern == whisper_hip::node_signature(node))
    return true;
  const size_t slash = pattern.find('/');
  const std::string op = pattern.substr(0, slash);
  // ggml_op_desc() has the unary operations by name (GELU), ggml_op_name() only as UNARY.
  const bool is_op = op == "*" || op == ggml_op_desc(node) || op == ggml_op_name(node->op);
  if (!is_op || slash == std::string::npos)
    return is_op;
  return node->src[0] != nullptr && pattern.substr(slash + 1) == ggml_type_name(node->src[0]->type);
}

} // namespace fake_gpu
