#include "spanwire/base/result.hpp"

namespace spanwire {

std::string Error::message() const {
  std::string text(name(code_));
  text += ": ";
  text += describe(code_);
  if (!detail().empty()) {
    text += " (";
    text += detail();
    text += ')';
  }
  return text;
}

}  // namespace spanwire
