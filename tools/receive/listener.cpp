#include "tools/receive/listener.hpp"

#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace spanwire::tools {
namespace {

// How often the clients' times are looked at, and how long nobody is taken in when the process has
// no descriptor left.
constexpr std::chrono::milliseconds kLook{250};
// For clients to take their last answers.
constexpr std::chrono::milliseconds kGoodbye{500};

MonotonicTime now() noexcept { return Clock::system().monotonic(); }

}  // namespace

class Listener::Loop {
 public:
  Loop(std::string name, Receiver& receiver, std::chrono::nanoseconds request_time, Make make)
      : name_(std::move(name)),
        receiver_(receiver),
        request_time_(request_time),
        make_(std::move(make)) {}

  Result<int> start(const std::string& host, int port);
  void stop();

 private:
  using Table = std::unordered_map<Connection*, std::shared_ptr<Connection>>;

  void accept();
  void accept_later();
  void add(asio::ip::tcp::socket socket);
  bool evict_one();
  void look();

  const std::string name_;
  Receiver& receiver_;
  const std::chrono::nanoseconds request_time_;
  const Make make_;
  asio::io_context context_{1};
  asio::ip::tcp::acceptor acceptor_{context_};
  asio::steady_timer look_{context_};
  asio::steady_timer pause_{context_};
  asio::steady_timer goodbye_{context_};
  Table connections_;
  std::thread thread_;
};

Result<int> Listener::Loop::start(const std::string& host, int port) {
  std::error_code error;
  asio::ip::tcp::resolver resolver(context_);
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
  look();
  thread_ = std::thread([this] { context_.run(); });
  return bound;
}

void Listener::Loop::accept() {
  acceptor_.async_accept([this](const std::error_code& error, asio::ip::tcp::socket socket) {
    if (!acceptor_.is_open()) return;
    if (!error) {
      add(std::move(socket));
      return accept();
    }
    // Out of descriptors, as a rule.
    if (evict_one()) return accept();
    receiver_.refuse(name_ + ": no more connections: " + error.message());
    // At once would be in vain, and would never end.
    accept_later();
  });
}

void Listener::Loop::accept_later() {
  pause_.expires_after(kLook);
  pause_.async_wait([this](const std::error_code& error) {
    if (!error && acceptor_.is_open()) accept();
  });
}

void Listener::Loop::add(asio::ip::tcp::socket socket) {
  if (connections_.size() >= kConnectionsMax && !evict_one()) {
    return receiver_.refuse(name_ + ": more than " + std::to_string(kConnectionsMax) +
                            " connections");
  }
  const auto connection = make_(std::move(socket), [this](Connection* gone) {
    connections_.erase(gone);
    if (connections_.empty() && !acceptor_.is_open()) goodbye_.cancel();
  });
  connections_.emplace(connection.get(), connection);
  connection->start();
}

// Exporters that are idle come back by themselves.
bool Listener::Loop::evict_one() {
  std::shared_ptr<Connection> longest;
  for (const auto& [key, connection] : connections_) {
    if (connection->is_busy()) continue;
    if (!longest || connection->since() < longest->since()) longest = connection;
  }
  if (longest) longest->close();
  return longest != nullptr;
}

void Listener::Loop::look() {
  std::vector<std::shared_ptr<Connection>> late;
  const MonotonicTime limit = now() - request_time_;
  for (const auto& [key, connection] : connections_) {
    if (connection->is_busy() && connection->since() < limit) late.push_back(connection);
  }
  for (const std::shared_ptr<Connection>& connection : late) {
    receiver_.refuse(name_ + ": a client that is too slow");
    connection->close();
  }
  look_.expires_after(kLook);
  look_.async_wait([this](const std::error_code& error) {
    if (!error && acceptor_.is_open()) look();
  });
}

void Listener::Loop::stop() {
  if (!thread_.joinable()) return;
  asio::post(context_, [this] {
    std::error_code ignored;
    acceptor_.close(ignored);
    look_.cancel();
    pause_.cancel();
    // A copy: who has nothing left to say leaves the table at once.
    const Table connections = connections_;
    for (const auto& [key, connection] : connections) connection->say_goodbye();
    goodbye_.expires_after(kGoodbye);
    goodbye_.async_wait([this](const std::error_code&) { context_.stop(); });
    if (connections_.empty()) goodbye_.cancel();
  });
  thread_.join();
  connections_.clear();
}

Listener::Listener(std::string name, Receiver& receiver, std::chrono::nanoseconds request_time,
                   Make make)
    : loop_(std::make_unique<Loop>(std::move(name), receiver, request_time, std::move(make))) {}

Listener::~Listener() { stop(); }

Result<int> Listener::start(const std::string& host, int port) { return loop_->start(host, port); }

void Listener::stop() { loop_->stop(); }

}  // namespace spanwire::tools
