#include "transcribe/compression_ratio.h"

#include <vector>

#include "support/error.h"
#include "zlib.h"

namespace whisper_hip {

double compression_ratio(const std::string& text) {
  if (text.empty())
    return 0.0;
  uLongf size = compressBound(static_cast<uLong>(text.size()));
  std::vector<Bytef> out(size);
  const auto* bytes = reinterpret_cast<const Bytef*>(text.data());
  if (compress2(out.data(), &size, bytes, static_cast<uLong>(text.size()), Z_DEFAULT_COMPRESSION) != Z_OK) {
    throw Error("ERR_OUT_OF_MEMORY", "The text could not be compressed: out of memory");
  }
  return static_cast<double>(text.size()) / static_cast<double>(size);
}

} // namespace whisper_hip
