#include "spanwire/transport/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string>

#include "lib/base/ascii.hpp"

namespace spanwire::transport {
namespace {

constexpr std::string_view kExpected =
    "expected tcp://HOST:PORT, dynamo+tcp://HOST:PORT, unix:///PATH, memory://NAME, "
    "zmq+tcp://HOST:PORT, zmq+ipc:///PATH or zmq+inproc://NAME";

struct NamedScheme {
  std::string_view name;
  Scheme scheme;
  std::string_view protocol;
};
constexpr NamedScheme kSchemes[] = {
    {"tcp", Scheme::tcp, ""},
    {"unix", Scheme::unix_socket, ""},
    {"memory", Scheme::memory, ""},
    {"dynamo+tcp", Scheme::tcp, "dynamo"},
    {"zmq+tcp", Scheme::zmq_tcp, ""},
    {"zmq+ipc", Scheme::zmq_ipc, ""},
    {"zmq+inproc", Scheme::zmq_inproc, ""},
    {"naive+zmq+tcp", Scheme::zmq_tcp, "naive"},
    {"naive+zmq+ipc", Scheme::zmq_ipc, "naive"},
};

tl::unexpected<Error> refuse(std::string_view text, std::string_view why) {
  std::string sentence = "\"";
  sentence.append(text).append("\": ").append(why);
  return fail(Errc::bad_address, std::move(sentence));
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

bool is_ipv6(std::string_view host) {
  const std::size_t zone = host.find('%');
  if (zone != std::string_view::npos && zone + 1 == host.size()) return false;
  const std::string number(host.substr(0, zone));
  in6_addr parsed{};
  return inet_pton(AF_INET6, number.c_str(), &parsed) == 1;
}

Result<std::uint16_t> parse_port(std::string_view text, std::string_view digits) {
  unsigned value = 0;
  const char* end = digits.data() + digits.size();
  const std::from_chars_result read = std::from_chars(digits.data(), end, value);
  if (digits.empty() || read.ec == std::errc::invalid_argument) {
    return refuse(text, "the port is missing; expected HOST:PORT with a port of 0 to 65535");
  }
  if (read.ptr != end && *read.ptr == '/') {
    return refuse(text, "nothing may follow the port");
  }
  if (read.ec != std::errc() || read.ptr != end || value > 65'535) {
    return refuse(text, "the port is not a number of 0 to 65535");
  }
  return static_cast<std::uint16_t>(value);
}

Result<void> check_host(std::string_view text, std::string_view host) {
  if (host == "*") return {};
  if (host.empty()) return refuse(text, "the host is missing; expected HOST:PORT");
  if (host.size() > kHostBytesMax) return refuse(text, "the host is longer than 253 bytes");
  if (host.find(':') != std::string_view::npos) {
    return refuse(text, "an IPv6 address is written in brackets: [::1]:7001");
  }
  if (!std::all_of(host.begin(), host.end(), is_host_character)) {
    return refuse(text, "the host has a character that no host name has");
  }
  return {};
}

Result<void> parse_tcp(std::string_view text, std::string_view rest, Address& address) {
  std::size_t colon = rest.rfind(':');
  if (rest.starts_with('[')) {
    const std::size_t bracket = rest.find(']');
    if (bracket == std::string_view::npos) return refuse(text, "the bracket is not closed");
    const std::string_view host = rest.substr(1, bracket - 1);
    if (!is_ipv6(host)) return refuse(text, "what is in brackets is not an IPv6 address");
    colon = bracket + 1;
    if (colon >= rest.size() || rest[colon] != ':') {
      return refuse(text, "the port is missing; expected [ADDRESS]:PORT");
    }
    address.host = host;
  } else {
    if (colon == std::string_view::npos) {
      return refuse(text, "the port is missing; expected HOST:PORT");
    }
    SPANWIRE_TRY_VOID(check_host(text, rest.substr(0, colon)));
    address.host = rest.substr(0, colon);
  }
  SPANWIRE_TRY(address.port, parse_port(text, rest.substr(colon + 1)));
  return {};
}

Result<void> parse_path(std::string_view text, std::string_view rest, Address& address) {
  if (!rest.starts_with('/')) {
    return refuse(text, "the path is not absolute; expected three slashes and the path");
  }
  if (rest.size() > kUnixPathBytesMax) {
    return refuse(text, "the path is longer than the 107 bytes that a socket address holds");
  }
  if (rest.size() == 1 || rest.find('\0') != std::string_view::npos) {
    return refuse(text, "the path names no file");
  }
  address.host = rest;
  return {};
}

Result<void> parse_name(std::string_view text, std::string_view rest, Address& address) {
  if (rest.empty()) return refuse(text, "the name is missing; expected it behind ://");
  if (rest.size() > kHostBytesMax) return refuse(text, "the name is longer than 253 bytes");
  address.host = rest;
  return {};
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos) return refuse(text, kExpected);
  const std::string name = lower_case(text.substr(0, end));
  const std::string_view rest = text.substr(end + 3);
  const auto* const known = std::find_if(std::begin(kSchemes), std::end(kSchemes),
                                         [&](const NamedScheme& one) { return one.name == name; });
  if (known == std::end(kSchemes)) return refuse(text, kExpected);

  Address address;
  address.scheme = known->scheme;
  address.protocol = known->protocol;
  switch (known->scheme) {
    case Scheme::tcp:
    case Scheme::zmq_tcp:
      SPANWIRE_TRY_VOID(parse_tcp(text, rest, address));
      break;
    case Scheme::unix_socket:
    case Scheme::zmq_ipc:
      SPANWIRE_TRY_VOID(parse_path(text, rest, address));
      break;
    case Scheme::memory:
    case Scheme::zmq_inproc:
      SPANWIRE_TRY_VOID(parse_name(text, rest, address));
      break;
  }
  return address;
}

std::string host_and_port(std::string_view host, std::uint16_t port) {
  std::string text;
  if (host.find(':') == std::string_view::npos) {
    text.append(host);
  } else {
    text.append("[").append(host).append("]");
  }
  return text.append(":").append(std::to_string(port));
}

std::string to_string(const Address& address) {
  std::string text;
  for (const NamedScheme& one : kSchemes) {
    if (one.scheme == address.scheme && one.protocol == address.protocol) text = one.name;
  }
  text.append("://");
  const bool has_port = address.scheme == Scheme::tcp || address.scheme == Scheme::zmq_tcp;
  return text.append(has_port ? host_and_port(address.host, address.port) : address.host);
}

}  // namespace spanwire::transport
