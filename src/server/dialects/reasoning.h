// Whether a model is to think, as OpenAI's dialects ask it.
#pragma once

#include <optional>
#include <string_view>

#include "server/fields.h"

namespace ocellus::server {

// "none": not; "minimal", "low", "medium", "high", "xhigh": it may, and how much is the model's own
// affair. Anything else is a mistake of the field `name`.
std::optional<bool> read_effort(Fields& fields, std::string_view name, std::string_view effort);

}  // namespace ocellus::server
