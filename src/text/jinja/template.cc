#include "text/jinja/template.h"

#include "base/result.h"
#include "text/jinja/evaluator.h"

namespace ocellus::text::jinja {

Result<Template> Template::parse(std::string_view source, std::string_view file) {
  try {
    return Template(jinja::parse(source));
  } catch (const Failure& failure) {
    return base::make_error(ErrorCode::kBadModel, "{}: {}", file, failure.what());
  }
}

Result<Text> Template::render(const Map& variables) const {
  try {
    return Evaluator(variables).run(*block_);
  } catch (const Failure& failure) {
    return base::make_error(ErrorCode::kInvalidArgument, "chat template: {}", failure.what());
  }
}

}  // namespace ocellus::text::jinja
