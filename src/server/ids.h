// Names and numbers that must differ from one request to the next.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ocellus::server {

// The prefix and 24 hexadecimal digits. Any thread.
std::string new_id(std::string_view prefix);

// Below 2^53, exact in every client's JSON.
std::uint64_t random_seed();

std::int64_t unix_seconds();

}  // namespace ocellus::server
