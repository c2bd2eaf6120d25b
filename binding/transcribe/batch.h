// Long audio in pieces that are decoded at the same time.
#pragma once

#include <vector>

#include "transcribe/clip_decoder.h"

namespace whisper_hip {

// The clips as pieces of at most 30 s, each a contiguous part of the audio, cut where the least is said.
// Stretches in which nobody speaks at all are left out.
std::vector<FrameSpan> pieces_of(const VoicedTime& voiced, const std::vector<FrameSpan>& clips);

// Decodes the pieces, so many at a time. What `events` tells comes in the order of the pieces, on this thread.
// The first failure ends it.
void decode_batch(const JobFacts& job, const TextBefore& before, const std::vector<FrameSpan>& pieces,
                  int at_once, const ClipDecoder::Events& events);

} // namespace whisper_hip
