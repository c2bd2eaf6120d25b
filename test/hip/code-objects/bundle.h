// A bundle of device code, as clang's offload bundler writes it into .hip_fatbin.
#pragma once

#include <cstddef>
#include <map>
#include <string>

struct Bytes {
  const char* data;
  size_t size;
};

struct Bundle {
  bool compressed;
  // All of it.
  Bytes bytes;
  // By target, e.g. gfx90a; empty when it is compressed.
  std::map<std::string, Bytes> code_objects;
};

// readable: bytes from the image on that are mapped. Throws std::runtime_error for what is no bundle.
Bundle read_bundle(const char* image, size_t readable);
