#include "comgr.h"

#include <amd_comgr/amd_comgr.h>
#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace {

const std::string kIsa = "amdgcn-amd-amdhsa--";
// HIP hands over this many bytes, because it does not know where an uncompressed bundle ends.
constexpr size_t kHeaderBytes = 4096;

// Newer runtimes are linked with it, others load it by the name that is in them.
std::string name_in(const std::string& runtime) {
  std::ifstream file(runtime, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const size_t begin = bytes.find("libamd_comgr.so.");
  if (begin == std::string::npos)
    throw std::runtime_error(runtime + " names no libamd_comgr");
  return bytes.substr(begin, bytes.find('\0', begin) - begin);
}

void* load(const std::string& runtime) {
  const std::string name = name_in(runtime);
  if (void* loaded = dlopen(name.c_str(), RTLD_NOW | RTLD_NOLOAD))
    return loaded;
  const std::string beside = runtime.substr(0, runtime.rfind('/') + 1) + name;
  for (const std::string& path : {beside, name})
    if (void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL))
      return library;
  throw std::runtime_error(dlerror());
}

template <typename Function> Function* find(void* library, const char* name) {
  if (void* address = dlsym(library, name))
    return reinterpret_cast<Function*>(address);
  throw std::runtime_error(dlerror());
}

#define COMGR(name) find<decltype(amd_comgr_##name)>(library_, "amd_comgr_" #name)

void require(amd_comgr_status_t status, const char* what) {
  if (status != AMD_COMGR_STATUS_SUCCESS)
    throw std::runtime_error(std::string("comgr does not ") + what + " (status " + std::to_string(status) +
                             ")");
}

} // namespace

Comgr::Comgr(const std::string& runtime) : library_(load(runtime)) {}

std::string Comgr::path() const {
  link_map* library = nullptr;
  return dlinfo(library_, RTLD_DI_LINKMAP, &library) == 0 ? library->l_name : "?";
}

std::vector<char> Comgr::unbundle(Bytes bundle, const std::string& target) const {
  amd_comgr_data_t input, output;
  amd_comgr_data_set_t inputs, outputs;
  amd_comgr_action_info_t action;
  const std::string id = "hipv4-" + kIsa + target;
  const char* ids[] = {id.c_str()};
  require(COMGR(create_data)(AMD_COMGR_DATA_KIND_OBJ_BUNDLE, &input), "make data");
  require(COMGR(set_data)(input, bundle.size, bundle.data), "take a bundle");
  require(COMGR(set_data_name)(input, "hipfatbin"), "take a name");
  require(COMGR(create_data_set)(&inputs), "make a set");
  require(COMGR(create_data_set)(&outputs), "make a set");
  require(COMGR(data_set_add)(inputs, input), "add to a set");
  require(COMGR(create_action_info)(&action), "make an action");
  require(COMGR(action_info_set_bundle_entry_ids)(action, ids, 1), "take a target");
  size_t size = 0;
  std::vector<char> bytes;
  // What cannot be unpacked is what is looked for here: no bytes.
  if (COMGR(do_action)(AMD_COMGR_ACTION_UNBUNDLE, action, inputs, outputs) == AMD_COMGR_STATUS_SUCCESS &&
      COMGR(action_data_get_data)(outputs, AMD_COMGR_DATA_KIND_EXECUTABLE, 0, &output) ==
          AMD_COMGR_STATUS_SUCCESS) {
    require(COMGR(get_data)(output, &size, nullptr), "give the size of a code object");
    bytes.resize(size);
    require(COMGR(get_data)(output, &size, bytes.data()), "give a code object");
    COMGR(release_data)(output);
  }
  COMGR(destroy_action_info)(action);
  COMGR(destroy_data_set)(outputs);
  COMGR(destroy_data_set)(inputs);
  COMGR(release_data)(input);
  return bytes;
}

Bytes Comgr::look_up(Bytes bundle, const std::string& target) const {
  amd_comgr_data_t data;
  const std::string isa = kIsa + target;
  amd_comgr_code_object_info_t info = {isa.c_str(), 0, 0};
  require(COMGR(create_data)(AMD_COMGR_DATA_KIND_FATBIN, &data), "make data");
  require(COMGR(set_data)(data, std::min(bundle.size, kHeaderBytes), bundle.data), "take a bundle");
  const amd_comgr_status_t status = COMGR(lookup_code_object)(data, &info, 1);
  COMGR(release_data)(data);
  if (status != AMD_COMGR_STATUS_SUCCESS)
    return {bundle.data, 0};
  return {bundle.data + info.offset, info.size};
}
