#include "text/jinja/budget.h"

#include <fmt/format.h>

namespace ocellus::text::jinja {

void Budget::bytes(std::size_t count, std::size_t held) {
  // Compared as unsigned: a count may be the product of two sizes.
  if (count > static_cast<std::size_t>(limits_.string_bytes) ||
      held > static_cast<std::size_t>(limits_.string_bytes) - count) {
    exceeded("bytes in a string", limits_.string_bytes);
  }
  if (static_cast<std::int64_t>(count) > limits_.bytes - bytes_)
    exceeded("bytes in strings", limits_.bytes);
  bytes_ += static_cast<std::int64_t>(count);
  scan(count);
}

void Budget::items(std::size_t count) {
  if (count > static_cast<std::size_t>(limits_.items - items_))
    exceeded("items in lists and mappings", limits_.items);
  items_ += static_cast<std::int64_t>(count);
  steps(static_cast<std::int64_t>(count));
}

void Budget::value_depth(int depth) const {
  if (depth > limits_.value_depth)
    exceeded("lists and mappings inside one another", limits_.value_depth);
}

void Budget::exceeded(std::string_view what, std::int64_t limit) {
  throw Failure(fmt::format("too many {}: expected at most {}", what, limit));
}

}  // namespace ocellus::text::jinja
