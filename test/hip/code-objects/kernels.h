// The kernels of a code object, as the ROCm runtime finds them.
#pragma once

#include <string>
#include <vector>

// Which of these kernels (mangled names) a code object does not have. ROCr looks for the descriptor NAME.kd
// in the section .symtab; that it is in .dynsym too is of no use to it. All of them are missing in what is no
// code object.
std::vector<std::string> missing_kernels(const std::vector<char>& code_object,
                                         const std::vector<std::string>& kernels);
