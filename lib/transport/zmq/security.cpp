#include "lib/transport/zmq/security.hpp"

#include <zmq.h>

#include "lib/transport/zmq/context.hpp"
#include "lib/transport/zmq/zap_handler.hpp"

namespace spanwire::transport {
namespace {

Result<void> set_secret(ZmqSocket& socket, const CurveKeyPair& keys) {
  return socket.set(ZMQ_CURVE_SECRETKEY, text_of(keys.secret_bytes()));
}

}  // namespace

ZmqSecurity::ZmqSecurity() noexcept = default;

ZmqSecurity::~ZmqSecurity() {
  if (context_ != nullptr) context_->zap().value()->remove(domain_);
}

Result<void> ZmqSecurity::listen(ZmqSocket& socket, const CurveOptions& options) {
  SPANWIRE_TRY(const CurveServer server, CurveServer::load(options));
  const std::shared_ptr<ZmqContext> context = ZmqContext::acquire();
  if (context == nullptr) return fail(Errc::out_of_resources, "no ZeroMQ context");
  SPANWIRE_TRY(ZapHandler* const zap, context->zap());
  domain_ = zap->add(server.allowed);
  context_ = context;
  SPANWIRE_TRY_VOID(socket.set(ZMQ_CURVE_SERVER, 1));
  SPANWIRE_TRY_VOID(set_secret(socket, server.keys));
  return socket.set(ZMQ_ZAP_DOMAIN, domain_);
}

Result<void> ZmqSecurity::connect(ZmqSocket& socket, const CurveOptions& options) {
  SPANWIRE_TRY(const CurveClient client, CurveClient::load(options));
  SPANWIRE_TRY_VOID(socket.set(ZMQ_CURVE_SERVERKEY, text_of(client.server.bytes())));
  SPANWIRE_TRY_VOID(socket.set(ZMQ_CURVE_PUBLICKEY, text_of(client.keys.public_key().bytes())));
  return set_secret(socket, client.keys);
}

}  // namespace spanwire::transport
