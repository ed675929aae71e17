// What a chat template may cost. Templates come with checkpoints, so from strangers: everything
// that reads or evaluates one has a limit, and the limits with their defaults stand here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ocellus::text::jinja {

// Of one rendering. Published templates need a hundredth of these for a prompt of 100,000 tokens.
struct Limits {
  // Statements, expressions, items walked and values compared; every 64 bytes searched count as
  // one. At most about half a second.
  std::int64_t steps = 2'000'000;
  // Bytes written to strings, all together, intermediate ones included. Memory is twice that: each
  // byte has a mark of who wrote it.
  std::int64_t bytes = std::int64_t{128} << 20;
  // Bytes of one string, the prompt included.
  std::int64_t string_bytes = std::int64_t{16} << 20;
  // Items put into lists and mappings, all together; about 120 bytes each.
  std::int64_t items = 500'000;
  // Lists and mappings inside one another. Destroying a value takes as many calls.
  int value_depth = 64;
  // Statements, expressions and macro calls inside one another; about 0.5 KiB of stack each.
  int call_depth = 500;
};

// Of a template's source.
inline constexpr std::size_t kMaxSourceBytes = std::size_t{1} << 20;  // published: up to 30 KB
inline constexpr std::size_t kMaxTokens = 200'000;
inline constexpr std::size_t kMaxTagTokens = 2'000;  // bounds how deep the tree of one tag can be
inline constexpr std::size_t kMaxNameBytes = 256;
inline constexpr int kMaxNesting = 100;  // brackets, operators and blocks inside one another

}  // namespace ocellus::text::jinja
