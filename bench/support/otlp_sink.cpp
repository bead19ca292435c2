#include "bench/support/otlp_sink.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace spanwire::bench {
namespace {

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
constexpr std::size_t kRequestBytesMax = 8u << 20;

[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "otlp sink: %s\n", what);
  _exit(1);
}

sockaddr_in loopback(int port) noexcept {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

std::uint64_t read_varint(std::string_view bytes, std::size_t& at) noexcept {
  std::uint64_t value = 0;
  for (unsigned shift = 0; at < bytes.size() && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes[at++]);
    value |= std::uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) break;
  }
  return value;
}

// Fields of bytes along the path of field numbers, such as 1 2 2 for the spans of a request; fields
// of another wire type do not occur beside them.
std::uint64_t count_fields(std::string_view message, std::string_view path) {
  std::uint64_t count = 0;
  for (std::size_t at = 0; at < message.size();) {
    const std::uint64_t tag = read_varint(message, at);
    const std::uint64_t bytes = read_varint(message, at);
    if ((tag & 7) != 2 || bytes > message.size() - at) die("what came is not OTLP");
    if (tag >> 3 == static_cast<std::uint64_t>(path.front())) {
      const std::string_view field = message.substr(at, bytes);
      count += path.size() == 1 ? 1 : count_fields(field, path.substr(1));
    }
    at += bytes;
  }
  return count;
}

constexpr std::string_view kSpanPath = "\x01\x02\x02";

class Connection {
 public:
  explicit Connection(int socket) : socket_(socket), room_(new char[kRequestBytesMax]) {}

  int socket() const noexcept { return socket_; }
  // Reads what is there and answers when it is whole; false at the end of the connection.
  bool read(OtlpSink::Shared& shared) {
    const ssize_t got = recv(socket_, room_.get() + used_, kRequestBytesMax - used_, 0);
    if (got <= 0) return false;
    used_ += static_cast<std::size_t>(got);
    if (whole_ == 0) find_end();
    if (whole_ == 0 || used_ < whole_) return true;
    const std::string_view body(room_.get() + body_, whole_ - body_);
    shared.spans.fetch_add(count_fields(body, kSpanPath), std::memory_order_release);
    shared.requests.fetch_add(1);
    if (used_ != whole_) die("a request before the answer to the one before");
    used_ = whole_ = 0;
    return send(socket_, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL) > 0;
  }

 private:
  void find_end() {
    const std::string_view text(room_.get(), used_);
    const std::size_t end = text.find("\r\n\r\n");
    if (end == std::string_view::npos) return;
    static constexpr std::string_view kName = "content-length:";
    for (std::size_t at = text.find("\r\n"); at < end; at = text.find("\r\n", at + 2)) {
      const char* line = text.data() + at + 2;
      if (strncasecmp(line, kName.data(), kName.size()) != 0) continue;
      body_ = end + 4;
      whole_ = body_ + static_cast<std::size_t>(std::atoll(line + kName.size()));
      if (whole_ <= kRequestBytesMax) return;
    }
    die("a request without a length, or too long");
  }

  int socket_;
  std::unique_ptr<char[]> room_;
  std::size_t used_ = 0;
  std::size_t body_ = 0;
  std::size_t whole_ = 0;  // bytes of the request; 0 while its head is not there
};

[[noreturn]] void serve(int listener, OtlpSink::Shared& shared) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<Connection> connections;
  std::vector<pollfd> ready{{listener, POLLIN, 0}};
  for (;;) {
    poll(ready.data(), ready.size(), -1);
    for (std::size_t i = ready.size() - 1; i > 0; --i) {
      if (ready[i].revents == 0 || connections[i - 1].read(shared)) continue;
      close(ready[i].fd);
      connections.erase(connections.begin() + static_cast<std::ptrdiff_t>(i) - 1);
      ready.erase(ready.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (ready[0].revents == 0) continue;
    const int socket = accept(listener, nullptr, nullptr);
    if (socket < 0) continue;
    connections.emplace_back(socket);
    ready.push_back({socket, POLLIN, 0});
  }
}

}  // namespace

SinkKind sink_kind(std::string_view name) {
  if (name == "answering") return SinkKind::answering;
  if (name == "silent") return SinkKind::silent;
  if (name == "deaf") return SinkKind::deaf;
  std::fprintf(stderr, "otlp sink: answering, silent or deaf, not %s\n", std::string(name).c_str());
  std::exit(2);
}

OtlpSink::OtlpSink(SinkKind kind) {
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) die("no memory");
  shared_ = new (memory) Shared();
  listener_ = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, size) != 0 ||
      listen(listener_, kind == SinkKind::deaf ? 0 : 16) != 0 ||
      getsockname(listener_, generic, &size) != 0) {
    die("cannot listen");
  }
  port_ = ntohs(address.sin_port);
  if (kind == SinkKind::deaf) fill_backlog();
  if (kind != SinkKind::answering) return;
  process_ = fork();
  if (process_ == 0) serve(listener_, *shared_);
  if (process_ < 0) die("cannot fork");
}

// Connects until the system takes no more: then it drops whatever else asks for a connection.
void OtlpSink::fill_backlog() {
  static constexpr int kMore = 8;
  const sockaddr_in address = loopback(port_);
  for (int i = 0; i < kMore; ++i) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    waiting_.push_back(socket);
  }
}

OtlpSink::~OtlpSink() {
  if (process_ > 0) {
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }
  for (const int socket : waiting_) close(socket);
  close(listener_);
  munmap(shared_, sizeof(Shared));
}

std::string OtlpSink::url() const {
  return "http://127.0.0.1:" + std::to_string(port_) + "/v1/traces";
}

}  // namespace spanwire::bench
