#include "transcribe/grammar.h"

#include "support/error.h"
#include "transcribe/grammar_error.h"

namespace whisper_hip {

namespace {

constexpr size_t kMaxBytes = 64 * 1024;
constexpr int kMaxNesting = 64; // the parser recurses into parentheses

using Rules = std::vector<std::vector<whisper_grammar_element>>;

[[noreturn]] void invalid(const std::string& message) {
  throw Error("ERR_INVALID_ARGUMENT", "The grammar is invalid: " + message);
}

void check_text(const std::string& text) {
  if (text.size() > kMaxBytes)
    invalid("it is longer than 64 KiB");
  if (text.find('\0') != std::string::npos)
    invalid("it contains a NUL character");
  int depth = 0;
  for (char c : text) {
    if (c == '(' && ++depth > kMaxNesting)
      invalid("its parentheses are nested too deeply");
    if (c == ')')
      --depth;
  }
}

std::string name_of(const grammar_parser::parse_state& parsed, size_t rule) {
  for (const auto& symbol : parsed.symbol_ids) {
    if (symbol.second == rule)
      return symbol.first;
  }
  return std::to_string(rule);
}

bool ends_alternative(const whisper_grammar_element& element) {
  return element.type == WHISPER_GRETYPE_END || element.type == WHISPER_GRETYPE_ALT;
}

// Which rules can match the empty text: grows until nothing changes.
std::vector<bool> nullable_rules(const Rules& rules) {
  std::vector<bool> nullable(rules.size(), false);
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < rules.size(); ++i) {
      bool empty_so_far = true;
      for (const auto& element : rules[i]) {
        if (ends_alternative(element)) {
          if (empty_so_far && !nullable[i])
            nullable[i] = changed = true;
          empty_so_far = true;
        } else {
          empty_so_far = empty_so_far && element.type == WHISPER_GRETYPE_RULE_REF && nullable[element.value];
        }
      }
    }
  }
  return nullable;
}

// Rules that may stand first in a rule, without a character before them.
std::vector<std::vector<size_t>> leading_rules(const Rules& rules) {
  const std::vector<bool> nullable = nullable_rules(rules);
  std::vector<std::vector<size_t>> leading(rules.size());
  for (size_t i = 0; i < rules.size(); ++i) {
    bool at_start = true;
    for (const auto& element : rules[i]) {
      if (ends_alternative(element)) {
        at_start = true;
      } else if (element.type != WHISPER_GRETYPE_RULE_REF) {
        at_start = false;
      } else if (at_start) {
        leading[i].push_back(element.value);
        at_start = nullable[element.value];
      }
    }
  }
  return leading;
}

void check_left_recursion(const grammar_parser::parse_state& parsed) {
  const auto leading = leading_rules(parsed.rules);
  for (size_t start = 0; start < leading.size(); ++start) {
    std::vector<bool> seen(leading.size(), false);
    std::vector<size_t> open = leading[start];
    while (!open.empty()) {
      const size_t rule = open.back();
      open.pop_back();
      if (rule == start)
        invalid("rule \"" + name_of(parsed, start) + "\" is left-recursive");
      if (seen[rule])
        continue;
      seen[rule] = true;
      open.insert(open.end(), leading[rule].begin(), leading[rule].end());
    }
  }
}

} // namespace

Grammar::Grammar(const std::string& text, const std::string& start_rule) {
  check_text(text);
  parsed_ = grammar_parser::parse(text.c_str());
  const std::string error = take_grammar_error();
  if (!error.empty())
    invalid(error.substr(0, 200));
  for (size_t i = 0; i < parsed_.symbol_ids.size(); ++i) {
    if (i >= parsed_.rules.size() || parsed_.rules[i].empty()) {
      invalid("rule \"" + name_of(parsed_, i) + "\" is used but not defined");
    }
  }
  const auto start = parsed_.symbol_ids.find(start_rule);
  if (start == parsed_.symbol_ids.end())
    invalid("it has no rule \"" + start_rule + "\"");
  check_left_recursion(parsed_);
  start_ = start->second;
  rules_ = parsed_.c_rules();
}

} // namespace whisper_hip
