// Rules about contexts on their way between processes.
#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "lib/inspect/case.hpp"

namespace spanwire::inspect {
namespace {

// How far a callee's span may stick out of its caller's and still be taken for its other side: the
// clocks of two machines.
constexpr std::int64_t kMatchSlackNs = 50'000'000;
// Written by a Spanwire client from the reply: the peer's handler ran.
constexpr std::string_view kHandlerTimeAttribute = "spanwire.phase.handler_ns";

bool is_call(const Span& span) {
  return span.kind == SpanKind::client || span.kind == SpanKind::producer;
}
bool is_served(const Span& span) {
  return span.kind == SpanKind::server || span.kind == SpanKind::consumer;
}
std::string_view text_at(const Span& span, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    const Value* value = find(span.attributes, key);
    const auto* text = value != nullptr ? std::get_if<std::string>(&value->data) : nullptr;
    if (text != nullptr && !text->empty()) return *text;
  }
  return {};
}

// "host:port/path" of a URL.
std::string_view behind_scheme(std::string_view url) {
  const std::size_t scheme = url.find("://");
  return scheme == std::string_view::npos ? std::string_view() : url.substr(scheme + 3);
}

// Without what stands behind the path; of a span that is not of HTTP, nothing.
std::string_view http_path(const Span& span) {
  std::string_view path = text_at(span, {"url.path", "http.target"});
  if (path.empty()) {
    path = behind_scheme(text_at(span, {"url.full", "http.url"}));
    path.remove_prefix(std::min(path.find('/'), path.size()));
  }
  if (path.empty()) path = text_at(span, {"http.route"});
  return path.substr(0, path.find_first_of("?#"));
}

// Whom an HTTP client named, and under which name a server was called: the same in both, where
// both say it.
std::string_view http_host(const Span& span) {
  // A server's net.peer is its client.
  std::string_view host = text_at(
      span, {"server.address", "http.host", is_call(span) ? "net.peer.name" : "net.host.name"});
  if (host.empty()) host = behind_scheme(text_at(span, {"url.full", "http.url"}));
  return host.substr(0, host.find_first_of(host.starts_with('[') ? "]" : ":/"));
}

// What both sides of a call have in common.  A path alone is none: a service calls others by the
// paths that it has itself.
std::string called(const Span& span) {
  if (const std::string_view method = text_at(span, {"rpc.method"}); !method.empty()) {
    return std::string(method);
  }
  const std::string_view queue = text_at(span, {"messaging.destination.name"});
  if (!queue.empty()) return "to " + std::string(queue);
  const std::string_view path = http_path(span);
  if (path.empty()) return span.name;
  const std::string_view host = http_host(span);
  return host.empty() ? span.name : std::string(host).append(path);
}

// Whom a call was for, as far as it says.
std::string peer_of(const Span& call) {
  for (const std::string_view kind : {"server", "network.peer", "net.peer"}) {
    std::string address = text_of(call.attributes, std::string(kind) + ".address");
    if (address.empty()) address = text_of(call.attributes, std::string(kind) + ".name");
    const std::string port = text_of(call.attributes, std::string(kind) + ".port");
    if (!address.empty()) return port.empty() ? address : address + ':' + port;
  }
  const std::string_view url = behind_scheme(text_at(call, {"url.full", "http.url"}));
  return std::string(url.substr(0, url.find('/')));
}

// The other side of the calls of one set.
class Hops {
 public:
  explicit Hops(Case& of) : of_(of), taken_(of.spans().size()) {
    for (std::size_t i = 0; i < of.spans().size(); ++i) {
      const Span& span = of.spans()[i];
      // Linked instead of below: a server that does not trust its caller's context.
      for (const SpanLink& link : span.links) {
        if (is_served(span)) linked_.insert({link.trace, link.span});
      }
      // Where the caller's context is gone, the server's span begins a trace.
      if (is_served(span) && span.parent.is_zero()) {
        for (const std::string& name : names_of(span)) begun_[name].push_back(i);
      }
    }
    for (std::size_t i = 0; i < of.spans().size(); ++i) {
      if (is_call(of.spans()[i]) && is_answered(i)) ++answered_[kind_of(of.spans()[i])];
    }
    for (auto& [name, positions] : begun_) {
      std::sort(positions.begin(), positions.end(), [&of](std::size_t a, std::size_t b) {
        return of.spans()[a].start_ns < of.spans()[b].start_ns;
      });
    }
  }

