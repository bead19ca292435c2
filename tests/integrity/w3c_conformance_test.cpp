// The cases of proto-spec/conformance/trace_context.json over real hops: an HTTP request comes in
// at a gateway, which calls a service of ours over tcp, which calls back over HTTP.  What arrives
// there is what counts.
#include <gtest/gtest.h>
#include <httplib.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/rpc/client.hpp"
#include "spanwire/rpc/server.hpp"
#include "spanwire/trace/carrier.hpp"
#include "spanwire/trace/provider.hpp"
#include "spanwire/trace/traceparent.hpp"
#include "spanwire/trace/tracer.hpp"
#include "tests/support/leak_check.hpp"

namespace spanwire {
namespace {

using nlohmann::json;
using rpc::Call;
using rpc::Client;
using rpc::Reply;
using rpc::Server;
using rpc::Status;

constexpr std::chrono::seconds kGuard{30};
constexpr int kHttpThreads = 2;
using Fields = std::vector<std::pair<std::string, std::string>>;

const json& conformance() {
  static const json all =
      json::parse(std::ifstream(SPANWIRE_SOURCE_DIR "/proto-spec/conformance/trace_context.json"));
  return all;
}

// An HTTP server on a free port, on a thread of its own.
class HttpHop {
 public:
  explicit HttpHop(httplib::Server::Handler on_post) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kHttpThreads); };
    server_.set_keep_alive_max_count(1);
    server_.Post("/", std::move(on_post));
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~HttpHop() {
    server_.stop();
    thread_.join();
  }
  int port() const noexcept { return port_; }

 private:
  httplib::Server server_;
  int port_ = 0;
  std::thread thread_;
};

bool post(int port, const Fields& fields, const std::string& body) {
  httplib::Client client("127.0.0.1", port);
  httplib::Headers headers;
  for (const auto& [name, value] : fields) headers.emplace(name, value);
  const httplib::Result result = client.Post("/", headers, body, "text/plain");
  return result && result->status == 200;
}

class TraceContextConformance : public ::testing::TestWithParam<std::size_t> {
 protected:
  static const json& expected_case() { return conformance()["cases"][GetParam()]; }

  void SetUp() override {
    trace::init(trace::ProviderOptions());
    server_.handle(
        "call back", [this](Call& call) { return call_back(call); }, rpc::RunOn::pool(1));
    const Result<std::string> bound = server_.listen("tcp://127.0.0.1:0");
    ASSERT_TRUE(bound && server_.start());
    client_ = std::make_unique<Client>(runtime_, *bound);
  }
  void TearDown() override { trace::provider()->shutdown(kGuard); }

  // HTTP to ours.
  void gateway(const httplib::Request& request, httplib::Response& response) {
    const trace::Extracted extracted = trace::extract(request.headers);
    const trace::Context caller = extracted.context();
    trace::Span span = trace::tracer("gateway").start(caller, "POST", trace::SpanKind::server);
    const trace::Context context = caller.with_span(span.context());
    for (int left = std::stoi(request.body); left > 0; --left) {
      const Result<Reply> reply = client_->call_blocking(context, "call back", Slice());
      if (!reply) response.status = 500;
    }
  }
  // Ours to HTTP.
  Status call_back(Call& call) {
    Fields fields;
    trace::inject(call.context(), fields);
    return post(harness_.port(), fields, "") ? Status::ok() : Status(rpc::StatusCode::internal);
  }
  void arrived(const httplib::Request& request) {
    const std::scoped_lock lock(mutex_);
    callbacks_.push_back(request.headers);
  }

  testing::LeakCheck leaks_;
  std::mutex mutex_;
  std::vector<httplib::Headers> callbacks_;
  HttpHop harness_{
      [this](const httplib::Request& request, httplib::Response&) { arrived(request); }};
  rpc::Runtime runtime_;
  Server server_{runtime_};
  std::unique_ptr<Client> client_;
  HttpHop gateway_{[this](const httplib::Request& request, httplib::Response& response) {
    gateway(request, response);
  }};
};

std::vector<std::string> members_of(const httplib::Headers& headers) {
  std::vector<std::string> members;
  const auto [begin, end] = headers.equal_range("tracestate");
  for (auto header = begin; header != end; ++header) {
    std::string rest = header->second + ",";
    for (std::size_t comma; (comma = rest.find(',')) != std::string::npos;
         rest.erase(0, comma + 1)) {
      const std::size_t first = rest.find_first_not_of(" \t");
      if (first >= comma) continue;
      members.push_back(rest.substr(first, rest.find_last_not_of(" \t", comma - 1) + 1 - first));
    }
  }
  return members;
}

// What holds for every case; returns the parent id.
std::string check_traceparent(const httplib::Headers& headers, const json& expected) {
  EXPECT_EQ(headers.count("traceparent"), 1u);
  const std::string text = headers.find("traceparent")->second;
  EXPECT_TRUE(trace::parse_traceparent(text)) << text;
  EXPECT_EQ(text.substr(0, 3), "00-");
  EXPECT_EQ(text.size(), 55u);
  const std::string sent_trace = conformance()["trace_id"];
  const bool same = text.substr(3, 32) == sent_trace;
  EXPECT_EQ(same, expected["trace"] == "continued") << text;
  for (const json& other : expected.value("not_traces", json::array())) {
    EXPECT_NE(text.substr(3, 32), other.get<std::string>());
  }
  if (expected.contains("flags")) {
    EXPECT_EQ(text.substr(53), "0" + expected["flags"].dump());
  }
  EXPECT_NE(text.substr(36, 16), conformance()["parent_id"].get<std::string>());
  return text.substr(36, 16);
}

TEST_P(TraceContextConformance, Holds) {
  const json& expected = expected_case();
  Fields sent;
  for (const json& field : expected["sends"]) sent.emplace_back(field[0], field[1]);
  const int calls = expected.value("calls", 1);
  ASSERT_TRUE(post(gateway_.port(), sent, std::to_string(calls)));
  ASSERT_EQ(callbacks_.size(), static_cast<std::size_t>(calls));
  std::set<std::string> parents;
  for (const httplib::Headers& headers : callbacks_) {
    parents.insert(check_traceparent(headers, expected));
    const std::vector<std::string> members = members_of(headers);
    EXPECT_EQ(json(members), expected.value("members", json(members)));
    for (const json& key : expected.value("keys", json::array())) {
      const std::string begin = key.get<std::string>() + "=";
      EXPECT_TRUE(std::any_of(members.begin(), members.end(), [&](const std::string& member) {
        return member.starts_with(begin);
      })) << json(members);
    }
  }
  EXPECT_EQ(parents.size(), static_cast<std::size_t>(calls)) << "two calls had one parent id";
}

std::string case_name(const ::testing::TestParamInfo<std::size_t>& number) {
  std::string text = std::to_string(number.param) + "_" +
                     conformance()["cases"][number.param]["name"].get<std::string>();
  for (char& c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return text.substr(0, 60);
}

INSTANTIATE_TEST_SUITE_P(Cases, TraceContextConformance,
                         ::testing::Range(std::size_t{0}, conformance()["cases"].size()),
                         case_name);

}  // namespace
}  // namespace spanwire
