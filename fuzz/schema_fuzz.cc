// Forms of answers: whatever the schema or expression, an error of one line, or a grammar whose
// shortest end satisfies it, from wherever bytes lead.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "text/constraint/matcher.h"
#include "text/constraint/response_grammar.h"

namespace {

using namespace ocellus;
using text::Matcher;

void require(bool holds) {
  if (!holds) std::abort();
}

bool runs_to_an_end(Matcher& matcher, Matcher::State now, std::string_view bytes) {
  Matcher::State next;
  for (const char byte : bytes) {
    matcher.step(now, static_cast<std::uint8_t>(byte), next);
    std::swap(now, next);
  }
  return matcher.accepts(now);
}

}  // namespace

// The first byte says what the rest is, and what is tried on it: the bytes after the first NUL.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t nul = all.find('\0');
  const std::string_view form = all.substr(0, nul);
  const std::string_view tried = nul == std::string_view::npos ? "" : all.substr(nul + 1);
  ResponseFormat format;
  format.kind = data[0] % 2 == 0 ? ResponseFormat::Kind::kJsonSchema : ResponseFormat::Kind::kRegex;
  format.text = form;
  const auto grammar = text::response_grammar(format);
  if (!grammar) {
    require(grammar.error().code == ErrorCode::kInvalidArgument);
    require(grammar.error().message.find('\n') == std::string::npos);
    return 0;
  }
  constexpr std::size_t kLongest = 1 << 17;
  Matcher matcher(*grammar);
  Matcher::State now = matcher.start(), next;
  require(!now.empty());
  for (std::size_t i = 0; i <= tried.size() && i < 64; ++i) {
    const std::string end = matcher.shortest_end(now, kLongest);
    // A grammar with too many readings on the way has no end there: its caller is told.
    if (end.size() == matcher.least(now)) require(runs_to_an_end(matcher, now, end));
    if (i == tried.size()) break;
    matcher.step(now, static_cast<std::uint8_t>(tried[i]), next);
    if (next.empty()) break;
    std::swap(now, next);
    matcher.keep_only(now);
  }
  return 0;
}
