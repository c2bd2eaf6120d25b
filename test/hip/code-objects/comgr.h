// AMD's library of code objects, of which the HIP runtime asks the device code of a bundle.
#pragma once

#include <string>
#include <vector>

#include "bundle.h"

class Comgr {
 public:
  // Loads the library that this HIP runtime would load. Throws std::runtime_error.
  explicit Comgr(const std::string& runtime);

  // A target's code object, as HIP has compressed bundles unpacked. Empty when there is none.
  std::vector<char> unbundle(Bytes bundle, const std::string& target) const;

  // Where a target's code object is, as HIP asks for uncompressed bundles. No bytes when there is none.
  Bytes look_up(Bytes bundle, const std::string& target) const;

  // Path of the library.
  std::string path() const;

 private:
  void* library_;
};
