#include "transcribe/coverage.h"

#include <algorithm>
#include <cstdlib>

namespace whisper_hip {

namespace {

// Frames of the network, of 512 samples at 16 kHz, in frames of 160.
constexpr int kNetworkFrame = 512;
constexpr int kFrame = 160;
// Tokens that even slow speakers say in a second.
constexpr double kFewestTokens = 2.5;
// A neighbour's speech may reach as far into a stretch: a frame of the network is longer than one of ours.
constexpr int kTouch = 10;
// What several gaps in one text must have, to count together.
constexpr int kShortestLoss = 150;
// Half of a pause between words.
constexpr int kPause = 15;

} // namespace

VoicedTime::VoicedTime(const std::vector<float>& probabilities, float threshold) {
  sums_.reserve(probabilities.size() + 1);
  for (const float probability : probabilities)
    sums_.push_back(sums_.back() + (probability >= threshold ? 1 : 0));
}

// Frames of 10 ms before `frame`; within a frame of the network in proportion.
int VoicedTime::until(int frame) const {
  const long long sample = static_cast<long long>(std::max(frame, 0)) * kFrame;
  const size_t last = sums_.size() - 1;
  const size_t whole = std::min(static_cast<size_t>(sample / kNetworkFrame), last);
  long long samples = static_cast<long long>(sums_[whole]) * kNetworkFrame;
  if (whole < last && sums_[whole + 1] > sums_[whole])
    samples += sample % kNetworkFrame;
  return static_cast<int>(samples / kFrame);
}

int VoicedTime::within(int first, int end) const {
  return std::max(until(end) - until(first), 0);
}

FrameSpan VoicedTime::trimmed(int first, int end) const {
  if (within(first, end) <= kTouch)
    return {first, first};
  // The first frame by which something was said, and the first one after which nothing is.
  const auto bound = [first, end](auto holds) {
    int low = first, high = end;
    while (low < high) {
      const int middle = low + (high - low) / 2;
      if (holds(middle))
        high = middle;
      else
        low = middle + 1;
    }
    return low;
  };
  const int start = bound([&](int frame) { return within(first, frame) > kTouch; });
  const int stop = bound([&](int frame) { return within(frame, end) <= kTouch; });
  return {std::max(start - kTouch - 1, first), std::min(stop + kTouch, end)};
}

std::vector<FrameSpan> VoicedTime::parts(FrameSpan span, int longest) const {
  std::vector<FrameSpan> parts;
  const auto add = [&](int first, int end) {
    const FrameSpan part = trimmed(first, end);
    if (part.first < part.second)
      parts.push_back(part);
  };
  int first = span.first;
  while (span.second - first > longest) {
    const auto said_at = [this](int frame) { return within(frame - kPause, frame + kPause); };
    int cut = first + longest;
    for (int frame = cut; frame >= first + longest / 2; --frame) {
      if (said_at(frame) < said_at(cut))
        cut = frame;
    }
    add(first, cut);
    first = cut;
  }
  add(first, span.second);
  return parts;
}

int VoicedTime::pause_near(int frame, int reach) const {
  int best = frame;
  int longest = -1;
  int start = -1; // of the pause at hand
  const auto end_pause = [&](int end) {
    if (start < 0)
      return;
    const int length = end - start, middle = start + length / 2;
    if (length > longest || (length == longest && std::abs(middle - frame) < std::abs(best - frame))) {
      longest = length;
      best = middle;
    }
    start = -1;
  };
  for (int at = frame - reach; at < frame + reach; ++at) {
    if (within(at - 1, at + 1) > 0)
      end_pause(at);
    else if (start < 0)
      start = at;
  }
  end_pause(frame + reach);
  return best;
}

bool is_sparse(int voiced, size_t tokens) {
  return voiced - 100 * static_cast<double>(tokens) / kFewestTokens > kLongestLoss;
}

std::vector<FrameSpan> unspoken(const VoicedTime& voiced, const std::vector<FrameSpan>& spoken, int first,
                                int end) {
  std::vector<FrameSpan> gaps;
  int lost = 0;
  const auto look = [&](int from, int to) {
    const int said = voiced.within(from, to);
    if (said <= kShortestLoss)
      return;
    gaps.push_back(voiced.trimmed(from, to));
    lost += said;
  };
  int reached = first;
  for (const FrameSpan& span : spoken) {
    look(reached, std::min(span.first, end));
    reached = std::max(reached, span.second);
  }
  look(reached, end);
  return lost > kLongestLoss ? gaps : std::vector<FrameSpan>();
}

} // namespace whisper_hip
