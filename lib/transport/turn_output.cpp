#include "lib/transport/turn_output.hpp"

#include "spanwire/base/assert.hpp"

namespace spanwire::transport {

void TurnOutput::list(Executor& executor, OutputItem& item) noexcept {
  if (item.listed_) return;
  // Outside of a turn nothing would ever write it.
  SPANWIRE_ASSERT(executor.runs_here());
  item.listed_ = true;
  item.next_ = nullptr;
  item.previous_ = last_;
  (last_ != nullptr ? last_->next_ : first_) = &item;
  last_ = &item;
  if (scheduled_) return;
  scheduled_ = true;
  flushed_ = executor.now();
  turn_end_.run = &TurnOutput::at_turn_end;
  executor.at_turn_end(turn_end_);
}

void TurnOutput::remove(OutputItem& item) noexcept {
  if (!item.listed_) return;
  item.listed_ = false;
  (item.previous_ != nullptr ? item.previous_->next_ : first_) = item.next_;
  (item.next_ != nullptr ? item.next_->previous_ : last_) = item.previous_;
}

void TurnOutput::flush_all() noexcept {
  while (first_ != nullptr) {
    OutputItem& item = *first_;
    remove(item);
    item.flush_(&item);
  }
}

void TurnOutput::flush_if_late(Executor& executor) noexcept {
  const MonotonicTime now = executor.clock().monotonic();
  if (now - flushed_ < kFlushAfter) return;
  flushed_ = now;
  flush_all();
}

void TurnOutput::at_turn_end(Job*) noexcept {
  TurnOutput& output = instance_;
  output.scheduled_ = false;
  output.flush_all();
}

}  // namespace spanwire::transport
