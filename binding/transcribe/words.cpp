#include "transcribe/words.h"

#include <algorithm>
#include <cstring>

#include "transcribe/text_assembler.h"

namespace whisper_hip {

namespace {

// ISO codes of languages that are written without spaces between words (OpenAI's tokenizer.py).
bool has_spaces(const std::string& language) {
  for (const char* other : {"zh", "ja", "th", "lo", "my", "yue"}) {
    if (language == other)
      return false;
  }
  return true;
}

// Punctuation that belongs to the word after it, or before it.
bool is_one_of(const std::string& text, const std::vector<const char*>& marks) {
  return std::any_of(marks.begin(), marks.end(), [&text](const char* mark) { return text == mark; });
}
const std::vector<const char*> kOpening = {"\"", "'", "“", "¿", "(", "[", "{", "-", "„", "«", "「", "『"};
const std::vector<const char*> kClosing = {"\"", "'",  ".", "。", ",",  "，", "!",  "！",
                                           "?",  "？", ":", "：", "”",  ")",  "]",  "}",
                                           "、", "…",  ";", "»",  "」", "』", "..."};
const std::vector<const char*> kSentenceEnds = {".", "。", "!", "！", "?", "？", "…"};

std::string bare(const std::string& text) {
  return text.compare(0, 1, " ") == 0 ? text.substr(1) : text;
}

bool ends_sentence(const std::string& text) {
  return std::any_of(kSentenceEnds.begin(), kSentenceEnds.end(), [&text](const char* mark) {
    const size_t length = std::strlen(mark);
    return text.size() >= length && text.compare(text.size() - length, length, mark) == 0;
  });
}

void append(WordResult& word, const WordResult& other) {
  word.text += other.text;
  word.end = other.end;
  word.tokens.insert(word.tokens.end(), other.tokens.begin(), other.tokens.end());
}

// Whole characters: tokens that share one stay together.
std::vector<WordResult> characters(const whisper_context& context, const std::vector<WindowToken>& tokens,
                                   const std::vector<double>& times) {
  std::vector<WordResult> parts;
  TextAssembler assembler;
  bool complete = true;
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::string text = assembler.push(token_bytes(context, tokens[i].id));
    if (i + 1 == tokens.size())
      text += assembler.flush();
    const WordResult part = {std::move(text), times[i], times[i + 1], tokens[i].probability, {tokens[i].id}};
    const bool was_complete = complete;
    complete = !part.text.empty();
    if (was_complete || parts.empty())
      parts.push_back(part);
    else
      append(parts.back(), part);
  }
  return parts;
}

std::vector<WordResult> join_at_spaces(const std::vector<WordResult>& parts) {
  std::vector<WordResult> words;
  for (const WordResult& part : parts) {
    if (words.empty() || part.text.compare(0, 1, " ") == 0)
      words.push_back(part);
    else
      append(words.back(), part);
  }
  return words;
}

// An opening mark goes to the word after it, a closing one to the word before it.
std::vector<WordResult> attach_punctuation(const std::vector<WordResult>& words) {
  std::vector<WordResult> joined;
  bool opened = false;
  for (const WordResult& word : words) {
    const bool closes =
        !joined.empty() && word.text.compare(0, 1, " ") != 0 && is_one_of(word.text, kClosing);
    if (opened || closes)
      append(joined.back(), word);
    else
      joined.push_back(word);
    opened = !closes && is_one_of(bare(word.text), kOpening);
  }
  return joined;
}

// Of the attention alone a word can reach over a pause. As OpenAI's add_word_timestamps(): twice the usual
// length is the most where a sentence ends or begins. Inside of one a word may be drawn out, but not for
// ever: the attention moves on to the word after the pause when the one before it has ended.
void cut_long_words(std::vector<WordResult>& words) {
  std::vector<double> lengths;
  for (const WordResult& word : words) {
    if (word.end > word.start)
      lengths.push_back(word.end - word.start);
  }
  if (lengths.empty())
    return;
  const auto middle = lengths.begin() + static_cast<ptrdiff_t>(lengths.size() / 2);
  std::nth_element(lengths.begin(), middle, lengths.end());
  const double most = 2 * std::min(0.7, *middle);
  for (size_t i = 0; i < words.size(); ++i) {
    WordResult& word = words[i];
    if (word.end - word.start <= most)
      continue;
    if (i == 0 || ends_sentence(words[i - 1].text))
      word.start = word.end - most;
    else if (ends_sentence(word.text))
      word.end = word.start + most;
    else if (word.end - word.start > 2 * most)
      word.start = word.end - most;
  }
}

} // namespace

std::vector<WordResult> words_of(const whisper_context& context, const std::vector<WindowToken>& tokens,
                                 const std::vector<double>& times, const std::string& language) {
  std::vector<WordResult> words = characters(context, tokens, times);
  if (has_spaces(language))
    words = join_at_spaces(words);
  words = attach_punctuation(words);
  size_t next = 0;
  for (WordResult& word : words) {
    float sum = 0;
    for (size_t i = 0; i < word.tokens.size(); ++i)
      sum += tokens[next++].probability;
    word.probability = sum / static_cast<float>(word.tokens.size());
  }
  cut_long_words(words);
  return words;
}

} // namespace whisper_hip
