// The head of an HTTP/1 request, as far as GET /metrics needs it.  Pure functions.  RFC 9112.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spanwire::admin {

struct HttpRequest {
  int refused = 0;  // the status to answer with; 0: it is good
  bool head = false;
  std::string path;    // without the query
  std::string accept;  // all fields of that name, with commas between
};

// Where the head ends, behind its empty line; npos while that has not come.
std::size_t head_end(std::string_view text) noexcept;

// `head` with its empty line.
HttpRequest parse_request(std::string_view head);

// The whole answer to a request, which is the last one of its connection.
std::string http_answer(int status, std::string_view content_type, std::string_view body,
                        bool head_only);

}  // namespace spanwire::admin
