// How long a request wants its model to stay in memory.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "server/fields.h"

namespace ocellus::server {

// Seconds as a number, or a duration as Go writes it: "5m", "1h30m", "300s", "500ms"; below 0: for
// ever. Mistakes go to `fields`.
std::optional<std::chrono::milliseconds> read_keep_alive(Fields& fields, std::string_view name);

}  // namespace ocellus::server