  void check(std::size_t position) {
    const Span& call = of_.spans()[position];
    if (is_answered(position)) return;
    const std::size_t other = other_side(call);
    if (other != kNone) {
      const Span& span = of_.spans()[other];
      of_.add(Rule::propagation_lost, call,
              "from " + of_.service(call) + " to " + of_.service(span) + ": " +
                  describe(of_, span) + " began trace " + span.trace.hex().str() +
                  " while this call ran");
    } else if (of_.children(position).empty() && !is_partial(call)) {
      check_missing(call);
    }
  }

 private:
  // Calls of one service that are alike: where one of them has its other side, all have.
  using CallKind = std::tuple<std::string_view, std::string, std::string>;
  CallKind kind_of(const Span& call) const {
    return {of_.service(call), called(call), peer_of(call)};
  }

  bool is_answered(std::size_t position) const {
    const Span& call = of_.spans()[position];
    const std::vector<std::size_t>& children = of_.children(position);
    return linked_.count({call.trace, call.id}) != 0 ||
           std::any_of(children.begin(), children.end(),
                       [this](std::size_t child) { return is_served(of_.spans()[child]); });
  }

  void check_missing(const Span& call) {
    const std::string peer = peer_of(call);
    const std::string hop =
        "from " + of_.service(call) + " to " + (peer.empty() ? "its peer" : peer);
    if (find(call.attributes, kHandlerTimeAttribute) != nullptr) {
      of_.add(Rule::propagation_server_missing, call, hop + ": answered, and no span below it");
      return;
    }
    // What failed may never have arrived; what was sent to a queue is taken out later.
    if (call.kind != SpanKind::client || call.status == SpanStatus::error) return;
    const auto alike = answered_.find(kind_of(call));
    if (alike == answered_.end()) return;
    of_.add(Rule::propagation_server_missing, call,
            hop + ": no span below it, as " + std::to_string(alike->second) + " of its like have");
  }

  // Not every instrumentation says all that its other side says, but for the span's name.
  static std::array<std::string, 2> names_of(const Span& span) { return {called(span), span.name}; }

  // The first server span of such a name that began a trace of its own during the call.
  std::size_t other_side(const Span& call) {
    for (const std::string& name : names_of(call)) {
      const auto found = begun_.find(name);
      const std::size_t other = found != begun_.end() ? first_during(call, found->second) : kNone;
      if (other != kNone) return other;
    }
    return kNone;
  }

  std::size_t first_during(const Span& call, const std::vector<std::size_t>& positions) {
    auto at = std::lower_bound(positions.begin(), positions.end(), call.start_ns - kMatchSlackNs,
                               [this](std::size_t position, std::int64_t time) {
                                 return of_.spans()[position].start_ns < time;
                               });
    for (; at != positions.end(); ++at) {
      const Span& span = of_.spans()[*at];
      if (span.start_ns > call.end_ns + kMatchSlackNs) break;
      if (taken_[*at] || span.process == call.process || span.trace == call.trace) continue;
      taken_[*at] = true;
      return *at;
    }
    return kNone;
  }

