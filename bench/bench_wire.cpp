// What the codecs cost: one JSON object a line.  `value` and `reference` are medians over rounds
// that take turns, `ratio` is the median of the rounds' own ratios (value / reference).
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "spanwire/wire/bodies.hpp"
#include "spanwire/wire/frame_reader.hpp"
#include "spanwire/wire/headers.hpp"
#include "spanwire/wire/out_frame.hpp"
#include "spanwire/wire/v1.hpp"

namespace {

std::size_t heap_allocations = 0;

}  // namespace

void* operator new(std::size_t bytes) {
  ++heap_allocations;
  if (void* memory = std::malloc(bytes != 0 ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

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

template <class T>
void keep(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

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

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

class Bench {
 public:
  explicit Bench(bool quick) : rounds_(quick ? 7 : 15), round_ns_(quick ? 2e6 : 20e6) {}

  template <class Work, class Reference>
  void compare(const char* name, Work work, Reference reference) const {
    std::vector<double> values;
    std::vector<double> references;
    std::vector<double> ratios;
    double allocations = 0;
    time_of(work);
    time_of(reference);
    for (int round = 0; round < rounds_; ++round) {
      const std::size_t before = heap_allocations;
      std::size_t times = 0;
      values.push_back(time_of(work, &times));
      allocations = static_cast<double>(heap_allocations - before) / static_cast<double>(times);
      references.push_back(time_of(reference));
      ratios.push_back(values.back() / references.back());
    }
    std::printf(
        "{\"name\":\"%s\",\"unit\":\"ns\",\"value\":%.1f,\"reference\":%.1f,\"ratio\":%.4f,"
        "\"allocations\":%.3f}\n",
        name, median(values), median(references), median(ratios), allocations);
  }

 private:
  // Nanoseconds of one run.
  template <class Work>
  double time_of(Work& work, std::size_t* times = nullptr) const {
    using Clock = std::chrono::steady_clock;
    constexpr std::size_t kBatch = 64;
    const auto start = Clock::now();
    std::size_t runs = 0;
    double spent = 0;
    do {
      for (std::size_t i = 0; i < kBatch; ++i) work();
      runs += kBatch;
      spent = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    } while (spent < round_ns_);
    if (times != nullptr) *times = runs;
    return spent / static_cast<double>(runs);
  }

  int rounds_;
  double round_ns_;
};

void bench_decode(const Bench& bench) {
  const std::string message = request_message();
  const std::string block = headers_block();
  HeaderList list;
  bench.compare(
      "wire/decode_request",
      [&] {
        const Result<RequestView> request = decode_request(bytes_of(message));
        if (!request || list.parse(request->headers) != Errc::ok) std::abort();
        keep(list);
      },
      [&] {
        const nlohmann::json parsed = nlohmann::json::parse(block);
        keep(parsed);
      });
}

void bench_encode(const Bench& bench) {
  Buffer buffer;
  nlohmann::json object;
  for (const Pair& header : kHeaders) object[std::string(header.name)] = header.value;
  bench.compare(
      "wire/encode_headers",
      [&] {
        buffer.clear();
        HeaderWriter writer(buffer);
        for (const Pair& header : kHeaders) {
          if (writer.add(header.name, header.value) != Errc::ok) std::abort();
        }
        keep(writer.finish());
      },
      [&] {
        const std::string text = object.dump();
        keep(text);
      });
}

// 64 requests in one read, against finding their ends by the length fields alone.
void bench_frames(const Bench& bench) {
  constexpr int kFrames = 64;
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
  FrameReader reader;
  InFrame frame;
  bench.compare(
      "wire/read_64_frames",
      [&] {
        int seen = 0;
        for (reader.feed(run.view()); reader.next(frame); ++seen) keep(frame);
        if (seen != kFrames) std::abort();
      },
      [&] {
        const std::byte* at = run.data();
        const std::byte* const end = at + run.size();
        while (at != end) {
          const Result<FrameHeader> header =
              decode_frame_header({at, static_cast<std::size_t>(end - at)});
          at += kFrameHeaderBytes + header->body_bytes;
          keep(at);
        }
      });
}

void run(bool quick) {
  const Bench bench(quick);
  bench_decode(bench);
  bench_encode(bench);
  bench_frames(bench);
}

}  // namespace
}  // namespace spanwire::wire

int main(int argc, char** argv) {
  const bool quick = argc == 2 && std::string_view(argv[1]) == "--quick";
  if (argc > 1 && !quick) {
    std::fprintf(stderr, "usage: bench_wire [--quick]\n");
    return 2;
  }
  spanwire::wire::run(quick);
  return 0;
}
