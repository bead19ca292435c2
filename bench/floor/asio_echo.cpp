// The floor of rpc: a hand-written Asio echo.  Frames of a 12-byte header and a payload, coalesced
// into one write a read batch; with --json each request also carries our call's headers as JSON,
// written by the client and parsed and checked by the server.  --oneway: messages one way, each
// parsed, none answered.
#include <sys/socket.h>

#include <array>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/measure.hpp"
#include "bench/support/echo.hpp"

namespace {

using asio::ip::tcp;
using spanwire::bench::EchoOptions;
using spanwire::bench::EchoShared;
using spanwire::bench::Meter;

constexpr std::size_t kBufferBytes = 1u << 20;
constexpr std::string_view kPath = "bench/echo";
constexpr std::string_view kTraceId = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr std::string_view kTracestate = "vendor=opaque,other=00f067aa0ba902b7";
constexpr std::string_view kRequestId = "req-0123456789abcdef";

struct FrameHead {
  std::uint32_t body_bytes;
  std::uint32_t id;
  std::uint16_t path_bytes;
  std::uint16_t headers_bytes;
};

// Flat JSON of strings; false for anything else, also for escapes and what is not plain text: a
// floor that takes what no JSON allows would do less than is asked.
template <class OnMember>
bool parse_headers(std::string_view json, OnMember on_member) {
  const char* at = json.data();
  const char* const end = at + json.size();
  if (at == end || *at++ != '{') return false;
  const auto text = [&](std::string_view& out) {
    if (at == end || *at != '"') return false;
    const char* const begin = ++at;
    while (at != end && *at != '"') {
      const auto c = static_cast<unsigned char>(*at);
      if (c < 0x20 || c >= 0x80 || c == '\\') return false;
      ++at;
    }
    if (at == end) return false;
    out = {begin, static_cast<std::size_t>(at - begin)};
    ++at;
    return true;
  };
  for (;;) {
    std::string_view name;
    std::string_view value;
    if (!text(name) || at == end || *at++ != ':' || !text(value) || at == end) return false;
    on_member(name, value);
    if (*at == '}') return at + 1 == end;
    if (*at++ != ',') return false;
  }
}

bool hex(std::string_view text) {
  for (const char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

bool good_traceparent(std::string_view text) {
  return text.size() == 55 && text.substr(0, 3) == "00-" && text[35] == '-' && text[52] == '-' &&
         hex(text.substr(3, 32)) && hex(text.substr(36, 16)) && hex(text.substr(53, 2));
}

// Bytes on their way in and out of one socket.
struct Pipe {
  explicit Pipe(tcp::socket s) : socket(std::move(s)), in(kBufferBytes) {
    socket.set_option(tcp::no_delay(true));
    socket.non_blocking(true);
    out.reserve(kBufferBytes);
  }
  void add(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const char*>(data);
    out.insert(out.end(), bytes, bytes + size);
  }
  // Writes what there is; the rest when the socket takes more.
  void flush() {
    if (out.empty() || writing) return;
    std::error_code error;
    const std::size_t written =
        socket.write_some(asio::buffer(out.data() + sent, out.size() - sent), error);
    sent += error ? 0 : written;
    if (sent == out.size()) {
      out.clear();
      sent = 0;
      return;
    }
    if (error && error != asio::error::would_block) return;
    writing = true;
    socket.async_wait(tcp::socket::wait_write, [this](std::error_code wait_error) {
      writing = false;
      if (!wait_error) flush();
      if (on_room) on_room();
    });
  }
  std::size_t waiting() const { return out.size() - sent; }

  tcp::socket socket;
  std::vector<char> in;
  std::size_t begin = 0;
  std::size_t end = 0;
  std::vector<char> out;
  std::size_t sent = 0;
  bool writing = false;
  std::function<void()> on_room;
};

// Reads, and hands whole frames to `on_frame(head, path, headers, payload)`; flushes after each
// batch.
template <class OnFrame>
struct Reader {
  Pipe& pipe;
  OnFrame on_frame;

  void read() {
    if (pipe.begin == pipe.end) pipe.begin = pipe.end = 0;
    if (pipe.end == pipe.in.size()) {
      std::memmove(pipe.in.data(), pipe.in.data() + pipe.begin, pipe.end - pipe.begin);
      pipe.end -= pipe.begin;
      pipe.begin = 0;
    }
    // Waiting first costs one call less than trying to read what is not there yet.
    pipe.socket.async_wait(tcp::socket::wait_read, [this](std::error_code wait_error) {
      std::error_code error = wait_error;
      const std::size_t room = pipe.in.size() - pipe.end;
      if (!error)
        pipe.end += pipe.socket.read_some(asio::buffer(pipe.in.data() + pipe.end, room), error);
      if (error && error != asio::error::would_block) return;
      if (!parse()) return;
      pipe.flush();
      read();
    });
  }
  bool parse() {
    for (;;) {
      FrameHead head;
      if (pipe.end - pipe.begin < sizeof head) return true;
      std::memcpy(&head, pipe.in.data() + pipe.begin, sizeof head);
      if (pipe.end - pipe.begin < sizeof head + head.body_bytes) return true;
      const char* body = pipe.in.data() + pipe.begin + sizeof head;
      pipe.begin += sizeof head + head.body_bytes;
      const std::size_t front = std::size_t{head.path_bytes} + head.headers_bytes;
      if (!on_frame(head, std::string_view(body, head.path_bytes),
                    std::string_view(body + head.path_bytes, head.headers_bytes),
                    std::string_view(body + front, head.body_bytes - front))) {
        return false;
      }
    }
  }
};
template <class OnFrame>
Reader(Pipe&, OnFrame) -> Reader<OnFrame>;

void serve(const EchoOptions& options, EchoShared& shared, const std::function<void(int)>& ready) {
  asio::io_context io(1);
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  ready(acceptor.local_endpoint().port());
  Pipe pipe(acceptor.accept());
  std::uint32_t frames = 0;
  Reader reader{pipe, [&](const FrameHead& head, std::string_view path, std::string_view headers,
                          std::string_view payload) {
                  if (options.json) {
                    bool good = false;
                    const bool parsed =
                        parse_headers(headers, [&](std::string_view name, std::string_view value) {
                          if (name == "traceparent") good = good_traceparent(value);
                        });
                    if (!parsed || !good || path != kPath) std::abort();
                  }
                  if ((++frames & 63u) == 0) {
                    shared.server_syscalls = spanwire::bench::syscalls();
                    shared.server_allocations = spanwire::bench::allocations();
                    shared.server_messages = frames;
                  }
                  if (options.oneway) return true;
                  const FrameHead reply{static_cast<std::uint32_t>(payload.size()), head.id, 0, 0};
                  pipe.add(&reply, sizeof reply);
                  pipe.add(payload.data(), payload.size());
                  return true;
                }};
  reader.read();
  io.run();
}

struct Client {
  Client(const EchoOptions& o, asio::io_context& io, int port, Meter& m)
      : options(o),
        meter(m),
        pipe(connect(io, port)),
        payload(o.payload, 'x'),
        begins(o.inflight) {}

  static tcp::socket connect(asio::io_context& io, int port) {
    tcp::socket socket(io);
    socket.connect({asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)});
    return socket;
  }
  void send(std::uint32_t id) {
    begins[id] = meter.begin();
    FrameHead head{static_cast<std::uint32_t>(payload.size()), id, 0, 0};
    if (options.json) {
      write_headers();
      head.path_bytes = static_cast<std::uint16_t>(kPath.size());
      head.headers_bytes = static_cast<std::uint16_t>(json.size());
      head.body_bytes += static_cast<std::uint32_t>(kPath.size() + json.size());
    }
    pipe.add(&head, sizeof head);
    if (options.json) {
      pipe.add(kPath.data(), kPath.size());
      pipe.add(json.data(), json.size());
    }
    pipe.add(payload.data(), payload.size());
  }
  // The headers that our own client writes for such a call, with a span id of their own.
  void write_headers() {
    span_id = span_id * 6364136223846793005u + 1442695040888963407u;
    std::array<char, 16> span;
    for (std::size_t i = 0; i < span.size(); ++i)
      span[i] = "0123456789abcdef"[(span_id >> (60 - 4 * i)) & 15];
    json.assign("{\"traceparent\":\"00-")
        .append(kTraceId)
        .append("-")
        .append(span.data(), span.size());
    json.append("-01\",\"tracestate\":\"").append(kTracestate).append("\",\"x-request-id\":\"");
    json.append(kRequestId).append("\",\"spanwire-timeout\":\"30000000u\"}");
  }
  void run_oneway(asio::io_context& io) {
    pipe.on_room = [this] { pump(); };
    pump();
    io.run();
  }
  void pump() {
    while (!meter.stop()) {
      send(0);
      meter.hit(0);
      if (pipe.waiting() < (64u << 10)) continue;
      pipe.flush();
      if (pipe.writing) return;
    }
    pipe.socket.close();
  }

  const EchoOptions& options;
  Meter& meter;
  Pipe pipe;
  std::string payload;
  std::string json;
  std::uint64_t span_id = 0x00f067aa0ba902b7u;
  std::vector<std::uint64_t> begins;
};

void call(const EchoOptions& options, int port, Meter& meter) {
  asio::io_context io(1);
  Client client(options, io, port, meter);
  if (options.oneway) {
    client.run_oneway(io);
    return;
  }
  Reader reader{client.pipe, [&](const FrameHead& head, std::string_view, std::string_view,
                                 std::string_view payload) {
                  if (payload.size() != options.payload) std::abort();
                  meter.hit(client.begins[head.id]);
                  if (meter.stop()) return false;
                  client.send(head.id);
                  return true;
                }};
  for (std::uint32_t i = 0; i < options.inflight; ++i) client.send(i);
  client.pipe.flush();
  reader.read();
  io.run();
}

}  // namespace

int main(int argc, char** argv) { return spanwire::bench::echo_main(argc, argv, serve, call); }
