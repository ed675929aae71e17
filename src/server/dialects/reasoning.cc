#include "server/dialects/reasoning.h"

#include <algorithm>
#include <string>

namespace ocellus::server {

std::optional<bool> read_effort(Fields& fields, std::string_view name, std::string_view effort) {
  constexpr std::string_view kEfforts[] = {"minimal", "low", "medium", "high", "xhigh"};
  if (effort == "none") return false;
  if (std::ranges::find(kEfforts, effort) != std::end(kEfforts)) return true;
  fields.fail(name, "expected none, minimal, low, medium, high or xhigh", "unsupported_value");
  return std::nullopt;
}

}  // namespace ocellus::server
