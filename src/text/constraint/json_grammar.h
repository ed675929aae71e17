// The parts of JSON text as grammars, compact: no white space anywhere. RFC 8259.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "text/constraint/grammar.h"
#include "text/constraint/number_grammar.h"

namespace ocellus::text {

// Parts of one grammar; what is the same is built once.
class JsonGrammar {
 public:
  explicit JsonGrammar(GrammarBuilder& builder) : b_(builder) {}

  Pc any_value(Pc next);
  Pc any_object(Pc next);
  Pc any_array(Pc next);
  // Of so many characters (code points).
  Pc string(std::uint32_t min, std::uint32_t max, Pc next);
  // A key that is none of these, with its quotes. Written without escapes, so that it is no other
  // spelling of one.
  Pc key_except(std::vector<std::string> keys, Pc next);
  Pc integer(const NumberRange& range, Pc next);
  Pc number(const NumberRange& range, Pc next);
  Pc boolean(Pc next) { return b_.literals({"true", "false"}, next); }
  Pc null(Pc next) { return b_.literal("null", next); }

 private:
  static constexpr std::int32_t kNone = -1;
  Pc character(Pc next);
  Pc other_key(const std::vector<std::vector<std::uint32_t>>& keys, std::size_t depth, Pc tail,
               Pc next);
  Pc shared(std::int32_t& rule, const std::function<Pc(Pc)>& make, Pc next);

  GrammarBuilder& b_;
  std::int32_t value_ = kNone, object_ = kNone, array_ = kNone, string_ = kNone, integer_ = kNone,
               number_ = kNone;
};

}  // namespace ocellus::text
