// TraceFolder: what was received as files, traces.jsonl and trace.html.
#pragma once

#include <cstddef>
#include <cstdio>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "tools/receive/live_traces.hpp"

namespace spanwire::tools {

inline constexpr std::string_view kReceivedFile = "traces.jsonl";
inline constexpr std::string_view kReceivedOlderFile = "traces.older.jsonl";
inline constexpr std::string_view kReceivedPage = "trace.html";
// Of the page: the newest ones, and of them as many as stay below so many bytes of spans.
inline constexpr std::size_t kPageTracesMax = 50;
inline constexpr std::size_t kPageBytesMax = 32u << 20;

// What a page shows of the traces that there are.
struct PageTraces {
  inspect::TraceSet set;
  std::size_t left_out = 0;
};
PageTraces page_traces(const std::list<LiveTrace>& traces);

// One thread at a time, but for write_page(), which another one may call.
class TraceFolder {
 public:
  // Makes the folder; adds to a file that is there.  Fails with file_open_failed.  A file that
  // would grow beyond `file_bytes_max` becomes the older one, whose content is given up.
  static Result<std::unique_ptr<TraceFolder>> open(const std::string& path,
                                                   std::size_t file_bytes_max);

  const std::string& path() const noexcept { return path_; }
  // A line; complains of the first one that cannot be written, counts all.
  void add(std::string_view line);
  std::size_t failures() const noexcept { return failures_; }
  // Replaces the page by one of `page`; complains when it cannot.
  void write_page(const PageTraces& page) const;

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };

  TraceFolder(std::string path, std::size_t file_bytes_max)
      : path_(std::move(path)), file_bytes_max_(file_bytes_max) {}
  std::string of(std::string_view file) const { return path_ + '/' + std::string(file); }
  Result<void> open_file();
  void turn_over();

  const std::string path_;
  const std::size_t file_bytes_max_;
  std::unique_ptr<std::FILE, Close> file_;
  std::size_t file_bytes_ = 0;
  std::size_t failures_ = 0;
};

}  // namespace spanwire::tools
