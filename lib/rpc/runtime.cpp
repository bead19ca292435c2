#include "spanwire/rpc/runtime.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "spanwire/base/fork.hpp"

namespace spanwire::rpc {

struct Runtime::State {
  std::vector<std::unique_ptr<transport::Loop>> loops;
  std::vector<std::thread> threads;
  std::atomic<std::size_t> next{0};
  std::uint32_t generation = fork_generation();
  transport::Resolver resolver;
};

Runtime::Runtime(RuntimeOptions options) : state_(std::make_unique<State>()) {
  const unsigned count =
      options.threads != 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < count; ++i) state_->loops.push_back(std::make_unique<transport::Loop>());
  for (unsigned i = 0; i < count; ++i) {
    state_->threads.emplace_back([loop = state_->loops[i].get()] { loop->run(); });
    // The system keeps 15 characters.
    const std::string name = (options.thread_name + "-" + std::to_string(i)).substr(0, 15);
    pthread_setname_np(state_->threads.back().native_handle(), name.c_str());
  }
}

Runtime::Runtime(asio::io_context& context) : state_(std::make_unique<State>()) {
  state_->loops.push_back(std::make_unique<transport::Loop>(context));
}

Runtime::~Runtime() {
  if (inherited_over_fork()) {
    keep_for_ever(std::move(state_));
    return;
  }
  for (const auto& loop : state_->loops) loop->stop();
  for (std::thread& thread : state_->threads) thread.join();
}

std::size_t Runtime::loops() const noexcept { return state_->loops.size(); }

transport::Loop& Runtime::loop(std::size_t index) noexcept { return *state_->loops[index]; }

transport::Loop& Runtime::any_loop() noexcept {
  const Executor* current = Executor::current();
  for (const auto& loop : state_->loops) {
    if (loop.get() == current) return *loop;
  }
  return *state_
              ->loops[state_->next.fetch_add(1, std::memory_order_relaxed) % state_->loops.size()];
}

bool Runtime::on_runtime_thread() const noexcept {
  const Executor* current = Executor::current();
  for (const auto& loop : state_->loops) {
    if (loop.get() == current) return true;
  }
  return false;
}

bool Runtime::inherited_over_fork() const noexcept {
  return state_->generation != fork_generation();
}

transport::Resolver& Runtime::resolver() noexcept { return state_->resolver; }

void Runtime::spawn(Task<void> task) { ::spanwire::spawn(any_loop(), std::move(task)); }

}  // namespace spanwire::rpc
