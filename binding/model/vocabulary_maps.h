// What whisper_unit.cpp puts in the place of the two maps of whisper.cpp's vocabulary.
//
// std::map makes two nodes for each of 51,865 tokens, and compares about sixteen texts for each: 16 ms of a
// load, more than reading the weights of a small model. These keep the tokens in one array, and find a text
// by its hash.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace whisper_hip {

// Room for every vocabulary of Whisper.
constexpr size_t kTokens = 52'000;

// Stands for std::map<int, std::string> whose keys are 0, 1, 2, ….
class TokenTexts {
 public:
  TokenTexts() { texts_.reserve(kTokens); }

  // The text of a token; the next one is added. All others throw as at() does.
  std::string& operator[](int token) {
    if (token >= 0 && static_cast<size_t>(token) == texts_.size())
      texts_.emplace_back();
    return texts_.at(static_cast<size_t>(token));
  }
  const std::string& at(int token) const { return texts_.at(static_cast<size_t>(token)); }
  size_t size() const { return texts_.size(); }

 private:
  std::vector<std::string> texts_;
};

// Stands for std::map<std::string, int>, but that it goes through its entries in the order in which they
// came.
class TokenIds {
 public:
  using Entries = std::vector<std::pair<std::string, int>>;

  TokenIds() : slots_(kSlots, kFree) { entries_.reserve(kTokens); }

  int& operator[](const std::string& text) {
    if (2 * entries_.size() >= slots_.size())
      throw std::length_error("a vocabulary of Whisper has fewer tokens");
    uint32_t& slot = slots_[slot_of(text)];
    if (slot == kFree) {
      slot = static_cast<uint32_t>(entries_.size());
      entries_.emplace_back(text, 0);
    }
    return entries_[slot].second;
  }
  Entries::const_iterator find(const std::string& text) const {
    const uint32_t slot = slots_[slot_of(text)];
    return slot == kFree ? entries_.end() : entries_.begin() + slot;
  }
  int at(const std::string& text) const {
    const auto found = find(text);
    if (found == end())
      throw std::out_of_range("there is no such token");
    return found->second;
  }
  Entries::const_iterator begin() const { return entries_.begin(); }
  Entries::const_iterator end() const { return entries_.end(); }

 private:
  // A power of 2, at most half of which is used.
  static constexpr size_t kSlots = 1u << 17;
  static constexpr uint32_t kFree = UINT32_MAX;

  // Where the text is, or the free slot where it belongs.
  size_t slot_of(const std::string& text) const {
    size_t slot = std::hash<std::string>()(text) % kSlots;
    while (slots_[slot] != kFree && entries_[slots_[slot]].first != text)
      slot = (slot + 1) % kSlots;
    return slot;
  }

  Entries entries_;
  std::vector<uint32_t> slots_;
};

template <typename Key, typename Value> struct MapFor {
  using type = std::map<Key, Value>;
};
template <> struct MapFor<int, std::string> {
  using type = TokenTexts;
};
template <> struct MapFor<std::string, int> {
  using type = TokenIds;
};

} // namespace whisper_hip

// whisper.cpp names it with `std::` before.
namespace std {
template <typename Key, typename Value>
using map_for_whisper = typename whisper_hip::MapFor<Key, Value>::type;
} // namespace std
