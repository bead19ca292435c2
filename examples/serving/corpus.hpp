// Corpus: the prose that the language model learns.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "spanwire/base/result.hpp"

namespace serving {

// The prose of a Markdown text, one string a paragraph or list item: no code, tables, headings,
// pictures, link targets or marks of emphasis, and no sentence with signs of code in it.
std::vector<std::string> prose_of(std::string_view markdown);

// Reads a file, or of a folder README.md and docs/*.md in the order of their names.  Fails with
// file_read_failed if nothing can be read, and with invalid_argument if there is no prose in it.
spanwire::Result<std::vector<std::string>> read_corpus(const std::string& path);

}  // namespace serving