  Case& of_;
  std::map<std::string, std::vector<std::size_t>> begun_;
  std::map<CallKind, std::size_t> answered_;
  std::vector<bool> taken_;
  std::set<std::pair<trace::TraceId, trace::SpanId>> linked_;
};

// One call, served by two processes: somebody on the way handed the context on as it came.
void check_served_once(Case& of, std::size_t position) {
  const Span& call = of.spans()[position];
  const Span* first = nullptr;
  for (const std::size_t child : of.children(position)) {
    const Span& span = of.spans()[child];
    if (!is_served(span)) continue;
    if (first == nullptr) {
      first = &span;
    } else if (span.process != first->process) {
      of.add(Rule::propagation_skipped_hop, span,
             "beside " + describe(of, *first) + ", below the same call of " + of.service(call),
             "below a call of " + of.service(*first));
    }
  }
}

// A call that hangs under a call of another process, beside that process's own server span.
void check_own_server(Case& of, std::size_t position, std::size_t above) {
  const Span& call = of.spans()[position];
  const Span& parent = of.spans()[above];
  if (parent.process == call.process || !is_call(parent)) return;
  for (const std::size_t sibling : of.children(above)) {
    const Span& span = of.spans()[sibling];
    if (span.process != call.process || !is_served(span)) continue;
    of.add(Rule::propagation_skipped_hop, call,
           "below the call of " + of.service(parent) + ", beside " + describe(of, span),
           "below " + describe(of, span));
    return;
  }
}

void check_parent_kind(Case& of, std::size_t position, std::size_t above) {
  const Span& span = of.spans()[position];
  const Span& parent = of.spans()[above];
  if (parent.process == span.process) return;
  const bool fits = span.kind == SpanKind::server ? parent.kind == SpanKind::client
                    : span.kind == SpanKind::consumer
                        ? parent.kind == SpanKind::producer || parent.kind == SpanKind::client
                        : true;
  if (fits) return;
  of.add(Rule::propagation_parent_kind, span,
         std::string(name(span.kind)) + " below " + std::string(name(parent.kind)) + ' ' +
             describe(of, parent));
}

}  // namespace

void check_propagation(Case& of) {
  Hops hops(of);
  bool calls = false;
  bool crossings = false;
  for (std::size_t i = 0; i < of.spans().size(); ++i) {
    const std::size_t above = of.parent(i);
    crossings = crossings || (above != kNone && of.spans()[above].process != of.spans()[i].process);
    if (above != kNone) check_parent_kind(of, i, above);
    if (!is_call(of.spans()[i])) continue;
    calls = true;
    hops.check(i);
    check_served_once(of, i);
    if (above != kNone) check_own_server(of, i, above);
  }
  if (!calls) {
    for (const Rule rule : {Rule::propagation_lost, Rule::propagation_server_missing,
                            Rule::propagation_skipped_hop}) {
      of.skip(rule, "no span is a call");
    }
  }
  if (!crossings) of.skip(Rule::propagation_parent_kind, "no trace crosses processes");
}

namespace {

constexpr std::uint32_t kW3cFlags = 0xFF;
constexpr std::uint32_t kRemoteKnown = 0x100;
constexpr std::uint32_t kRemote = 0x200;

// Some SDKs never write the low byte, some stores lose it: zeros of a process that never has
// anything else say nothing.
std::vector<bool> processes_with_flags(const Case& of) {
  std::vector<bool> with(of.evidence().traces->processes.size());
  for (const Span& span : of.spans()) {
    if ((span.flags & kW3cFlags) != 0) with[span.process] = true;
  }
  return with;
}

std::string hex_byte(std::uint32_t flags) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  return {kDigits[flags >> 4 & 15], kDigits[flags & 15]};
}

}  // namespace

void check_flags(Case& of) {
  const std::vector<bool> with = processes_with_flags(of);
  bool flags_seen = false;
  bool remote_seen = false;
  for (std::size_t i = 0; i < of.spans().size(); ++i) {
    const std::size_t above = of.parent(i);
    if (above == kNone) continue;
    const Span& span = of.spans()[i];
    const Span& parent = of.spans()[above];
    if (with[span.process] && with[parent.process]) {
      flags_seen = true;
      if ((span.flags & kW3cFlags) != (parent.flags & kW3cFlags)) {
        of.add(Rule::propagation_flags, span,
               hex_byte(span.flags) + " from " + of.service(parent) + " to " + of.service(span),
               hex_byte(parent.flags) + ", as " + describe(of, parent) + " has them");
      }
    }
    if ((span.flags & kRemoteKnown) == 0) continue;
    remote_seen = true;
    const bool remote = (span.flags & kRemote) != 0;
    if (remote != (span.process != parent.process)) {
      of.add(Rule::propagation_remote_flag, span,
             remote ? "a remote parent, which is in the same process"
                    : "a local parent, which is in another process");
    }
  }
  if (!flags_seen) of.skip(Rule::propagation_flags, "no parent and child both carry W3C flags");
  if (!remote_seen) of.skip(Rule::propagation_remote_flag, "no span says where its parent is");
}

}  // namespace spanwire::inspect
