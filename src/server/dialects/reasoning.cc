#include "server/dialects/reasoning.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace ocellus::server {

std::optional<bool> read_effort(Fields& fields, std::string_view name, std::string_view effort) {
  constexpr std::string_view kEfforts[] = {"minimal", "low", "medium", "high", "xhigh"};
  if (effort == "none") return false;
  if (std::ranges::find(kEfforts, effort) != std::end(kEfforts)) return true;
  fields.fail(name,
              fmt::format("expected none, minimal, low, medium, high or xhigh, found \"{}\"",
                          effort.substr(0, 40)),
              "unsupported_value");
  return std::nullopt;
}

}  // namespace ocellus::server
