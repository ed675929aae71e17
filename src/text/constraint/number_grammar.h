// JSON numbers within limits, as grammars. RFC 8259, section 6.
#pragma once

#include <optional>

#include "text/constraint/decimal.h"
#include "text/constraint/grammar.h"

namespace ocellus::text {

// Absent: no limit. `min` is at most `max`.
struct NumberRange {
  std::optional<Decimal> min = {}, max = {};
  bool min_excluded = false, max_excluded = false;

  bool is_unlimited() const { return !min && !max; }
};

// A number without limits may have an exponent; one with limits is written out.
Pc integer_grammar(GrammarBuilder& builder, const NumberRange& range, Pc next);
Pc number_grammar(GrammarBuilder& builder, const NumberRange& range, Pc next);

}  // namespace ocellus::text
