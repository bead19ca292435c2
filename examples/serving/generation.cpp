#include "examples/serving/generation.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace serving {

Generation::Generation()
    : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      cancellation_(spanwire::Cancellation::make()) {}

Generation::~Generation() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Generation::News Generation::take() {
  const std::lock_guard lock(mutex_);
  std::uint64_t ignored = 0;
  if (::read(descriptor_, &ignored, sizeof ignored) < 0) {
    // Nothing had come.
  }
  return std::exchange(news_, {});
}

void Generation::add(const TextBatch& batch) {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  news_.tokens += batch.tokens.size();
  news_.text += batch.text;
  notify();
}

void Generation::end(spanwire::Result<GenerateAnswer> how) {
  const bool failed = !how;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(ended_, true)) return;
    news_.end = std::move(how);
    notify();
  }
  if (failed) cancel();
}

void Generation::notify() noexcept {
  const std::uint64_t one = 1;
  if (::write(descriptor_, &one, sizeof one) < 0) {
    // It is readable already.
  }
}

}  // namespace serving
