// What a HIP module registers when it is loaded.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

// One translation unit's device code.
struct RegisteredBundle {
  const char* image;
  // Bytes of the module that are mapped from there on.
  size_t readable;
  // Mangled names.
  std::vector<std::string> kernels;
};

// Loads a module and the libraries that it needs. This program's own functions take the place of the
// runtime's that registers device code, so that no GPU is needed. Throws std::runtime_error.
std::vector<RegisteredBundle> load_module(const char* path);

// Path of the HIP runtime that the module has loaded. Throws std::runtime_error.
std::string runtime_library();
