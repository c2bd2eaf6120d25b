// The words of segments, at the times that the attention gives their tokens.
#pragma once

#include <vector>

#include "model/whisper_unit.h"
#include "transcribe/request.h"

namespace whisper_hip {

// Gives each segment its words, and the times of its first and last word. `times`: of all tokens of the
// segments, as token_times() returns them; `window_start` and `earliest`, before which no word begins, in
// seconds.
void write_words(const whisper_context& context, const std::vector<double>& times, double window_start,
                 double earliest, std::vector<SegmentResult>& segments);

} // namespace whisper_hip
