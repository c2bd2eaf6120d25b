#include "engine/active_search.h"

#include <algorithm>

namespace whisper_hip {

std::vector<SequenceCopy> ActiveSearch::branch(const std::vector<Branch>& branches) {
  std::vector<SequenceCopy> copies;
  const size_t count = branches.size();
  std::vector<int> place(count, -1);
  std::vector<bool> taken(count, false);
  for (size_t i = 0; i < count; ++i) {
    const int parent = order[static_cast<size_t>(branches[i].parent)];
    if (parent < static_cast<int>(count) && !taken[static_cast<size_t>(parent)]) {
      place[i] = parent;
      taken[static_cast<size_t>(parent)] = true;
    }
  }
  std::vector<std::vector<Token>> now_read(count);
  next.resize(count);
  order.resize(std::max(order.size(), count));
  std::vector<int> now_order(count);
  int free = 0;
  for (size_t i = 0; i < count; ++i) {
    const int parent = order[static_cast<size_t>(branches[i].parent)];
    const std::vector<Token>& source = read[static_cast<size_t>(parent)];
    if (place[i] < 0) {
      while (taken[static_cast<size_t>(free)])
        ++free;
      taken[static_cast<size_t>(free)] = true;
      place[i] = free;
      int common = 0;
      if (static_cast<size_t>(free) < read.size()) {
        const std::vector<Token>& other = read[static_cast<size_t>(free)];
        common = static_cast<int>(
            std::mismatch(source.begin(), source.end(), other.begin(), other.end()).first - source.begin());
      }
      copies.push_back({&block->chunk(), block->first() + parent, block->first() + free, common, position});
    }
    now_order[i] = place[i];
    next[static_cast<size_t>(place[i])] = branches[i].token;
    now_read[static_cast<size_t>(place[i])] = source;
  }
  // What lies in places that are not in use any more is still there, and may be had in common later.
  for (size_t i = count; i < read.size(); ++i)
    now_read.push_back(std::move(read[i]));
  read = std::move(now_read);
  order = std::move(now_order);
  return copies;
}

} // namespace whisper_hip
