// What the codecs cost.  References: nlohmann_json on the same headers, and for frames finding
// their ends by the length fields alone.
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "bench/measure.hpp"
#include "spanwire/wire/bodies.hpp"
#include "spanwire/wire/frame_reader.hpp"
#include "spanwire/wire/headers.hpp"
#include "spanwire/wire/v1.hpp"

namespace spanwire::wire {
namespace {

constexpr std::string_view kPath = "1a2b3c/default/backend/generate";
constexpr std::string_view kTraceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr std::string_view kTracestate = "vendor=opaque,rojo=00f067aa0ba902b7";
constexpr std::string_view kRequestId = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
constexpr std::size_t kPayloadBytes = 256;

struct Pair {
  std::string_view name;
  std::string_view value;
};
constexpr Pair kHeaders[] = {{"traceparent", kTraceparent},
                             {"tracestate", kTracestate},
                             {"x-request-id", "req-1"},
                             {"request-id", kRequestId},
                             {"x-frontend-send-ts-ns", "1700000000123456789"}};

std::string headers_block() {
  Buffer buffer;
  HeaderWriter writer(buffer);
  for (const Pair& header : kHeaders) {
    if (writer.add(header.name, header.value) != Errc::ok) std::abort();
  }
  return std::string(text_of(writer.finish()));
}

std::string request_message() {
  const std::string block = headers_block();
  std::string message(request_head_bytes(kPath, bytes_of(block)), '\0');
  encode_request_head(kPath, bytes_of(block), kPayloadBytes,
                      reinterpret_cast<std::byte*>(message.data()));
  return message.append(kPayloadBytes, 'x');
}

void require(bool holds) {
  if (!holds) std::abort();
}

void bench_decode(const bench::Bench& bench) {
  const std::string message = request_message();
  const std::string block = headers_block();
  HeaderList list;
  bench.compare(
      "wire/decode_request",
      [&](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          ByteView bytes = bytes_of(message);
          bench::opaque(bytes);
          const Result<RequestView> request = decode_request(bytes);
          require(request && list.parse(request->headers) == Errc::ok);
          bench::opaque(list);
        }
      },
      [&](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          nlohmann::json parsed = nlohmann::json::parse(block);
          bench::opaque(parsed);
        }
      });
}

void bench_encode(const bench::Bench& bench) {
  Buffer buffer;
  nlohmann::json object;
  for (const Pair& header : kHeaders) object[std::string(header.name)] = header.value;
  bench.compare(
      "wire/encode_headers",
      [&](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          buffer.clear();
          HeaderWriter writer(buffer);
          for (const Pair& header : kHeaders) {
            require(writer.add(header.name, header.value) == Errc::ok);
          }
          ByteView block = writer.finish();
          bench::opaque(block);
        }
      },
      [&](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          std::string text = object.dump();
          bench::opaque(text);
        }
      });
}

constexpr int kFrames = 64;

Buffer run_of_frames() {
  const std::string message = request_message();
  Buffer run;
  for (int i = 0; i < kFrames; ++i) {
    std::byte header[kFrameHeaderBytes];
    encode_frame_header(
        {static_cast<std::uint32_t>(message.size()), StreamId::make(false, 1, 0).raw,
         static_cast<std::uint8_t>(FrameType::request), kFlagEnd},
        header);
    run.append(ByteView(header));
    run.append(message);
  }
  return run;
}

// 64 requests in one read.
void bench_frames(const bench::Bench& bench) {
  Buffer run = run_of_frames();
  FrameReader reader;
  InFrame frame;
  bench.compare(
      "wire/read_64_frames",
      [&](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          int seen = 0;
          for (reader.feed(run.view()); reader.next(frame); ++seen) bench::opaque(frame);
          require(seen == kFrames);
        }
      },
      [&](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          ByteView rest = run.view();
          while (!rest.empty()) {
            const Result<FrameHeader> header = decode_frame_header(rest);
            rest = rest.subspan(kFrameHeaderBytes + header->body_bytes);
            bench::opaque(rest);
          }
        }
      });
}

}  // namespace
}  // namespace spanwire::wire

int main(int argc, char** argv) {
  const spanwire::bench::Bench bench(argc, argv);
  spanwire::wire::bench_decode(bench);
  spanwire::wire::bench_encode(bench);
  spanwire::wire::bench_frames(bench);
}
