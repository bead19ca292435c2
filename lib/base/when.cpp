#include "spanwire/base/when.hpp"

namespace spanwire::detail {

bool TaskGroup::start_all(CancelScope* scope) {
  if (race_) {
    scope != nullptr ? race_scope_.emplace(*scope) : race_scope_.emplace();
    scope = &*race_scope_;
  }
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (race_ && winner_ != kNone) break;
    Member& member = *members_[i];
    member.group_ = this;
    member.index_ = i;
    ++open_;
    member.start_(&member, home(), member, scope);
  }
  return --open_ != 0;
}

void TaskGroup::member_done(std::size_t index) noexcept {
  if (winner_ == kNone) {
    winner_ = index;
    if (race_) race_scope_->request_cancel();
  }
  if (--open_ == 0) resume();
}

}  // namespace spanwire::detail
