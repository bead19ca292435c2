#include "tools/receive/trace_folder.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "spanwire/inspect/html.hpp"
#include "spanwire/inspect/run_folder.hpp"
#include "spanwire/inspect/tree.hpp"
#include "tools/command.hpp"

namespace spanwire::tools {
namespace {

// All of them as one set: each brings its own processes and scopes.
void add_to(inspect::TraceSet& all, const inspect::TraceSet& one) {
  const auto processes = static_cast<std::uint32_t>(all.processes.size());
  const auto scopes = static_cast<std::uint32_t>(all.scopes.size());
  all.processes.insert(all.processes.end(), one.processes.begin(), one.processes.end());
  all.scopes.insert(all.scopes.end(), one.scopes.begin(), one.scopes.end());
  for (const inspect::Span& span : one.spans) {
    inspect::Span& added = all.spans.emplace_back(span);
    added.process += processes;
    added.scope += scopes;
  }
}

}  // namespace

PageTraces page_traces(const std::list<LiveTrace>& traces) {
  PageTraces page;
  std::size_t taken = 0;
  std::size_t bytes = 0;
  for (auto trace = traces.rbegin(); trace != traces.rend() && taken < kPageTracesMax; ++trace) {
    bytes += trace->bytes;
    if (taken != 0 && bytes > kPageBytesMax) break;
    add_to(page.set, trace->set);
    ++taken;
  }
  page.left_out = traces.size() - taken;
  return page;
}

Result<std::unique_ptr<TraceFolder>> TraceFolder::open(const std::string& path,
                                                       std::size_t file_bytes_max) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail(Errc::file_open_failed, path + ": " + error.message());
  std::unique_ptr<TraceFolder> folder(new TraceFolder(path, file_bytes_max));
  SPANWIRE_TRY_VOID(folder->open_file());
  return folder;
}

Result<void> TraceFolder::open_file() {
  const std::string name = of(kReceivedFile);
  file_.reset(std::fopen(name.c_str(), "ae"));
  if (!file_) return fail(Errc::file_open_failed, name + ": " + std::strerror(errno));
  std::error_code error;
  const auto size = std::filesystem::file_size(name, error);
  file_bytes_ = error ? 0 : static_cast<std::size_t>(size);
  return {};
}

void TraceFolder::turn_over() {
  std::error_code error;
  std::filesystem::rename(of(kReceivedFile), of(kReceivedOlderFile), error);
  if (const Result<void> opened = open_file(); !opened) complain(opened.error().message());
}

void TraceFolder::add(std::string_view line) {
  if (file_bytes_ > 0 && file_bytes_ + line.size() > file_bytes_max_) turn_over();
  const bool written = file_ != nullptr &&
                       std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size() &&
                       std::fputc('\n', file_.get()) != EOF && std::fflush(file_.get()) == 0;
  file_bytes_ += line.size() + 1;
  if (written) return;
  if (failures_++ == 0) complain(of(kReceivedFile) + ": " + std::strerror(errno));
}

void TraceFolder::write_page(const PageTraces& page) const {
  const std::vector<inspect::Tree> trees = inspect::build_trees(page.set);
  std::vector<const inspect::Tree*> newest_first;
  for (auto tree = trees.rbegin(); tree != trees.rend(); ++tree) newest_first.push_back(&*tree);
  inspect::HtmlOptions options;
  options.traces_left_out = page.left_out;
  const Result<void> written = inspect::write_whole_file(
      of(kReceivedPage), inspect::render_html(page.set, newest_first, options));
  if (!written) complain(written.error().message());
}

}  // namespace spanwire::tools
