// A request over three services that every rule is content with, and what its tests change in it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "spanwire/inspect/verify.hpp"
#include "tests/inspect/build.hpp"

namespace spanwire::inspect::testing {

// Ids of the spans below.
enum : unsigned { kRequest = 1, kCall = 2, kServed = 3, kStep = 4, kOnward = 5, kReceived = 6 };

class GoodTraces : public Traces {
 public:
  GoodTraces() {
    front = member("frontend", "f-1", "11");
    prefill = member("prefill", "p-1", "12");
    decode = member("decode", "d-1", "13");
    request(0xA1'0000'0001, 0);
    request(0xA1'0000'0002, 2'000);
    expected.services = {"frontend", "prefill", "decode"};
    expected.requests.push_back({"frontend",
                                 "POST /v1/chat",
                                 2,
                                 {"frontend", "prefill", "decode"},
                                 {{"frontend", "prefill", 1, 1}, {"prefill", "decode", 1, 1}},
                                 {"step"}});
    expected.run_id = "";
    read.files = 1;
    backend.services = expected.services;
    backend.probe_traces = 2;
    backend.asked = {"frontend"};
    backend.depth = 100;
    backend.stable = true;
    backend.window_start = kStart - 1'000'000'000;
    backend.window_end = kStart + 1'000'000'000;
    logs = {{"server.log", "listening\n", {}}};
    now_ns = kStart + 3'600'000'000'000;
  }

  // The span with that id in the first request.
  Span& of(unsigned id) {
    for (Span& span : set.spans) {
      if (span.id == span_id(id)) return span;
    }
    return set.spans.front();
  }
  void remove(unsigned id) {
    std::erase_if(set.spans, [&](const Span& span) { return span.id == span_id(id); });
  }

  Verdict judge() {
    const std::vector<Tree> trees = build_trees(set);
    return verify(evidence_of(trees), expected);
  }
  std::string draft() {
    const std::vector<Tree> trees = build_trees(set);
    return draft_expectations(evidence_of(trees));
  }
  Evidence evidence_of(const std::vector<Tree>& trees) {
    Evidence evidence;
    evidence.traces = &set;
    evidence.trees = &trees;
    evidence.read = &read;
    evidence.backend = backend;
    evidence.logs = logs;
    evidence.against = against ? &*against : nullptr;
    evidence.now_ns = now_ns;
    return evidence;
  }

  std::uint32_t front = 0;
  std::uint32_t prefill = 0;
  std::uint32_t decode = 0;
  Expectations expected;
  ReadReport read;
  BackendAnswers backend;
  std::vector<LogText> logs;
  std::optional<TraceSet> against;
  std::int64_t now_ns = 0;

 private:
  std::uint32_t member(std::string service, std::string instance, std::string pid) {
    const std::uint32_t index = process(std::move(service), instance);
    auto& attributes = set.processes[index].attributes;
    attributes.push_back({"host.name", Value{std::string("h")}});
    attributes.push_back({"process.pid", Value{std::move(pid)}});
    return index;
  }

  void request(std::uint64_t number, std::int64_t at) {
    const auto add = [&](std::uint32_t in, unsigned id, unsigned parent, const char* name,
                         std::int64_t start, std::int64_t length, SpanKind kind) {
      const unsigned base = at == 0 ? 0 : 0x100;
      Span& made = span(in, base + id, parent == 0 ? 0 : base + parent, name, at + start, length);
      made.trace = *trace::TraceId::from_hex("4bf92f3577b34da6" + span_id_of(number));
      made.kind = kind;
      const bool remote = kind == SpanKind::server && parent != 0;
      made.flags = remote ? 0x303 : 0x103;
      if (kind == SpanKind::client) {
        made.attributes.push_back({"spanwire.phase.handler_ns", Value{std::int64_t{1'000}}});
        made.attributes.push_back({"rpc.system.name", Value{std::string("spanwire")}});
        made.attributes.push_back({"rpc.method", Value{std::string(name)}});
      }
    };
    add(front, kRequest, 0, "POST /v1/chat", 0, 900, SpanKind::server);
    add(front, kCall, kRequest, "llm/prefill", 100, 700, SpanKind::client);
    add(prefill, kServed, kCall, "llm/prefill", 150, 600, SpanKind::server);
    add(prefill, kStep, kServed, "step", 200, 100, SpanKind::internal);
    add(prefill, kOnward, kServed, "llm/state", 400, 300, SpanKind::client);
    add(decode, kReceived, kOnward, "llm/state", 450, 200, SpanKind::server);
  }

  static std::string span_id_of(std::uint64_t number) {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
    return text;
  }
};

inline void set_text(Span& span, const char* key, std::string value) {
  span.attributes.push_back({key, Value{std::move(value)}});
}

inline SpanLink link_to(const Span& span) { return {span.trace, span.id, {}}; }

// The hop from frontend to prefill without its context: what is behind it is a trace of its own.
inline void lose_context(GoodTraces& g) {
  for (const unsigned id : {kServed, kStep, kOnward, kReceived}) {
    g.of(id).trace = *trace::TraceId::from_hex("00f067aa0ba902b700f067aa0ba902b7");
  }
  g.of(kServed).parent = {};
}

}  // namespace spanwire::inspect::testing
