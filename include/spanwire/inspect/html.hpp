// Traces as one page that needs nothing else: no network, no script but its own, data inert.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/inspect/tree.hpp"

namespace spanwire::inspect {

struct Verdict;

struct HtmlOptions {
  // Allows the page's own style and script and nothing else; hex digits.  Empty: random.
  std::string nonce;
  // Traces that the caller did not pass on: the page says that there are more.
  std::size_t traces_left_out = 0;
  // What verify() says of these spans, for the panel of the gates; null: no such panel.  Only read
  // during the call.
  const Verdict* verdict = nullptr;
};

// `trees` are shown in their order, the first one is open.  Nothing that a span carries can become
// markup, style or script: the data is JSON in a block that is never executed, written to the page
// as text only.
std::string render_html(const TraceSet& traces, const std::vector<const Tree*>& trees,
                        const HtmlOptions& options = {});

}  // namespace spanwire::inspect
