#include "lib/otlp/gzip.hpp"

#include <zlib.h>

#include <array>
#include <new>
#include <string>

namespace spanwire::otlp {
namespace {

// Spans repeat their keys: the fastest level already takes them to a fifth or less.
constexpr int kLevel = Z_BEST_SPEED;
constexpr int kWindowAndGzipHeader = MAX_WBITS + 16;
constexpr int kWindowAndAnyHeader = MAX_WBITS + 32;  // what came may be of zlib too
constexpr int kMemoryLevel = 8;

}  // namespace

struct Gzip::Stream {
  z_stream z{};
};

Gzip::Gzip() : stream_(std::make_unique<Stream>()) {
  if (deflateInit2(&stream_->z, kLevel, Z_DEFLATED, kWindowAndGzipHeader, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
}

Gzip::~Gzip() { deflateEnd(&stream_->z); }

Result<void> Gzip::compress(ByteView bytes, Buffer& out) {
  z_stream& z = stream_->z;
  deflateReset(&z);
  const MutableByteView room = out.reserve(deflateBound(&z, bytes.size()));
  // zlib does not change what it reads.
  z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(room.data());
  z.avail_out = static_cast<uInt>(room.size());
  const std::size_t before = room.size();
  if (deflate(&z, Z_FINISH) != Z_STREAM_END) return fail(Errc::export_failed, "zlib gave up");
  out.commit(before - z.avail_out);
  return {};
}

Result<std::string> gunzip(std::string_view bytes, std::size_t bytes_max) {
  z_stream z{};
  if (inflateInit2(&z, kWindowAndAnyHeader) != Z_OK) throw std::bad_alloc();
  // zlib does not change what it reads.
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  std::string result;
  std::array<char, 4096> piece{};
  int state = Z_OK;
  while (state == Z_OK && result.size() <= bytes_max) {
    z.next_out = reinterpret_cast<Bytef*>(piece.data());
    z.avail_out = static_cast<uInt>(piece.size());
    state = inflate(&z, Z_NO_FLUSH);
    result.append(piece.data(), piece.size() - z.avail_out);
  }
  inflateEnd(&z);
  if (result.size() > bytes_max) {
    return fail(Errc::payload_too_long, "more than " + std::to_string(bytes_max) + " bytes");
  }
  if (state != Z_STREAM_END) return fail(Errc::otlp_malformed, "not gzip, or cut off");
  return result;
}

}  // namespace spanwire::otlp
