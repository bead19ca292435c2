// The floor of one-way messages over ZeroMQ: PUSH to PULL of libzmq by hand, blocking, with the
// parts of ours, headers JSON written by the sender and parsed and checked by the receiver.
#include <zmq.h>

#include <cstdlib>
#include <string>

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
using spanwire::bench::ZmqByHand;

void serve(const EchoOptions& options, EchoShared& shared, const std::function<void(int)>& ready) {
  ZmqByHand pull(ZMQ_PULL);
  if (zmq_bind(pull.get(), "tcp://127.0.0.1:*") != 0) std::abort();
  ready(port_of(pull.get()));
  for (std::uint64_t served = 1;; ++served) {
    if (pull.receive() != 3) std::abort();
    if (pull.text(0) != kPath || !good_headers(pull.text(1))) std::abort();
    if (pull.text(2).size() != options.payload) std::abort();
    shared.count_served(served);
  }
}

void send(const EchoOptions& options, int port, Meter& meter) {
  ZmqByHand push(ZMQ_PUSH);
  const std::string endpoint = "tcp://127.0.0.1:" + std::to_string(port);
  if (zmq_connect(push.get(), endpoint.c_str()) != 0) std::abort();
  const std::string payload(options.payload, 'x');
  HeadersByHand headers;
  while (!meter.stop()) {
    headers.write();
    push.send(kPath.data(), kPath.size(), ZMQ_SNDMORE);
    push.send(headers.text().data(), headers.text().size(), ZMQ_SNDMORE);
    push.send(payload.data(), payload.size(), 0);
    meter.hit(0);
  }
}

}  // namespace

int main(int argc, char** argv) {
  return spanwire::bench::echo_main(spanwire::bench::echo_options(argc, argv), serve, send);
}
