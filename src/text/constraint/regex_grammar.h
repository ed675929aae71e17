// Regular expressions as grammars: the part of ECMA-262 that JSON Schema recommends (draft 2020-12,
// section 6.4): characters, classes, groups, alternatives, counts, ^ and $ at the ends. What looks
// around or back is refused.
#pragma once

#include <string_view>

#include "text/constraint/grammar.h"

namespace ocellus::text {

// Text in which the expression matches somewhere, or, with `whole`, that it matches from end to
// end. kInvalidArgument naming `what`, the place and the reason.
Result<Pc> regex_grammar(GrammarBuilder& builder, std::string_view expression, bool whole,
                         Encoding encoding, std::string_view what, Pc next);

}  // namespace ocellus::text
