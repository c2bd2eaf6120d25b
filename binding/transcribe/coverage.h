// Whether a text tells of all the speech that a stretch of audio holds. Models end a window early or leave
// sentences out, and no value of theirs shows it: the voice activity network hears what is missing. Times are
// frames of 10 ms.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace whisper_hip {

// [first, second)
using FrameSpan = std::pair<int, int>;

// More speech than this without a word is lost speech: less may be a breath, a laugh or a filler that models
// leave out.
constexpr int kLongestLoss = 300;

// When somebody speaks.
class VoicedTime {
 public:
  // Nobody ever.
  VoicedTime() = default;
  // `probabilities`: of the frames of the network, 32 ms each; from `threshold` on somebody speaks.
  VoicedTime(const std::vector<float>& probabilities, float threshold);

  // How much of [first, end) is speech.
  int within(int first, int end) const;
  bool is_empty() const { return sums_.size() == 1; } // nothing is known
  // [first, end) without the silence at both ends; empty where there is none that counts.
  FrameSpan trimmed(int first, int end) const;
  // The middle of the longest pause within `reach` of a frame; of equal ones the nearest.
  int pause_near(int frame, int reach) const;
  // The span in parts of at most `longest` frames, cut where the least is said, without silence at their
  // ends.
  std::vector<FrameSpan> parts(FrameSpan span, int longest) const;

 private:
  int until(int frame) const;

  std::vector<int> sums_ = {0}; // of the frames of the network before each
};

// Whether a text of so few tokens may leave speech out that its timestamps enclose. Slow speakers come here
// too.
bool is_sparse(int voiced, size_t tokens);

// The parts of [first, end) with speech that none of `spoken` reaches, without the silence at their ends,
// where they have more than kLongestLoss of it together. `spoken` ascends by its starts.
std::vector<FrameSpan> unspoken(const VoicedTime& voiced, const std::vector<FrameSpan>& spoken, int first,
                                int end);

} // namespace whisper_hip
