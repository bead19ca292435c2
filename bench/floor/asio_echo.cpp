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

#include "bench/floor/headers_by_hand.hpp"
#include "bench/measure.hpp"
#include "bench/support/echo.hpp"

namespace {

using asio::ip::tcp;
using spanwire::bench::EchoOptions;
using spanwire::bench::EchoShared;
using spanwire::bench::good_headers;
using spanwire::bench::HeadersByHand;
using spanwire::bench::kPath;
using spanwire::bench::Meter;

constexpr std::size_t kBufferBytes = 1u << 20;

struct FrameHead {
  std::uint32_t body_bytes;
  std::uint32_t id;
  std::uint16_t path_bytes;
  std::uint16_t headers_bytes;
};

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
                    if (!good_headers(headers) || path != kPath) std::abort();
                  }
                  shared.count_served(++frames);
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
      json.write();
      head.path_bytes = static_cast<std::uint16_t>(kPath.size());
      head.headers_bytes = static_cast<std::uint16_t>(json.text().size());
      head.body_bytes += static_cast<std::uint32_t>(kPath.size() + json.text().size());
    }
    pipe.add(&head, sizeof head);
    if (options.json) {
      pipe.add(kPath.data(), kPath.size());
      pipe.add(json.text().data(), json.text().size());
    }
    pipe.add(payload.data(), payload.size());
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
  HeadersByHand json;
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

int main(int argc, char** argv) {
  return spanwire::bench::echo_main(spanwire::bench::echo_options(argc, argv), serve, call);
}
