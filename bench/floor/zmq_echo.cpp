// The floor of calls over ZeroMQ: a DEALER and a ROUTER of libzmq by hand, blocking, with the parts
// of our own calls and replies, headers JSON written by the client and parsed and checked by the
// server.
#include <zmq.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bench/floor/headers_by_hand.hpp"
#include "bench/floor/zmq_by_hand.hpp"
#include "bench/measure.hpp"
#include "bench/support/echo.hpp"

namespace {

using spanwire::bench::EchoOptions;
using spanwire::bench::EchoShared;
using spanwire::bench::good_headers;
using spanwire::bench::HeadersByHand;
using spanwire::bench::kPath;
using spanwire::bench::Meter;
using spanwire::bench::port_of;
using Socket = spanwire::bench::ZmqByHand;

constexpr std::size_t kFixedBytes = 19;  // of a reply: status, times, message length

struct Control {
  std::uint32_t body_bytes;
  std::uint32_t id;
  std::uint32_t kind;
};

void serve(const EchoOptions& options, EchoShared& shared, const std::function<void(int)>& ready) {
  Socket router(ZMQ_ROUTER, options.batch);
  if (zmq_bind(router.get(), "tcp://127.0.0.1:*") != 0) std::abort();
  ready(port_of(router.get()));
  const std::array<char, kFixedBytes> fixed{};
  for (std::uint64_t served = 1;; ++served) {
    if (router.receive() != 5) std::abort();
    if (router.text(2) != kPath || !good_headers(router.text(3))) std::abort();
    Control control;
    std::memcpy(&control, router.text(1).data(), sizeof control);
    control.body_bytes = static_cast<std::uint32_t>(fixed.size() + router.text(4).size());
    router.send_part(0, ZMQ_SNDMORE);
    router.send(&control, sizeof control, ZMQ_SNDMORE);
    router.send(fixed.data(), fixed.size(), ZMQ_SNDMORE);
    router.send(nullptr, 0, ZMQ_SNDMORE);
    router.send_part(4, 0);
    shared.count_served(served);
  }
}

void call(const EchoOptions& options, int port, Meter& meter) {
  Socket dealer(ZMQ_DEALER, options.batch);
  const std::string endpoint = "tcp://127.0.0.1:" + std::to_string(port);
  if (zmq_connect(dealer.get(), endpoint.c_str()) != 0) std::abort();
  const std::string payload(options.payload, 'x');
  std::vector<std::uint64_t> begins(options.inflight);
  HeadersByHand headers;
  const auto send = [&](std::uint32_t id) {
    begins[id] = meter.begin();
    headers.write();
    const std::size_t bytes = kPath.size() + headers.text().size() + payload.size();
    const Control control{static_cast<std::uint32_t>(bytes), id, 0};
    dealer.send(&control, sizeof control, ZMQ_SNDMORE);
    dealer.send(kPath.data(), kPath.size(), ZMQ_SNDMORE);
    dealer.send(headers.text().data(), headers.text().size(), ZMQ_SNDMORE);
    dealer.send(payload.data(), payload.size(), 0);
  };
  for (std::uint32_t id = 0; id < options.inflight; ++id) send(id);
  for (;;) {
    if (dealer.receive() != 4 || dealer.text(3).size() != options.payload) std::abort();
    Control control;
    std::memcpy(&control, dealer.text(0).data(), sizeof control);
    meter.hit(begins[control.id]);
    if (meter.stop()) return;
    send(control.id);
  }
}

}  // namespace

int main(int argc, char** argv) {
  return spanwire::bench::echo_main(spanwire::bench::echo_options(argc, argv), serve, call);
}
