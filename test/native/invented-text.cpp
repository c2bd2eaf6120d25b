// Which segments of a window are left out, as a program: THRESHOLD, then START END PROBABILITY of each
// segment, which has three words. Prints the number of the first that is left out and where the next window
// begins, or "nothing".
#include <cstdio>
#include <cstdlib>

#include "transcribe/invented_text.h"

int main(int count, char** arguments) {
  using namespace whisper_hip;
  std::vector<SegmentResult> segments;
  for (int i = 2; i + 2 < count; i += 3) {
    SegmentResult segment = {};
    segment.start = std::atof(arguments[i]);
    segment.end = std::atof(arguments[i + 1]);
    const auto probability = static_cast<float>(std::atof(arguments[i + 2]));
    const double length = (segment.end - segment.start) / 3;
    for (int word = 0; word < 3; ++word)
      segment.words.push_back({" word",
                               segment.start + word * length,
                               segment.start + (word + 1) * length,
                               probability,
                               {},
                               kNobody});
    segments.push_back(segment);
  }
  const auto found = find_invented(segments, {0, 30, 60, 0}, std::atof(arguments[1]));
  if (found)
    std::printf("%zu %.1f\n", found->first, found->seek);
  else
    std::puts("nothing");
}
