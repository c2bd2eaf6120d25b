// A search that is under way, and where its sequences lie in the cache.
#pragma once

#include <memory>
#include <vector>

#include "engine/cache/sequences.h"
#include "engine/request.h"
#include "engine/search/search.h"

namespace whisper_hip {

struct ActiveSearch {
  std::shared_ptr<Request> request;
  std::unique_ptr<SequenceBlock> block;
  int position = 0; // of the next token
  // Of each live sequence, which has the place of the same number in the block: what it has read, and what
  // comes next.
  std::vector<std::vector<Token>> read;
  std::vector<Token> next;
  std::vector<int> order; // place of each branch that the search has asked for
  bool ended = false;

  // Gives each branch a place: that of its parent for the first one, a free one for the others. Returns what
  // has to be copied there, which is what the two have not in common.
  std::vector<SequenceCopy> branch(const std::vector<Branch>& branches);
};

} // namespace whisper_hip
