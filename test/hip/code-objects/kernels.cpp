#include "kernels.h"

#include <elf.h>

#include <cstring>
#include <set>

namespace {

template <typename T> bool read(const std::vector<char>& bytes, size_t at, T& value) {
  if (at > bytes.size() || sizeof value > bytes.size() - at)
    return false;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return true;
}

bool section(const std::vector<char>& bytes, const Elf64_Ehdr& header, size_t index, Elf64_Shdr& found) {
  return index < header.e_shnum && read(bytes, header.e_shoff + index * sizeof found, found);
}

std::set<std::string> symbols(const std::vector<char>& bytes) {
  std::set<std::string> names;
  Elf64_Ehdr header;
  Elf64_Shdr table, strings;
  if (!read(bytes, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return names;
  for (size_t i = 0; section(bytes, header, i, table); i++) {
    if (table.sh_type != SHT_SYMTAB || !section(bytes, header, table.sh_link, strings) ||
        strings.sh_offset > bytes.size() || strings.sh_size > bytes.size() - strings.sh_offset)
      continue;
    const std::string text(bytes.data() + strings.sh_offset, strings.sh_size);
    Elf64_Sym symbol;
    for (size_t at = 0; at < table.sh_size; at += sizeof symbol)
      if (read(bytes, table.sh_offset + at, symbol) && symbol.st_name < text.size())
        names.insert(text.c_str() + symbol.st_name);
  }
  return names;
}

} // namespace

std::vector<std::string> missing_kernels(const std::vector<char>& code_object,
                                         const std::vector<std::string>& kernels) {
  const std::set<std::string> names = symbols(code_object);
  std::vector<std::string> missing;
  for (const std::string& kernel : kernels)
    if (names.count(kernel + ".kd") == 0)
      missing.push_back(kernel);
  return missing;
}
