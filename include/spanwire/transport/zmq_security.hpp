// CURVE for ZeroMQ: keys, the files that they live in, and whom a listener lets in.
//
// Every socket has a key pair of its own.  Who connects knows the public key of the peer that
// listens; who listens has a list of public keys that may connect.  There is no "anybody": what is
// missing, unreadable or malformed is an error, and a list that cannot be read again lets nobody
// in.  Key files are those of CZMQ and pyzmq (zmq.auth); `spanwire keygen` writes them.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "spanwire/base/clock.hpp"
#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire::transport {

inline constexpr std::size_t kCurveKeyBytes = 32;   // of a public or a secret key
inline constexpr std::size_t kCurveTextBytes = 40;  // as Z85
// A larger key file is refused.
inline constexpr std::size_t kKeyFileBytesMax = 16u << 10;
// A list of more keys is refused.
inline constexpr std::size_t kAllowedKeysMax = 100'000;
// A larger list file is refused.
inline constexpr std::size_t kAllowListBytesMax = 16u << 20;
// How often, at most, a list looks whether its file has changed.
inline constexpr std::chrono::nanoseconds kAllowListCheck = std::chrono::seconds(1);

// A public key.  A value.
class CurvePublicKey {
 public:
  CurvePublicKey() = default;  // no key: equal to no key of a peer
  explicit CurvePublicKey(std::array<std::byte, kCurveKeyBytes> bytes) noexcept : bytes_(bytes) {}

  // 40 characters of Z85.  Fails with key_malformed, and with key_published for a key that
  // documentation and test suites of libzmq print.
  static Result<CurvePublicKey> parse(std::string_view text);

  ByteView bytes() const noexcept { return bytes_; }
  // As Z85.
  std::string text() const;
  friend bool operator==(const CurvePublicKey&, const CurvePublicKey&) = default;

 private:
  std::array<std::byte, kCurveKeyBytes> bytes_{};
};

// A secret key and the public key that belongs to it.  Copies are few and wiped at their end.
class CurveKeyPair {
 public:
  CurveKeyPair() = default;
  CurveKeyPair(const CurveKeyPair&) = default;
  CurveKeyPair& operator=(const CurveKeyPair&) = default;
  ~CurveKeyPair();

  // A new pair.  Fails with not_supported where libzmq was built without CURVE.
  static Result<CurveKeyPair> generate();
  // Fails as CurvePublicKey::parse.
  static Result<CurveKeyPair> of_secret(std::string_view secret_text);

  const CurvePublicKey& public_key() const noexcept { return public_key_; }
  ByteView secret_bytes() const noexcept { return secret_; }
  // As Z85.  The caller's copy.
  std::string secret_text() const;

 private:
  CurvePublicKey public_key_;
  std::array<std::byte, kCurveKeyBytes> secret_{};
};

// Reads NAME.key: fails with file_open_failed, file_read_failed, file_permissions (others may write
// it), file_malformed, key_malformed, key_published.  A file that holds a secret key is
// file_malformed: it was not meant to be handed out.  The sentence names the file and the line.
Result<CurvePublicKey> read_public_key_file(const std::string& path);

// Reads NAME.key_secret: the same, and file_permissions unless its owner alone (this user, or root
// with read permission for a group) may read it; file_malformed if its two keys are no pair.
Result<CurveKeyPair> read_secret_key_file(const std::string& path);

// Writes `name`.key (mode 0644) and `name`.key_secret (0600), each complete or not at all.  Fails
// with already_exists, unless `overwrite`, and file_write_failed.
Result<void> write_key_files(const std::string& name, const CurveKeyPair& keys, bool overwrite);

// Which clients may connect: a file with a key a line, or a folder of public key files.
//
// File: a key, then a blank and whatever names its holder; empty lines and comments, which begin
// with
// #.  Folder: every *.key in it.  One bad entry spoils the whole list.  Safe from any
// thread.
class AllowList {
 public:
  // Reads it.  Fails as read_public_key_file, and with not_found for a list without a key.
  static Result<std::shared_ptr<AllowList>> open(std::string path,
                                                 const Clock& clock = Clock::system());
  ~AllowList();
  AllowList(const AllowList&) = delete;
  AllowList& operator=(const AllowList&) = delete;

  // Looks first, at most every kAllowListCheck, whether the file or folder has changed, and reads
  // it again if so.  While it cannot be read, nobody is allowed: logged and counted
  // ("spanwire.zmq.allow_list_failures").  Connections that stand are not cut.
  bool allows(const CurvePublicKey& key);
  // Reads it again now.
  Result<void> reload();

  std::size_t size() const;
  const std::string& path() const noexcept;

 private:
  struct State;
  explicit AllowList(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

// What a socket proves itself with and whom it lets in.  All empty: plain, for networks that you
// trust.  With any of them set, tcp:// and dynamo+tcp:// addresses beside it are refused: there
// nothing is encrypted.
struct CurveOptions {
  // Own keys, NAME.key_secret.  Needed for CURVE on either side.
  std::string secret_key_file;
  // Who connects: NAME.key of the peer that listens.
  std::string server_key_file;
  // Who listens: the public keys that may connect; a file, a key a line, or a folder of *.key.
  std::string allowed_keys;

  bool empty() const noexcept {
    return secret_key_file.empty() && server_key_file.empty() && allowed_keys.empty();
  }
};

// Options that were read, for a socket that connects.
class CurveClient {
 public:
  CurveClient() = default;
  // Fails as the files do; with invalid_argument if one of the two files is not named.
  static Result<CurveClient> load(const CurveOptions& options);

  CurveKeyPair keys;
  CurvePublicKey server;
};

// The same for a socket that listens.
class CurveServer {
 public:
  CurveServer() = default;
  static Result<CurveServer> load(const CurveOptions& options);

  CurveKeyPair keys;
  std::shared_ptr<AllowList> allowed;
};

}  // namespace spanwire::transport
