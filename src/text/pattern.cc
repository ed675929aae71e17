#include "text/pattern.h"

#include "base/result.h"

namespace ocellus::text {
namespace {

using base::make_error;
namespace bj = json::bj;

std::string_view view(const bj::string& s) { return {s.data(), s.size()}; }

}  // namespace

Result<Pattern> Pattern::parse(const bj::value* value, std::string_view what) {
  const bj::object* object = value == nullptr ? nullptr : value->if_object();
  Pattern pattern;
  if (value != nullptr && value->is_string()) {
    pattern.literal = view(value->get_string());
    return pattern;
  }
  const bj::value* literal = object == nullptr ? nullptr : object->if_contains("String");
  const bj::value* regex = object == nullptr ? nullptr : object->if_contains("Regex");
  if (literal != nullptr && literal->is_string()) {
    pattern.literal = view(literal->get_string());
  } else if (regex != nullptr && regex->is_string()) {
    auto compiled = Regex::compile(view(regex->get_string()));
    if (!compiled) return base::with_context(std::move(compiled).error(), what);
    pattern.regex = *std::move(compiled);
  } else {
    return make_error(ErrorCode::kBadModel,
                      "{}: pattern: expected {{\"String\": ...}} or {{\"Regex\": ...}}", what);
  }
  return pattern;
}

void Pattern::each_match(std::string_view text,
                         const std::function<void(std::size_t, std::size_t)>& found) const {
  if (regex) {
    regex->each_match(text, found);
    return;
  }
  if (literal.empty()) return;
  for (std::size_t at = text.find(literal); at != std::string_view::npos;
       at = text.find(literal, at + literal.size())) {
    found(at, at + literal.size());
  }
}

std::string Pattern::replace(std::string_view text, std::string_view with) const {
  std::string result;
  std::size_t done = 0;
  each_match(text, [&](std::size_t begin, std::size_t end) {
    result += text.substr(done, begin - done);
    result += with;
    done = end;
  });
  result += text.substr(done);
  return result;
}

}  // namespace ocellus::text
