// Long audio in stretches that are decoded at the same time, each window after window.
#pragma once

#include <vector>

#include "transcribe/clip_decoder.h"

namespace whisper_hip {

// The clips as contiguous stretches for so many windows at a time, cut in the longest pauses: of some windows
// at least, as each cut costs one that begins without what was said before.
std::vector<FrameSpan> stretches_of(const VoicedTime& voiced, const std::vector<FrameSpan>& clips,
                                    int at_once);

// Decodes the stretches, so many at a time. What `events` tells comes in their order, on this thread. The
// first failure ends it.
void decode_batch(const JobFacts& job, const TextBefore& before, const std::vector<FrameSpan>& stretches,
                  int at_once, const ClipDecoder::Events& events);

} // namespace whisper_hip
