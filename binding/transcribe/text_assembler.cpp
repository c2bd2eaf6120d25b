#include "transcribe/text_assembler.h"

#include <cstddef>
#include <cstdint>

namespace whisper_hip {

namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

enum class Step { kCharacter, kIncomplete, kInvalid };

// Looks at the character that starts at `at`. `length` becomes its bytes, or how many to replace.
// The ranges are those of Unicode's table 3-7 (no overlong forms, no surrogates, at most U+10FFFF).
Step look(const std::string& text, size_t at, size_t& length) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[at + i]); };
  const uint8_t lead = byte(0);
  size_t need;
  uint8_t low = 0x80, high = 0xBF;
  if (lead < 0x80)
    need = 1;
  else if (lead >= 0xC2 && lead <= 0xDF)
    need = 2;
  else if (lead >= 0xE0 && lead <= 0xEF)
    need = 3;
  else if (lead >= 0xF0 && lead <= 0xF4)
    need = 4;
  else {
    length = 1;
    return Step::kInvalid;
  }
  if (lead == 0xE0)
    low = 0xA0;
  if (lead == 0xED)
    high = 0x9F;
  if (lead == 0xF0)
    low = 0x90;
  if (lead == 0xF4)
    high = 0x8F;
  for (size_t i = 1; i < need; ++i) {
    length = i;
    if (at + i >= text.size())
      return Step::kIncomplete;
    if (byte(i) < low || byte(i) > high)
      return Step::kInvalid;
    low = 0x80;
    high = 0xBF;
  }
  length = need;
  return Step::kCharacter;
}

} // namespace

std::string TextAssembler::push(const std::string& bytes) {
  pending_ += bytes;
  std::string complete;
  size_t at = 0;
  while (at < pending_.size()) {
    size_t length;
    const Step step = look(pending_, at, length);
    if (step == Step::kIncomplete)
      break;
    if (step == Step::kCharacter)
      complete.append(pending_, at, length);
    else
      complete += kReplacement;
    at += length;
  }
  pending_.erase(0, at);
  return complete;
}

std::string TextAssembler::flush() {
  if (pending_.empty())
    return {};
  pending_.clear();
  return kReplacement;
}

} // namespace whisper_hip
