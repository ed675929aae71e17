#include "server/ids.h"

#include <fmt/format.h>

#include <chrono>
#include <random>

namespace ocellus::server {
namespace {

// Not OpenSSL's: it would keep a generator for each thread.
std::uint64_t random_number() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

}  // namespace

std::string new_id(std::string_view prefix) {
  return fmt::format("{}{:016x}{:08x}", prefix, random_number(),
                     static_cast<std::uint32_t>(random_number()));
}

std::uint64_t random_seed() { return random_number() & ((std::uint64_t{1} << 53) - 1); }

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace ocellus::server
