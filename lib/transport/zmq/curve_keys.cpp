#include <string.h>  // explicit_bzero
#include <zmq.h>

#include <algorithm>

#include "spanwire/transport/zmq_security.hpp"

namespace spanwire::transport {
namespace {

using KeyBytes = std::array<std::byte, kCurveKeyBytes>;
using KeyText = std::array<char, kCurveTextBytes + 1>;

// Printed in libzmq's manual (zmq_curve) and used by its tests: everybody has the secret halves.
constexpr std::array<std::string_view, 4> kPublished = {
    "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6",
    "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"};

constexpr std::string_view kZ85 =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

// The text itself is not repeated in the sentence: it may be a secret.
Result<KeyBytes> decode_key(std::string_view text) {
  if (text.size() != kCurveTextBytes) {
    return fail(Errc::key_malformed,
                "a key has 40 characters, this one " + std::to_string(text.size()));
  }
  const std::size_t odd = text.find_first_not_of(kZ85);
  if (odd != std::string_view::npos) {
    return fail(Errc::key_malformed, "character " + std::to_string(odd + 1) + " is not of Z85");
  }
  KeyText room{};
  std::copy(text.begin(), text.end(), room.begin());
  KeyBytes bytes;
  const bool decoded =
      zmq_z85_decode(reinterpret_cast<std::uint8_t*>(bytes.data()), room.data()) != nullptr;
  explicit_bzero(room.data(), room.size());
  if (!decoded) return fail(Errc::key_malformed, "five of its characters exceed four bytes");
  return bytes;
}

std::string encode_key(ByteView bytes) {
  KeyText room{};
  zmq_z85_encode(room.data(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  std::string text(room.data(), kCurveTextBytes);
  explicit_bzero(room.data(), room.size());
  return text;
}

Result<KeyBytes> decode_private_key(std::string_view text) {
  SPANWIRE_TRY(const KeyBytes bytes, decode_key(text));
  if (std::ranges::find(kPublished, text) != kPublished.end()) {
    return fail(Errc::key_published, "make your own with `spanwire keygen`");
  }
  return bytes;
}

}  // namespace

Result<CurvePublicKey> CurvePublicKey::parse(std::string_view text) {
  SPANWIRE_TRY(const KeyBytes bytes, decode_private_key(text));
  return CurvePublicKey(bytes);
}

std::string CurvePublicKey::text() const { return encode_key(bytes_); }

CurveKeyPair::~CurveKeyPair() { explicit_bzero(secret_.data(), secret_.size()); }

Result<CurveKeyPair> CurveKeyPair::generate() {
  KeyText public_text{};
  KeyText secret_text{};
  if (zmq_curve_keypair(public_text.data(), secret_text.data()) != 0) {
    return fail(Errc::not_supported, "this libzmq was built without CURVE");
  }
  Result<CurveKeyPair> keys = of_secret({secret_text.data(), kCurveTextBytes});
  explicit_bzero(secret_text.data(), secret_text.size());
  return keys;
}

Result<CurveKeyPair> CurveKeyPair::of_secret(std::string_view secret_text) {
  CurveKeyPair keys;
  SPANWIRE_TRY(keys.secret_, decode_private_key(secret_text));
  KeyText secret{};
  std::copy(secret_text.begin(), secret_text.end(), secret.begin());
  KeyText public_text{};
  const bool derived = zmq_curve_public(public_text.data(), secret.data()) == 0;
  explicit_bzero(secret.data(), secret.size());
  if (!derived) return fail(Errc::not_supported, "this libzmq was built without CURVE");
  SPANWIRE_TRY(const KeyBytes bytes, decode_key({public_text.data(), kCurveTextBytes}));
  keys.public_key_ = CurvePublicKey(bytes);
  return keys;
}

std::string CurveKeyPair::secret_text() const { return encode_key(secret_); }

Result<CurveClient> CurveClient::load(const CurveOptions& options) {
  if (options.secret_key_file.empty()) {
    return fail(Errc::invalid_argument, "CURVE needs a secret key file of this side's own");
  }
  if (options.server_key_file.empty()) {
    return fail(Errc::invalid_argument,
                "who connects with CURVE needs the public key file of the peer that listens");
  }
  CurveClient client;
  SPANWIRE_TRY(client.keys, read_secret_key_file(options.secret_key_file));
  SPANWIRE_TRY(client.server, read_public_key_file(options.server_key_file));
  return client;
}

Result<CurveServer> CurveServer::load(const CurveOptions& options) {
  if (options.secret_key_file.empty()) {
    return fail(Errc::invalid_argument, "CURVE needs a secret key file of this side's own");
  }
  if (options.allowed_keys.empty()) {
    return fail(Errc::invalid_argument,
                "who listens with CURVE needs a list of the public keys that may connect");
  }
  CurveServer server;
  SPANWIRE_TRY(server.keys, read_secret_key_file(options.secret_key_file));
  SPANWIRE_TRY(server.allowed, AllowList::open(options.allowed_keys));
  return server;
}

}  // namespace spanwire::transport
