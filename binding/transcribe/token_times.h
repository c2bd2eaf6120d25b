// When each token of a text was spoken: dynamic time warping over the cross-attention of the heads that
// follow the audio, as OpenAI's whisper/timing.py does it.
#pragma once

#include <cstddef>
#include <vector>

namespace whisper_hip {

// `attention`: softmax over `positions` of 20 ms, [heads, tokens, positions], of which the first `columns`
// are not padding; the last tokens are those of the text. Returns the start of each token of the text in
// seconds, and the end of the last: text + 1 times, ascending.
std::vector<double> token_times(std::vector<float> attention, size_t heads, int tokens, int positions,
                                int columns, int text);

// For tests: the path of least cost through `cost` [rows, columns] by steps down, right and both; the first
// column of each row on it.
std::vector<int> first_columns(const std::vector<float>& cost, int rows, int columns);

} // namespace whisper_hip
