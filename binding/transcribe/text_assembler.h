// Joins the bytes of tokens into valid UTF-8. A token may end inside a character; the rest comes with the
// next one.
#pragma once

#include <string>

namespace whisper_hip {

class TextAssembler {
 public:
  // Takes the bytes of one token and returns the text that is complete with it: possibly none. Bytes that can
  // never become a character are replaced by U+FFFD.
  std::string push(const std::string& bytes);
  // The end: an incomplete character that is left becomes U+FFFD.
  std::string flush();

 private:
  std::string pending_;
};

} // namespace whisper_hip
