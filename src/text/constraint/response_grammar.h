// From what a caller asks of an answer to a grammar.
#pragma once

#include <memory>

#include "ocellus/options.h"
#include "text/constraint/grammar.h"

namespace ocellus::text {

// Null for kText. kInvalidArgument naming `json_schema`, `regex` or `choices`, the place in it and
// what is wrong there.
Result<std::shared_ptr<const Grammar>> response_grammar(const ResponseFormat& format);

}  // namespace ocellus::text
