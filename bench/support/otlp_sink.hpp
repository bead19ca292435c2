// What spans are sent to in benches: OTLP over HTTP/1.1 as protobuf.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace spanwire::bench {

enum class SinkKind {
  answering,  // a process of its own, which counts the spans and says 200
  silent,     // takes connections and what comes over them, and never answers
  deaf        // lets every attempt to connect go unanswered
};

// "answering", "silent" or "deaf"; ends the program at anything else.
SinkKind sink_kind(std::string_view name);

// Make it before there are threads: the answering one forks.
class OtlpSink {
 public:
  explicit OtlpSink(SinkKind kind);
  ~OtlpSink();
  OtlpSink(const OtlpSink&) = delete;
  OtlpSink& operator=(const OtlpSink&) = delete;

  int port() const noexcept { return port_; }
  std::string url() const;
  // Those of requests that were read to their end; always 0 but for the answering one.
  std::uint64_t spans() const noexcept { return shared_->spans.load(std::memory_order_acquire); }
  std::uint64_t requests() const noexcept { return shared_->requests.load(); }

  struct Shared {
    std::atomic<std::uint64_t> spans;
    std::atomic<std::uint64_t> requests;
  };

 private:
  void fill_backlog();

  int listener_ = -1;
  int port_ = 0;
  pid_t process_ = -1;
  std::vector<int> waiting_;  // of a deaf one: connections that nobody takes
  Shared* shared_ = nullptr;
};

}  // namespace spanwire::bench
