// Walks a template's tree.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "text/jinja/syntax.h"

namespace ocellus::text::jinja {

using Variables = std::vector<std::pair<std::string, Value>>;

// One rendering; one thread. `budget` and the tree outlive it. Throws Failure or Refusal; the
// budget's line says where.
class Evaluator {
 public:
  Evaluator(const Variables& variables, Budget& budget);
  Text run(const Block& block);

 private:
  enum class Flow { kNext, kBreak, kContinue };
  // Names that are visible, innermost last. A set inside a loop or macro ends with it.
  using Scope = Variables;
  class Nested;
  class Call;

  Flow execute(const Block& block, TextBuilder& out);
  Flow execute(const Statement& statement, TextBuilder& out);
  Flow loop(const Statement& statement, TextBuilder& out);
  Value filtered(const Statement& statement, const Value& items);
  void assign(const std::vector<std::string>& names, const Value& value);
  void define(const std::string& name, Value value);
  void set_field(const std::string& path, const Value& value);
  Value body_of(const Statement& statement);
  Value call_macro(const Statement& statement, const Arguments& given);

  Value evaluate(const Expression& expression);
  Value evaluate_node(const Expression& expression);
  Value name(const std::string& name) const;
  Value list(const Expression& expression);
  Value map(const Expression& expression);
  Value slice(const Expression& expression);
  Value call(const Expression& expression);
  Value filter(const Expression& expression);
  Value test(const Expression& expression);
  Value unary(const Expression& expression);
  Value binary(const Expression& expression);
  Value combine(const Expression& expression, const Value& left);
  Arguments arguments(const CallArguments& given);

  Budget& budget_;
  std::vector<Scope> scopes_;
  std::size_t base_;  // a macro sees the outermost scopes and those from here on
};

}  // namespace ocellus::text::jinja
