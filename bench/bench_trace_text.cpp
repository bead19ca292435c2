// trace/extract, trace/inject and their like against the same by hand, over the JSON header block;
// trace/context_copy.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "bench/floor/w3c_by_hand.hpp"
#include "bench/measure.hpp"
#include "spanwire/trace/nats_carrier.hpp"
#include "spanwire/trace/wire_carrier.hpp"

namespace {

using namespace spanwire;

constexpr std::string_view kPlain =
    R"({"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",)"
    R"("x-endpoint-path":"llm/decode/generate","x-frontend-send-ts-ns":"1754000000000000000",)"
    R"("content-type":"application/json"})";
constexpr std::string_view kWithState =
    R"({"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",)"
    R"("tracestate":"vendor-a=00f067aa0ba902b7,vendor-b=t61rcWkgMzE,congo=ucfJifl5GOE1,",)"
    R"("x-endpoint-path":"llm/decode/generate","x-frontend-send-ts-ns":"1754000000000000000"})";

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "bench_trace_text: %s\n", what);
  std::abort();
}

void extract_case(const bench::Bench& bench, const char* name, std::string_view block) {
  wire::HeaderList headers;
  require(headers.parse(bytes_of(block)) == Errc::ok, "block is not read");
  const trace::Extracted ours = trace::extract(headers);
  floor::W3cContext hand;
  floor::extract(headers, hand);
  require(ours.parent().valid() && hand.valid, "no context");
  require(std::memcmp(ours.parent().trace_id().bytes().data(), hand.trace_id.data(), 16) == 0 &&
              ours.texts().tracestate == hand.tracestate,
          "results differ");
  bench.compare(
      name,
      [&headers](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          bench::opaque(headers);
          trace::Extracted extracted = trace::extract(headers);
          bench::opaque(extracted);
        }
      },
      [&headers](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          bench::opaque(headers);
          floor::W3cContext context;
          floor::extract(headers, context);
          bench::opaque(context);
        }
      });
}

// From the bytes of a NATS block against extract() from those of a JSON block with the same
// headers: on both sides the block is parsed as part of it.
void extract_nats(const bench::Bench& bench) {
  constexpr std::string_view kBlock =
      "NATS/1.0\r\n"
      "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
      "x-endpoint-path: llm/decode/generate\r\n"
      "x-frontend-send-ts-ns: 1754000000000000000\r\n"
      "content-type: application/json\r\n\r\n";
  wire::HeaderList headers;
  std::string_view json = kPlain;
  wire::NatsHeaders lines;
  std::string_view block = kBlock;
  bench.compare(
      "trace/extract_nats_block",
      [&](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          bench::opaque(block);
          if (lines.parse(bytes_of(block)) != Errc::ok) std::abort();
          trace::Extracted extracted = trace::extract(lines);
          bench::opaque(extracted);
        }
      },
      [&](std::uint64_t iterations) {
        for (; iterations > 0; --iterations) {
          bench::opaque(json);
          if (headers.parse(bytes_of(json)) != Errc::ok) std::abort();
          trace::Extracted extracted = trace::extract(headers);
          bench::opaque(extracted);
        }
      });
}

void inject_case(const bench::Bench& bench, const char* name, std::string_view block) {
  wire::HeaderList headers;
  require(headers.parse(bytes_of(block)) == Errc::ok, "block is not read");
  const trace::Context context = trace::extract(headers).context();
  floor::W3cContext hand;
  floor::extract(headers, hand);
  std::byte room[512];
  char hand_room[512];
  wire::HeaderWriter writer{MutableByteView(room)};
  trace::inject(context, writer);
  require(text_of(writer.finish()) == std::string_view(hand_room, floor::inject(hand, hand_room)),
          "blocks differ");
  const bench::Bench::Body ours = [&](std::uint64_t iterations) {
    for (; iterations > 0; --iterations) {
      bench::opaque(context);
      wire::HeaderWriter to{MutableByteView(room)};
      trace::inject(context, to);
      ByteView written = to.finish();
      bench::opaque(written);
    }
  };
  // By hand into the same block: its other headers, its limits and its end are not inject's.
  bench.compare(name, ours, [&](std::uint64_t iterations) {
    for (; iterations > 0; --iterations) {
      bench::opaque(hand);
      ByteView written = floor::inject_through_writer(hand, MutableByteView(room));
      bench::opaque(written);
    }
  });
  // The same beside bytes that are no more than these headers: what the block's writer costs.
  bench.compare(std::string(name) + "_bare", ours, [&](std::uint64_t iterations) {
    for (; iterations > 0; --iterations) {
      bench::opaque(hand);
      std::size_t written = floor::inject(hand, hand_room);
      bench::opaque(written);
    }
  });
}

// A copy is one reference count; its end is another.  Both together, and the copy alone: made in
// windows, whose copies end outside of the measured time.
void copy_case(const bench::Bench& bench) {
  const trace::Context context =
      trace::Context().with_request_id("7d4b1f3a").with_baggage("a", "b");
  bench.measure("trace/context_copy_and_end", [&context](std::uint64_t iterations) {
    for (; iterations > 0; --iterations) {
      trace::Context copy = context;
      bench::opaque(copy);
    }
  });
  if (!bench.wants("trace/context_copy")) return;
  constexpr std::size_t kWindow = 512;
  std::vector<trace::Context> copies;
  copies.reserve(kWindow);
  std::vector<double> values;
  for (int round = 0; round < bench.rounds() * 100; ++round) {
    const double begin = bench::wall_seconds();
    for (std::size_t i = 0; i < kWindow; ++i) copies.push_back(context);
    values.push_back((bench::wall_seconds() - begin) * 1e9 / kWindow);
    copies.clear();
  }
  bench.print({"trace/context_copy", "ns", bench::median(values), {}, 0.0});
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Bench bench(argc, argv);
  extract_case(bench, "trace/extract", kPlain);
  extract_case(bench, "trace/extract_tracestate3", kWithState);
  extract_nats(bench);
  inject_case(bench, "trace/inject", kPlain);
  inject_case(bench, "trace/inject_tracestate3", kWithState);
  copy_case(bench);
}
