// A trace as lines for a terminal: the tree on the left, time as bars on the right.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/inspect/tree.hpp"

namespace spanwire::inspect {

inline constexpr std::size_t kWidthMin = 60;
inline constexpr std::size_t kWidthMax = 400;

struct TextOptions {
  std::size_t width = 100;  // columns; held between kWidthMin and kWidthMax
  std::size_t rows_max = 2'000;
  bool fold_runs = true;  // many like siblings in a row become one line
  bool colour = false;
  bool ascii = false;  // no character beyond ASCII of our own
};

// What the environment asks for: colour only on a terminal that is not dumb and without NO_COLOR
// (https://no-color.org), the terminal's width (or COLUMNS), ASCII in the C locale.  `get` looks up
// one variable and returns null when it is not set.
TextOptions text_options(bool is_terminal, std::size_t terminal_columns,
                         const char* (*get)(const char* name));

// One tree: a head line, a line a span, errors and orphans marked, a foot line for each thing worth
// knowing.  No line is wider than the width.  Ends with a line break.
std::string render_tree(const TraceSet& traces, const Tree& tree, const TextOptions& options);

// One line a trace, the newest last, at most `limit` of them and a line that says how many more.
std::string render_list(const TraceSet& traces, const std::vector<Tree>& trees, std::size_t limit,
                        const TextOptions& options);

}  // namespace spanwire::inspect
