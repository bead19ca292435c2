// gzip (RFC 1952) over zlib, its state kept between batches.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "spanwire/base/result.hpp"
#include "spanwire/base/slice.hpp"

namespace spanwire::otlp {

// One thread at a time.
class Gzip {
 public:
  Gzip();
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  // Appends `bytes` compressed.  Fails with export_failed without memory.
  Result<void> compress(ByteView bytes, Buffer& out);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

// What was compressed, as gzip or as zlib.  Fails with otlp_malformed if it is neither or is cut
// short, with payload_too_long if it holds more than `bytes_max`.
Result<std::string> gunzip(std::string_view bytes, std::size_t bytes_max);

}  // namespace spanwire::otlp
