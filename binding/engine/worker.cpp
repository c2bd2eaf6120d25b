#include "engine/worker.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <thread>
#include <utility>

#include "backend/compute.h"
#include "backend/gpu_state.h"
#include "support/error.h"
#include "support/log.h"

namespace whisper_hip {

namespace {

using Clock = std::chrono::steady_clock;
using Kind = Request::Kind;

// Rows of a step: eight windows of five beams, and some live streams.
constexpr int kMostRows = 64;
static_assert(kMostRows <= kMostParts);
// Work that has waited so long is not put behind live streams any more.
constexpr std::chrono::seconds kPatience{2};

bool is_urgent(const Request& request) {
  return request.live || Clock::now() - request.asked > kPatience;
}

bool is_out_of_memory(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::bad_alloc&) {
    return true;
  } catch (const Error& error) {
    return std::strcmp(error.code, "ERR_OUT_OF_MEMORY") == 0;
  } catch (...) {
    return false;
  }
}

// Calls `run` with the searches in groups, in their order, each of `most` at most by the sum of `size`.
template <typename Size, typename Run>
void in_groups(const std::vector<ActiveSearch*>& searches, int most, Size size, Run run) {
  std::vector<ActiveSearch*> group;
  int sum = 0;
  for (ActiveSearch* search : searches) {
    if (!group.empty() && sum + size(*search) > most) {
      run(std::exchange(group, {}));
      sum = 0;
    }
    group.push_back(search);
    sum += size(*search);
  }
  if (!group.empty())
    run(group);
}

} // namespace

Worker::Worker(const ModelWeights& weights, const SpecialTokens& tokens, const EngineOptions& options,
               RequestQueue& queue)
    : queue_(queue), runner_(weights, tokens, options), most_rows_(kMostRows) {}

void Worker::run() {
  while (true) {
    const bool is_idle = waiting_.empty() && active_.empty();
    // What there was no memory for may have room the next time.
    if (is_idle)
      most_rows_ = kMostRows;
    if (!queue_.take(waiting_, is_idle))
      return;
    drop_abandoned();
    if (end_if_lost())
      continue;
    // Windows first: the more of them are decoded together, the less each one costs.
    if (encode_next() || align_next() || begin_waiting() || step_all() || waiting_.empty())
      continue;
    // Only requests for memory that clients are about to give back.
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Worker::drop_abandoned() {
  waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(),
                                [](const auto& request) { return request->abandoned.load(); }),
                 waiting_.end());
  for (const auto& search : active_)
    search->ended = search->ended || search->request->abandoned;
  finish_ended();
}

// What is urgent first; of that, and of the others, whoever has waited longest for a window. While live
// streams are decoded, only what is urgent.
std::shared_ptr<Request> Worker::next_to_encode() const {
  const bool live =
      std::any_of(active_.begin(), active_.end(), [](const auto& search) { return search->request->live; }) ||
      std::any_of(waiting_.begin(), waiting_.end(), [](const auto& request) { return request->live; });
  std::shared_ptr<Request> next;
  for (const auto& request : waiting_) {
    if (request->kind != Kind::encode || (live && !is_urgent(*request)))
      continue;
    const auto rank = [](const Request& of) { return std::make_pair(!is_urgent(of), of.client->served); };
    if (!next || rank(*request) < rank(*next))
      next = request;
  }
  return next;
}

bool Worker::encode_next() {
  const std::shared_ptr<Request> request = next_to_encode();
  if (!request)
    return false;
  const bool others_go_on =
      !active_.empty() || std::any_of(waiting_.begin(), waiting_.end(),
                                      [](const auto& other) { return other->kind != Kind::encode; });
  // Live streams are never without windows: what has waited long has its share beside them.
  const auto is_window_of_live = [](const Request& other) {
    return other.live && other.kind != Kind::encode;
  };
  int windows = runner_.windows();
  if (is_urgent(*request)) {
    for (const auto& search : active_)
      windows -= is_window_of_live(*search->request) ? 1 : 0;
    for (const auto& other : waiting_)
      windows -= is_window_of_live(*other) ? 1 : 0;
  }
  if (!request->live && others_go_on && windows >= runner_.most_windows())
    return false;
  try {
    const LogScope log;
    if (!runner_.encode(*request))
      return false;
    request->client->served = served_++;
    request->finish();
  } catch (...) {
    request->finish(failure());
    recover({});
  }
  take(request);
  return true;
}

bool Worker::align_next() {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [](const auto& request) { return request->kind == Kind::align; });
  if (found == waiting_.end())
    return false;
  const std::shared_ptr<Request> request = *found;
  try {
    const LogScope log;
    if (!runner_.align(*request))
      return false;
    request->finish();
  } catch (...) {
    request->finish(failure());
    recover({});
  }
  take(request);
  return true;
}

