// Walks a template's tree.
#pragma once

#include "text/jinja/syntax.h"

namespace ocellus::text::jinja {

// One rendering. Throws Failure.
class Evaluator {
 public:
  explicit Evaluator(const Map& variables);
  Text run(const Block& block);

 private:
  enum class Flow { kNext, kBreak, kContinue };
  // Names that are visible, innermost last. A set inside a loop or macro ends with it.
  using Scope = Map;
  class Nested;
  class Call;

  Flow execute(const Block& block, Text& out);
  Flow execute(const Statement& statement, Text& out);
  Flow loop(const Statement& statement, Text& out);
  void assign(const std::vector<std::string>& names, const Value& value);
  void define(const std::string& name, Value value);
  void set_field(const std::string& path, const Value& value);
  Text body_of(const Statement& statement);
  Value macro(const Statement& statement);

  Value evaluate(const Expression& expression);
  Value name(const std::string& name) const;
  Value attribute(const Value& value, const std::string& name) const;
  Value item(const Value& value, const Value& index) const;
  Value slice(const Expression& expression);
  Value call(const Expression& expression);
  Value binary(const Expression& expression);
  Value unary(const Expression& expression);
  Arguments arguments(const CallArguments& given);
  void count_step(int line);
  void append(Text& out, const Text& text) const;

  std::vector<Scope> scopes_;
  int steps_ = 0;
  int calls_ = 0;  // of macros, now
};

}  // namespace ocellus::text::jinja
