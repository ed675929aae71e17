#include "text/jinja/evaluator.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/arithmetic.h"
#include "text/jinja/builtins.h"
#include "text/jinja/text_form.h"

namespace ocellus::text::jinja {
namespace {

constexpr std::size_t kOutermost = 2;  // functions, then variables and what is set at the top

}  // namespace

// A scope for as long as it lives.
class Evaluator::Nested {
 public:
  explicit Nested(Evaluator& evaluator) : evaluator_(evaluator) {
    evaluator.scopes_.emplace_back();
  }
  ~Nested() { evaluator_.scopes_.pop_back(); }
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;

 private:
  Evaluator& evaluator_;
};

// A macro's call: hides the scopes between the outermost and its own.
class Evaluator::Call {
 public:
  explicit Call(Evaluator& evaluator)
      : evaluator_(evaluator),
        base_(std::exchange(evaluator.base_, evaluator.scopes_.size())),
        scope_(evaluator) {}
  ~Call() { evaluator_.base_ = base_; }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 private:
  Evaluator& evaluator_;
  std::size_t base_;
  Nested scope_;
};

Evaluator::Evaluator(const Variables& variables, Budget& budget)
    : budget_(budget), scopes_(kOutermost), base_(kOutermost) {
  scopes_[0] = global_functions();
  scopes_[1] = variables;
}

Text Evaluator::run(const Block& block) {
  TextBuilder out(budget_);
  execute(block, out);
  return std::move(out).build();
}

Evaluator::Flow Evaluator::execute(const Block& block, TextBuilder& out) {
  for (const Statement& statement : block) {
    budget_.set_line(statement.line);
    budget_.steps();
    const Flow flow = execute(statement, out);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::execute(const Statement& s, TextBuilder& out) {
  using Kind = Statement::Kind;
  const Budget::Level level(budget_);
  switch (s.kind) {
    case Kind::kText:
      out.add(s.text, true);
      return Flow::kNext;
    case Kind::kOutput:
      out.add(*to_text(evaluate(*s.expression), budget_));
      return Flow::kNext;
    case Kind::kIf:
      return execute(evaluate(*s.expression).truthy() ? s.body : s.otherwise, out);
    case Kind::kFor:
      return loop(s, out);
    case Kind::kSet:
      assign(s.names, evaluate(*s.expression));
      return Flow::kNext;
    case Kind::kSetBlock:
      assign(s.names, body_of(s));
      return Flow::kNext;
    case Kind::kFilter:
      out.add(*to_text(body_of(s), budget_));
      return Flow::kNext;
    case Kind::kMacro:
      define(s.text, Function{.native = nullptr, .parameters = "*", .self = {}, .macro = &s});
      return Flow::kNext;
    case Kind::kScope: {
      const Nested scope(*this);
      return execute(s.body, out);
    }
    case Kind::kBreak:
      return Flow::kBreak;
    case Kind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

// The text of a statement's body, through its filters.
Value Evaluator::body_of(const Statement& s) {
  TextBuilder text(budget_);
  const Nested scope(*this);
  execute(s.body, text);
  Value body = std::move(text).build();
  if (!s.expression) return body;
  define(std::string(kBodyName), std::move(body));
  return to_text(evaluate(*s.expression), budget_);
}

// The items that the loop's condition keeps.
Value Evaluator::filtered(const Statement& s, const Value& items) {
  ListBuilder kept(budget_);
  const Nested scope(*this);
  for (const Value& item : Items(items, budget_)) {
    assign(s.names, item);
    if (evaluate(*s.condition).truthy()) kept.add(item);
  }
  return std::move(kept).build();
}

Evaluator::Flow Evaluator::loop(const Statement& s, TextBuilder& out) {
  const Value walked = evaluate(*s.expression);
  const auto state =
      std::make_shared<Loop>(Items(s.condition ? filtered(s, walked) : walked, budget_));
  const std::size_t count = state->items.size();
  if (count == 0) return execute(s.otherwise, out);
  for (std::size_t i = 0; i < count; ++i) {
    budget_.set_line(s.line);
    budget_.steps();
    const Nested scope(*this);
    state->index = i;
    define("loop", state);
    assign(s.names, state->items.list()[i]);
    if (execute(s.body, out) == Flow::kBreak) break;
  }
  return Flow::kNext;
}

void Evaluator::define(const std::string& name, Value value) {
  Scope& scope = scopes_.back();
  budget_.scan(scope.size());
  const auto it = std::ranges::find(scope, name, &Scope::value_type::first);
  if (it != scope.end()) {
    it->second = std::move(value);
  } else {
    scope.emplace_back(name, std::move(value));
  }
}

void Evaluator::assign(const std::vector<std::string>& names, const Value& value) {
  if (names.size() == 1) {
    if (names[0].find('.') != std::string::npos) return set_field(names[0], value);
    return define(names[0], value);
  }
  const Items parts(value, budget_);
  if (parts.size() != names.size())
    throw Failure(fmt::format("expected {} values, found {}", names.size(), parts.size()));
  for (std::size_t i = 0; i < names.size(); ++i) define(names[i], parts.list()[i]);
}

// A namespace's field: the one thing that outlives the loop in which it is set.
void Evaluator::set_field(const std::string& path, const Value& value) {
  const std::size_t dot = path.find('.');
  const Value holder = name(path.substr(0, dot));
  Namespace* const space = holder.mutable_namespace();
  if (!space) {
    throw Failure(fmt::format("\"{}\": expected a namespace, found {}", path.substr(0, dot),
                              holder.type_name()));
  }
  set_entry(space->fields, Text(std::string_view(path).substr(dot + 1), true), value, budget_);
}

// Sees the outermost names and its arguments, not those of its caller.
Value Evaluator::call_macro(const Statement& s, const Arguments& given) {
  if (given.positional.size() > s.names.size()) {
    throw Failure(fmt::format("macro \"{}\": expected at most {} arguments, found {}", s.text,
                              s.names.size(), given.positional.size()));
  }
  for (const auto& [name, value] : given.named) {
    if (std::ranges::find(s.names, name) == s.names.end())
      throw Failure(fmt::format("macro \"{}\" has no argument \"{}\"", s.text, name));
  }
  const Call call(*this);
  for (std::size_t i = 0; i < s.names.size(); ++i) {
    const Value* argument = given.find(i, s.names[i]);
    define(s.names[i], argument ? *argument : s.defaults[i] ? evaluate(*s.defaults[i]) : Value());
  }
  TextBuilder out(budget_);
  execute(s.body, out);
  return std::move(out).build();
}

Value Evaluator::name(const std::string& name) const {
  for (std::size_t i = scopes_.size(); i-- > 0;) {
    if (i < base_ && i >= kOutermost) i = kOutermost - 1;
    budget_.scan(scopes_[i].size() + 8);
    const auto it = std::ranges::find(scopes_[i], name, &Scope::value_type::first);
    if (it != scopes_[i].end()) return it->second;
  }
  return Undefined{std::make_shared<const Text>(name, true)};
}

Value Evaluator::list(const Expression& e) {
  ListBuilder list(budget_);
  for (const ExpressionPtr& item : e.operands) list.add(evaluate(*item));
  return std::move(list).build();
}

Value Evaluator::map(const Expression& e) {
  MapBuilder map(budget_);
  for (std::size_t i = 0; i < e.operands.size(); i += 2) {
    const TextPtr key = to_text(evaluate(*e.operands[i]), budget_);
    map.set(*key, evaluate(*e.operands[i + 1]));
  }
  return std::move(map).build();
}

Value Evaluator::slice(const Expression& e) {
  const Value value = evaluate(*e.operands[0]);
  Value bounds[3];
  const Value* given[3] = {};
  for (std::size_t i = 0; i < 3; ++i) {
    if (!e.operands[i + 1]) continue;
    bounds[i] = evaluate(*e.operands[i + 1]);
    given[i] = &bounds[i];
  }
  return slice_of(value, given[0], given[1], given[2], budget_);
}

Arguments Evaluator::arguments(const CallArguments& given) {
  Arguments result;
  for (const ExpressionPtr& e : given.positional) result.positional.push_back(evaluate(*e));
  for (const auto& [name, e] : given.named) result.named.emplace_back(name, evaluate(*e));
  return result;
}

Value Evaluator::call(const Expression& e) {
  const Value callee = evaluate(*e.operands[0]);
  const auto* function = callee.get_if<Function>();
  if (!function) {
    const auto* missing = callee.get_if<Undefined>();
    throw Failure(missing && missing->name
                      ? fmt::format("\"{}\" is undefined", missing->name->bytes)
                      : fmt::format("{} cannot be called", callee.type_name()));
  }
  const Arguments given = arguments(e.arguments);
  if (function->macro) return call_macro(*function->macro, given);
  if (function->parameters != "*") given.check(function->parameters);
  return function->native(function->self, given, budget_);
}

Value Evaluator::filter(const Expression& e) {
  const Value value = evaluate(*e.operands[0]);
  return apply_filter(e.name, value, arguments(e.arguments), budget_);
}

Value Evaluator::test(const Expression& e) {
  const Value value = evaluate(*e.operands[0]);
  return apply_test(e.name, value, arguments(e.arguments), budget_);
}

Value Evaluator::unary(const Expression& e) {
  const Value value = evaluate(*e.operands[0]);
  if (e.name == "not") return !value.truthy();
  if (e.name == "-") return negated(value);
  return value.is_integer() ? Value(value.integer()) : Value(value.number());
}

// A chain of operators leans to the left as far as a tag is long, so it is walked, not recursed
// into.
Value Evaluator::binary(const Expression& e) {
  std::vector<const Expression*> chain;
  const Expression* first = &e;
  for (; first->kind == Expression::Kind::kBinary; first = first->operands[0].get())
    chain.push_back(first);
  Value value = evaluate(*first);
  for (; !chain.empty(); chain.pop_back()) {
    budget_.steps();
    value = combine(*chain.back(), value);
  }
  return value;
}

Value Evaluator::combine(const Expression& e, const Value& left) {
  const std::string_view op = e.name;
  if (op == "and") return left.truthy() ? evaluate(*e.operands[1]) : left;
  if (op == "or") return left.truthy() ? left : evaluate(*e.operands[1]);
  const Value right = evaluate(*e.operands[1]);
  if (op == "==") return equal(left, right, budget_);
  if (op == "!=") return !equal(left, right, budget_);
  if (op == "<") return less(left, right, budget_);
  if (op == "<=") return !less(right, left, budget_);
  if (op == ">") return less(right, left, budget_);
  if (op == ">=") return !less(left, right, budget_);
  if (op == "in") return contains(right, left, budget_);
  if (op != "~") return arithmetic(op, left, right, budget_);
  TextBuilder joined(budget_);
  joined.add(*to_text(left, budget_));
  joined.add(*to_text(right, budget_));
  return std::move(joined).build();
}

Value Evaluator::evaluate(const Expression& e) {
  const Budget::Level level(budget_);
  budget_.steps();
  const int outer = budget_.line();
  budget_.set_line(e.line);
  Value value = evaluate_node(e);
  budget_.set_line(outer);  // not where it throws: that line is the one to name
  return value;
}

Value Evaluator::evaluate_node(const Expression& e) {
  using Kind = Expression::Kind;
  switch (e.kind) {
    case Kind::kLiteral:
      return e.value;
    case Kind::kName:
      return name(e.name);
    case Kind::kList:
      return list(e);
    case Kind::kMap:
      return map(e);
    case Kind::kAttribute:
      return attribute_of(evaluate(*e.operands[0]), e.name, budget_);
    case Kind::kItem: {
      const Value value = evaluate(*e.operands[0]);
      return item_of(value, evaluate(*e.operands[1]), budget_);
    }
    case Kind::kSlice:
      return slice(e);
    case Kind::kCall:
      return call(e);
    case Kind::kFilter:
      return filter(e);
    case Kind::kTest:
      return test(e);
    case Kind::kUnary:
      return unary(e);
    case Kind::kBinary:
      return binary(e);
    case Kind::kChoice:
      if (evaluate(*e.operands[1]).truthy()) return evaluate(*e.operands[0]);
      return e.operands[2] ? evaluate(*e.operands[2]) : Value();
  }
  return {};
}

}  // namespace ocellus::text::jinja
