// JSON Schema (draft 2020-12, and what older drafts and OpenAPI spell otherwise) as a grammar of
// the texts that satisfy it: compact, properties in the order of the schema. Every keyword that
// restricts is enforced or refused; annotations have no effect.
#pragma once

#include <boost/json/value.hpp>
#include <memory>
#include <string_view>

#include "text/constraint/grammar.h"

namespace ocellus::text {

// Objects have the properties that the schema names, and others only where additionalProperties
// says so. `oneOf` is taken where its alternatives exclude each other. kInvalidArgument naming the
// place in the schema, below `what`.
Result<std::shared_ptr<const Grammar>> schema_grammar(const boost::json::value& schema,
                                                      std::string_view what);

}  // namespace ocellus::text
