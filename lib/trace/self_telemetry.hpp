// What tracing says of itself in the registry: docs/metrics.md, "Numbers of tracing".
#pragma once

#include <mutex>
#include <vector>

#include "spanwire/trace/provider.hpp"

namespace spanwire::trace::detail {

class Core;

// Of one provider.  Safe from any thread; not for hot paths.
class SelfTelemetry {
 public:
  // Adds what has happened since the last call, and says so in the log if spans were lost.
  void publish(const Core& core);

 private:
  void publish_exporter(const ExporterStats& now, const ExporterStats& before);

  std::mutex mutex_;
  bool shown_ = false;  // published once
  TraceStats published_;
  std::vector<ExporterStats> published_exporters_;
  std::vector<ExporterStats> exporters_;  // the other of two: each round reuses their memory
};

}  // namespace spanwire::trace::detail
