// The text of a window as segments, and where the next window begins: as OpenAI's transcribe.py does it.
#pragma once

#include "engine/search/search.h"

namespace whisper_hip {

// Frames are of 10 ms, from the start of the window.
struct TextSegment {
  int start, end;     // 0 <= start < end <= frames of the window
  size_t first, last; // its tokens, [first, last), with the timestamps; there may be no text among them
};

struct WindowText {
  std::vector<TextSegment> segments; // in order, none begins before the last one ends
  int seek;                          // frames to the next window, above 0
};

// `frames`: of the audio in the window, above 0. A text without timestamps is one segment. What comes after
// the last timestamp of a text that goes on is in none: the next window hears it again.
WindowText split_text(const std::vector<Token>& text, const SpecialTokens& tokens, int frames);

} // namespace whisper_hip
