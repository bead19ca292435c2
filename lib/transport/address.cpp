#include "spanwire/transport/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace spanwire::transport {
namespace {

constexpr std::string_view kExpected =
    "expected tcp://HOST:PORT, dynamo+tcp://HOST:PORT, unix:///PATH or memory://NAME";

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

Result<void> parse_unix(std::string_view text, std::string_view rest, Address& address) {
  if (!rest.starts_with('/')) {
    return refuse(text, "the path is not absolute; expected unix:///PATH");
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

Result<void> parse_memory(std::string_view text, std::string_view rest, Address& address) {
  if (rest.empty()) return refuse(text, "the name is missing; expected memory://NAME");
  if (rest.size() > kHostBytesMax) return refuse(text, "the name is longer than 253 bytes");
  address.host = rest;
  return {};
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos) return refuse(text, kExpected);
  std::string scheme = lower(text.substr(0, end));
  const std::string_view rest = text.substr(end + 3);

  Address address;
  const std::size_t plus = scheme.find('+');
  if (plus != std::string::npos) {
    address.protocol = scheme.substr(0, plus);
    scheme.erase(0, plus + 1);
    if (address.protocol != "dynamo" || scheme != "tcp") return refuse(text, kExpected);
  }
  if (scheme == "tcp") {
    address.scheme = Scheme::tcp;
    SPANWIRE_TRY_VOID(parse_tcp(text, rest, address));
  } else if (scheme == "unix") {
    address.scheme = Scheme::unix_socket;
    SPANWIRE_TRY_VOID(parse_unix(text, rest, address));
  } else if (scheme == "memory") {
    address.scheme = Scheme::memory;
    SPANWIRE_TRY_VOID(parse_memory(text, rest, address));
  } else {
    return refuse(text, kExpected);
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
  switch (address.scheme) {
    case Scheme::unix_socket:
      return "unix://" + address.host;
    case Scheme::memory:
      return "memory://" + address.host;
    case Scheme::tcp:
      break;
  }
  const std::string prefix = address.protocol.empty() ? "" : address.protocol + "+";
  return prefix + "tcp://" + host_and_port(address.host, address.port);
}

}  // namespace spanwire::transport
