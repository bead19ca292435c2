// Result<T>: a value, or an Error with exactly one cause.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "spanwire/base/errc.hpp"

namespace spanwire {

// What an Error can say beyond its code.  Made off the hot path only; immutable, shared by copies.
// A layer above may derive from it to carry facts of its own (see rpc/failure.hpp).
struct ErrorInfo {
  explicit ErrorInfo(std::string text) : detail(std::move(text)) {}
  virtual ~ErrorInfo() = default;
  std::string detail;
};

// A cause and, off the hot path, a sentence that names the value.  A value type; a copy costs one
// reference count when there is a sentence and nothing when there is none.
class Error {
 public:
  Error() noexcept = default;
  Error(Errc code) noexcept : code_(code) {}  // NOLINT: an Errc is an Error without a sentence
  Error(Errc code, std::string detail)
      : code_(code), info_(std::make_shared<ErrorInfo>(std::move(detail))) {}
  Error(Errc code, std::shared_ptr<const ErrorInfo> info) noexcept
      : code_(code), info_(std::move(info)) {}

  Errc code() const noexcept { return code_; }
  std::string_view detail() const noexcept {
    return info_ ? std::string_view(info_->detail) : std::string_view();
  }
  const std::shared_ptr<const ErrorInfo>& info() const noexcept { return info_; }
  std::error_code error_code() const noexcept { return make_error_code(code_); }

  // "deadline_exceeded: the call's deadline passed (250 ms, decode at 10.0.0.7:7001)"
  std::string message() const;

  // Two errors are equal when their causes are: the sentence is for people.
  friend bool operator==(const Error& a, const Error& b) noexcept { return a.code_ == b.code_; }

 private:
  Errc code_ = Errc::ok;
  std::shared_ptr<const ErrorInfo> info_;
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(Errc code) { return tl::unexpected<Error>(Error(code)); }
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }
inline tl::unexpected<Error> fail(Errc code, std::string detail) {
  return tl::unexpected<Error>(Error(code, std::move(detail)));
}

#define SPANWIRE_CONCAT_(a, b) a##b
#define SPANWIRE_CONCAT(a, b) SPANWIRE_CONCAT_(a, b)
#define SPANWIRE_TRY_IMPL_(declaration, expression, temp, return_word) \
  auto temp = (expression);                                            \
  if (!temp) return_word ::spanwire::fail(std::move(temp).error());    \
  declaration = std::move(*temp)
#define SPANWIRE_TRY_VOID_IMPL_(expression, temp, return_word) \
  if (auto temp = (expression); !temp) return_word ::spanwire::fail(std::move(temp).error())

// Declares what `expression` holds, or returns its error.  SPANWIRE_TRY(const Frame frame,
// decode(bytes));
#define SPANWIRE_TRY(declaration, expression) \
  SPANWIRE_TRY_IMPL_(declaration, expression, SPANWIRE_CONCAT(try_, __LINE__), return)
#define SPANWIRE_TRY_VOID(expression) \
  SPANWIRE_TRY_VOID_IMPL_(expression, SPANWIRE_CONCAT(try_, __LINE__), return)
// The same inside a coroutine.
#define SPANWIRE_CO_TRY(declaration, expression) \
  SPANWIRE_TRY_IMPL_(declaration, expression, SPANWIRE_CONCAT(try_, __LINE__), co_return)
#define SPANWIRE_CO_TRY_VOID(expression) \
  SPANWIRE_TRY_VOID_IMPL_(expression, SPANWIRE_CONCAT(try_, __LINE__), co_return)

}  // namespace spanwire
