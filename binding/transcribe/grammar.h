// A GBNF grammar that constrains the text (whisper.cpp's grammars/ folder explains the notation).
#pragma once

#include <string>
#include <vector>

#include "grammar-parser.h"

namespace whisper_hip {

class Grammar {
 public:
  // Throws Error(ERR_INVALID_ARGUMENT) that says what is wrong: syntax, a rule that is used but not defined,
  // no rule of the name `start_rule`, left recursion (which whisper.cpp would follow without end).
  Grammar(const std::string& text, const std::string& start_rule);

  const std::vector<const whisper_grammar_element*>& rules() const { return rules_; }
  size_t start_rule() const { return start_; }

 private:
  grammar_parser::parse_state parsed_;
  std::vector<const whisper_grammar_element*> rules_;
  size_t start_ = 0;
};

} // namespace whisper_hip
