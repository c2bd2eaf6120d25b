// Whether the ROCm runtime of this system gets out of a HIP module what the compiler put into it. See
// scripts/check-code-objects.mjs, which compiles and runs this: check MODULE TARGET… . One sentence per
// problem on stdout; exit code 0 without any, 1 with some, 2 when nothing could be checked.
#include <cxxabi.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "bundle.h"
#include "comgr.h"
#include "kernels.h"
#include "registered.h"

namespace {

std::string demangled(const std::string& name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  const std::string result = status == 0 ? text : name;
  std::free(text);
  return result.substr(0, result.find('('));
}

std::string bytes(size_t size) {
  return std::to_string(size) + " bytes";
}

class Check {
 public:
  Check(const Comgr& comgr, std::set<std::string> targets) : comgr_(comgr), targets_(std::move(targets)) {}

  void bundle(size_t number, const RegisteredBundle& registered) {
    name_ = "bundle " + std::to_string(number);
    if (!registered.kernels.empty())
      name_ += " (" + demangled(registered.kernels.front()) + ")";
    const Bundle bundle = read_bundle(registered.image, registered.readable);
    if (bundle.compressed)
      problem("is compressed");
    for (const std::string& target : targets_)
      code_object(bundle, target, registered.kernels);
    for (const auto& [target, code] : bundle.code_objects)
      if (targets_.count(target) == 0)
        problem("has code for " + target + ", which the module was not built for");
  }

  void problem(const std::string& what) {
    std::printf("%s %s\n", name_.c_str(), what.c_str());
    problems_++;
  }

  size_t problems() const { return problems_; }

 private:
  void code_object(const Bundle& bundle, const std::string& target, const std::vector<std::string>& kernels) {
    const std::vector<char> unpacked = comgr_.unbundle(bundle.bytes, target);
    if (!bundle.compressed) {
      const auto found = bundle.code_objects.find(target);
      if (found == bundle.code_objects.end())
        return problem("has no code for " + target);
      const Bytes own = found->second;
      if (unpacked.size() != own.size || std::memcmp(unpacked.data(), own.data, own.size) != 0)
        problem("is unpacked wrongly for " + target + ": the " + bytes(unpacked.size()) +
                " that comgr gives are not the " + bytes(own.size) + " in the file");
      const Bytes looked_up = comgr_.look_up(bundle.bytes, target);
      if (looked_up.data != own.data || looked_up.size != own.size)
        problem("is found wrongly for " + target + ": comgr says " + bytes(looked_up.size) + " at " +
                std::to_string(looked_up.data - bundle.bytes.data));
    }
    if (unpacked.empty())
      return problem("gives no code for " + target);
    const std::vector<std::string> missing = missing_kernels(unpacked, kernels);
    if (!missing.empty())
      problem("is unpacked for " + target + " without the kernel " + demangled(missing.front()) + " and " +
              std::to_string(missing.size() - 1) + " more of " + std::to_string(kernels.size()));
  }

  const Comgr& comgr_;
  const std::set<std::string> targets_;
  std::string name_;
  size_t problems_ = 0;
};

int check(const char* module, std::set<std::string> targets) {
  const std::vector<RegisteredBundle> bundles = load_module(module);
  if (bundles.empty())
    throw std::runtime_error(std::string(module) + " registers no device code");
  const Comgr comgr(runtime_library());
  Check all(comgr, targets);
  size_t kernels = 0, number = 0;
  for (const RegisteredBundle& bundle : bundles) {
    all.bundle(++number, bundle);
    kernels += bundle.kernels.size();
  }
  std::fprintf(stderr, "%zu bundles with %zu kernels for %zu targets, unpacked by %s: %zu problems\n",
               bundles.size(), kernels, targets.size(), comgr.path().c_str(), all.problems());
  return all.problems() == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "Expected: check MODULE TARGET…\n");
    return 2;
  }
  try {
    return check(argv[1], {argv + 2, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
