#include "tools/receive/grpc_receiver.hpp"

#include <asio.hpp>
#include <thread>
#include <unordered_map>

#include "tools/receive/http2_connection.hpp"

namespace spanwire::tools {
namespace {

constexpr std::size_t kConnectionsMax = 1'024;
// For clients to take their last answers.
constexpr std::chrono::milliseconds kGoodbye{500};

}  // namespace

class GrpcReceiver::Server {
 public:
  explicit Server(Receiver& receiver) : receiver_(receiver), acceptor_(loop_), goodbye_(loop_) {}

  Result<int> start(const std::string& host, int port);
  void stop();

 private:
  void accept();
  void add(asio::ip::tcp::socket socket);

  Receiver& receiver_;
  asio::io_context loop_{1};
  asio::ip::tcp::acceptor acceptor_;
  asio::steady_timer goodbye_;
  std::unordered_map<Http2Connection*, std::weak_ptr<Http2Connection>> connections_;
  std::thread thread_;
};

Result<int> GrpcReceiver::Server::start(const std::string& host, int port) {
  std::error_code error;
  asio::ip::tcp::resolver resolver(loop_);
  const auto found =
      resolver.resolve(host, std::to_string(port), asio::ip::tcp::resolver::passive, error);
  if (!error && !found.empty()) {
    const asio::ip::tcp::endpoint endpoint = found.begin()->endpoint();
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  }
  if (error) {
    return fail(Errc::listen_failed, host + ':' + std::to_string(port) + ": " + error.message());
  }
  const int bound = acceptor_.local_endpoint(error).port();
  accept();
  thread_ = std::thread([this] { loop_.run(); });
  return bound;
}

void GrpcReceiver::Server::accept() {
  acceptor_.async_accept([this](const std::error_code& error, asio::ip::tcp::socket socket) {
    if (!acceptor_.is_open()) return;
    if (!error) add(std::move(socket));
    accept();
  });
}

void GrpcReceiver::Server::add(asio::ip::tcp::socket socket) {
  if (connections_.size() >= kConnectionsMax) {
    return receiver_.refuse("gRPC: more than " + std::to_string(kConnectionsMax) + " connections");
  }
  const auto connection = std::make_shared<Http2Connection>(
      std::move(socket), receiver_, [this](Http2Connection* gone) {
        connections_.erase(gone);
        if (connections_.empty() && !acceptor_.is_open()) goodbye_.cancel();
      });
  connections_.emplace(connection.get(), connection);
  connection->start();
}

void GrpcReceiver::Server::stop() {
  if (!thread_.joinable()) return;
  asio::post(loop_, [this] {
    std::error_code ignored;
    acceptor_.close(ignored);
    // A copy: who has nothing left to say leaves the table at once.
    const auto connections = connections_;
    for (const auto& [key, connection] : connections) {
      if (const auto alive = connection.lock()) alive->say_goodbye();
    }
    goodbye_.expires_after(kGoodbye);
    goodbye_.async_wait([this](const std::error_code&) { loop_.stop(); });
    if (connections_.empty()) goodbye_.cancel();
  });
  thread_.join();
}

GrpcReceiver::GrpcReceiver(Receiver& receiver) : server_(std::make_unique<Server>(receiver)) {}

GrpcReceiver::~GrpcReceiver() { stop(); }

Result<int> GrpcReceiver::start(const std::string& host, int port) {
  return server_->start(host, port);
}

void GrpcReceiver::stop() { server_->stop(); }

}  // namespace spanwire::tools