// Reads the prompts of all that there is room for.
bool Worker::begin_waiting() {
  int rows = 0, rows_of_files = 0;
  const auto count = [&](const Request& request) {
    rows += request.width;
    rows_of_files += request.live ? 0 : request.width;
  };
  for (const auto& search : active_)
    count(*search->request);
  std::vector<std::unique_ptr<ActiveSearch>> begun;
  std::vector<std::shared_ptr<Request>> searches;
  for (const auto& request : waiting_) {
    if (request->kind == Kind::decode)
      searches.push_back(request);
  }
  std::stable_partition(searches.begin(), searches.end(),
                        [](const auto& request) { return is_urgent(*request); });
  for (const auto& request : searches) {
    const bool is_alone = rows == 0;
    const int others = is_urgent(*request) ? rows_of_files : rows;
    if (others > 0 && !request->live && others + request->width > most_rows_)
      continue;
    std::unique_ptr<ActiveSearch> search;
    try {
      search = runner_.begin(request);
    } catch (...) {
      request->finish(failure());
      take(request);
      continue;
    }
    if (!search && is_alone && begun.empty()) {
      request->finish(
          std::make_exception_ptr(Error("ERR_OUT_OF_MEMORY",
                                        "The self-attention cache for " + std::to_string(request->width) +
                                            " sequences side by side could not be allocated",
                                        "OUT_OF_MEMORY")));
      take(request);
      return true;
    }
    if (!search)
      break;
    count(*request);
    take(request);
    begun.push_back(std::move(search));
  }
  if (begun.empty())
    return false;
  std::map<size_t, Searches> by_length;
  for (auto& search : begun) {
    by_length[search->request->tokens.size()].push_back(search.get());
    active_.push_back(std::move(search));
  }
  for (const auto& [length, same] : by_length)
    in_groups(
        same, kMostParts, [](const ActiveSearch&) { return 1; },
        [this](const Searches& group) { read_prompts(group); });
  finish_ended();
  return true;
}

void Worker::read_prompts(const Searches& searches) {
  if (is_lost())
    return;
  try {
    const LogScope log;
    runner_.read_prompts(searches);
  } catch (...) {
    recover(searches);
    if (searches.size() > 1) {
      for (ActiveSearch* search : searches) {
        if (!search->ended)
          read_prompts({search});
      }
    }
  }
}

bool Worker::step_all() {
  if (active_.empty())
    return false;
  Searches all;
  for (const auto& search : active_)
    all.push_back(search.get());
  in_groups(
      all, most_rows_, [](const ActiveSearch& search) { return static_cast<int>(search.next.size()); },
      [this](const Searches& group) { step(group); });
  finish_ended();
  return true;
}

void Worker::step(const Searches& searches) {
  if (is_lost())
    return;
  try {
    const LogScope log;
    runner_.step(searches);
  } catch (...) {
    recover(searches);
  }
}

void Worker::recover(const Searches& searches) {
  const std::exception_ptr cause = failure();
  if (!is_lost() && searches.size() > 1 && is_out_of_memory(cause)) {
    int rows = 0;
    for (const ActiveSearch* search : searches)
      rows += static_cast<int>(std::max<size_t>(search->next.size(), 1));
    most_rows_ = std::max(rows / 2, 1);
  } else {
    for (ActiveSearch* search : searches) {
      search->request->finish(cause);
      search->ended = true;
    }
  }
  if (is_lost())
    return;
  try {
    runner_.recover();
  } catch (...) {
    const std::exception_ptr end = failure();
    for (const auto& search : active_) {
      search->request->finish(end);
      search->ended = true;
    }
    queue_.fail(end);
  }
}

// Nothing can be computed any more.
bool Worker::is_lost() const {
  return compute_is_broken() || (runner_.device().is_gpu() && !gpu_failure().empty());
}

std::exception_ptr Worker::failure() const {
  return runner_.device().is_gpu() ? note_gpu_failure() : std::current_exception();
}

bool Worker::end_if_lost() {
  try {
    if (runner_.device().is_gpu())
      require_sound_gpu();
    if (compute_is_broken())
      throw Error("ERR_INTERNAL", "An earlier failure inside ggml made the compute threads unusable");
    return false;
  } catch (...) {
    for (const auto& search : active_)
      search->request->finish(std::current_exception());
    for (const auto& request : waiting_)
      request->finish(std::current_exception());
    active_.clear();
    waiting_.clear();
    return true;
  }
}

void Worker::take(const std::shared_ptr<Request>& request) {
  waiting_.erase(std::remove(waiting_.begin(), waiting_.end(), request), waiting_.end());
}

void Worker::finish_ended() {
  for (const auto& search : active_) {
    if (search->ended)
      search->request->finish();
  }
  active_.erase(
      std::remove_if(active_.begin(), active_.end(), [](const auto& search) { return search->ended; }),
      active_.end());
}

} // namespace whisper_hip
