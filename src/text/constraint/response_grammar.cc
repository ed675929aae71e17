#include "text/constraint/response_grammar.h"

#include <algorithm>

#include "base/result.h"
#include "base/utf8.h"
#include "json/json.h"
#include "text/constraint/json_grammar.h"
#include "text/constraint/json_schema.h"
#include "text/constraint/matcher.h"
#include "text/constraint/regex_grammar.h"

namespace ocellus::text {
namespace {

using base::make_error;
using Grammars = Result<std::shared_ptr<const Grammar>>;

constexpr std::size_t kMaxChoices = 10'000;

Grammars json_object() {
  GrammarBuilder builder;
  JsonGrammar json(builder);
  const Pc start = json.any_object(builder.accept());
  return builder.finish(start, "json_object");
}

Grammars json_schema(const std::string& text) {
  OCELLUS_ASSIGN_OR_RETURN(const json::bj::value schema, json::parse(text, "json_schema"));
  return schema_grammar(schema, "json_schema");
}

Grammars regex(const std::string& text) {
  GrammarBuilder builder;
  OCELLUS_ASSIGN_OR_RETURN(const Pc start, regex_grammar(builder, text, true, Encoding::kUtf8,
                                                         "regex", builder.accept()));
  return Matcher::runnable(builder.finish(start, "regex"), "regex");
}

Grammars choice(const std::vector<std::string>& choices) {
  if (choices.empty() || choices.size() > kMaxChoices)
    return make_error(ErrorCode::kInvalidArgument, "choices: expected 1 to {}, found {}",
                      kMaxChoices, choices.size());
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (choices[i].empty() || !base::is_valid_utf8(choices[i]))
      return make_error(ErrorCode::kInvalidArgument,
                        "choices[{}]: expected a text that is not empty", i);
  }
  GrammarBuilder builder;
  const Pc start = builder.literals(choices, builder.accept());
  return builder.finish(start, "choices");
}

}  // namespace

Grammars response_grammar(const ResponseFormat& format) {
  switch (format.kind) {
    case ResponseFormat::Kind::kText:
      return std::shared_ptr<const Grammar>();
    case ResponseFormat::Kind::kJsonObject:
      return json_object();
    case ResponseFormat::Kind::kJsonSchema:
      return json_schema(format.text);
    case ResponseFormat::Kind::kRegex:
      return regex(format.text);
    case ResponseFormat::Kind::kChoice:
      return choice(format.choices);
  }
  return std::shared_ptr<const Grammar>();
}

}  // namespace ocellus::text
