// A handler that holds its loop is named in the log.
#include <chrono>
#include <regex>

#include "tests/rpc/rpc_fixture.hpp"
#include "tests/support/log_capture.hpp"

namespace spanwire::rpc {
namespace {

using HeldLoop = RpcTest;

TEST_F(HeldLoop, IsLoggedWithThePathOfTheHandler) {
  testing::LogCapture log;
  server().handle("test/slow", [&log](Call&) -> Task<Status> {
    // Well beyond the 10 ms that a segment may take and the steps of the clock that tells.
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(40);
    while (std::chrono::steady_clock::now() < until) continue;
    // Whatever the log has said of this before, by either clock, is no reason to be silent now.
    log.clock().advance(Clock::system().monotonic() - log.clock().monotonic() +
                        std::chrono::seconds(2));
    co_return Status::ok();
  });
  client();
  ASSERT_TRUE(call("test/slow", ""));
  server_.reset();  // on the loop, behind the end of what held it
  const std::regex whole(
      "warn something held a loop that must not block what=test/slow ms=([0-9]+)( "
      "suppressed=[0-9]+)?");
  int found = 0;
  for (const std::string& line : log.lines()) {
    if (line.find("held a loop") == std::string::npos || line.find("slow") == std::string::npos)
      continue;
    std::smatch match;
    ASSERT_TRUE(std::regex_match(line, match, whole)) << line;
    EXPECT_GE(std::stoi(match[1]), 20) << line;
    ++found;
  }
  EXPECT_GE(found, 1);
}

}  // namespace
}  // namespace spanwire::rpc
