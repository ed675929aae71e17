#include "text/jinja/template.h"

#include <new>

#include "base/result.h"
#include "base/utf8.h"
#include "text/jinja/builtins.h"

namespace ocellus::text::jinja {
namespace {

using base::make_error;

// Messages may quote names, and refusals what the user wrote: one line of bounded length.
std::string one_line(std::string_view text) {
  constexpr std::size_t kMaxMessage = 500;
  std::string line(text.substr(0, kMaxMessage));
  line.resize(base::valid_utf8_prefix(line));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return line.size() < text.size() ? line + "…" : line;
}

// Standard-library exceptions at the border: none is expected but bad_alloc.
template <typename F>
auto guarded(std::string_view what, const F& f) -> decltype(f()) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kOutOfMemory, "{}: out of memory", what);
  } catch (const std::exception& error) {
    return make_error(ErrorCode::kInternal, "{}: {}", what, error.what());
  }
}

}  // namespace

Result<Template> Template::parse(std::string_view source, std::string_view file) {
  return guarded(file, [&]() -> Result<Template> {
    try {
      return Template(jinja::parse(source));
    } catch (const Failure& failure) {
      return make_error(ErrorCode::kBadModel, "{}: {}", file, one_line(failure.what()));
    }
  });
}

Result<Rendering> Template::render(const Variables& variables, const Limits& limits) const {
  return guarded("chat template", [&]() -> Result<Rendering> {
    Budget budget(limits);
    try {
      Text text = Evaluator(variables, budget).run(*block_);
      return Rendering{std::move(text), budget.wrote_container()};
    } catch (const Refusal& refusal) {
      return make_error(ErrorCode::kInvalidArgument, "chat template: {}",
                        one_line(refusal.message->bytes));
    } catch (const Failure& failure) {
      return make_error(ErrorCode::kInvalidArgument, "chat template: line {}: {}", budget.line(),
                        one_line(failure.what()));
    }
  });
}

}  // namespace ocellus::text::jinja
