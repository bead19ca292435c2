// Tail keep and journeys: what is kept of a request that nobody sampled is the span around it.
#include "spanwire/trace/span.hpp"
#include "tests/journey/fixture.hpp"

namespace spanwire::journey {
namespace {

TEST_F(JourneyTest, OfAnUnsampledRequestThatFailedTheSpanAroundItIsKept) {
  trace::ProviderOptions keeping = options();
  keeping.sampler = trace::always_off();
  keeping.keep_errors = true;
  trace::init(std::move(keeping));
  trace::Span call = trace::tracer("test").start(trace::Context(), "call", trace::SpanKind::server);
  const trace::Context around = trace::Context().with_span(call.context());
  RequestOptions start;
  start.rid = "r1";
  start.parent = &around;
  Request request = start_request(start);
  EXPECT_FALSE(request.recording());
  request.slice_start("prefill_forward", kImportant);
  tick();
  request.abort();
  request.finish();
  call.set_status(trace::StatusCode::error, "it broke");
  call.end();
  const std::vector<SpanData> kept = spans();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].name, "call");
}

}  // namespace
}  // namespace spanwire::journey
