#include "text/jinja/evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "text/jinja/builtins.h"

namespace ocellus::text::jinja {
namespace {

// A prompt needs thousands of these, a runaway template millions.
constexpr int kMaxSteps = 500'000;
constexpr std::size_t kMaxScopes = 1'000;
constexpr int kMaxCalls = 64;
constexpr int kOutermost = 2;  // scopes: functions, then variables and what is set at the top
constexpr std::size_t kMaxBytes = std::size_t{16} << 20;

std::int64_t checked(bool overflow, std::int64_t value) {
  if (overflow) throw Failure("an integer is too large");
  return value;
}

Value arithmetic(std::string_view op, const Value& a, const Value& b) {
  const auto* i = a.get_if<std::int64_t>();
  const auto* j = b.get_if<std::int64_t>();
  if (i && j && op != "/" && op != "**") {
    std::int64_t result = 0;
    if (op == "+" || op == "-" || op == "*") {
      const bool overflow = op == "+"   ? __builtin_add_overflow(*i, *j, &result)
                            : op == "-" ? __builtin_sub_overflow(*i, *j, &result)
                                        : __builtin_mul_overflow(*i, *j, &result);
      return checked(overflow, result);
    }
    if (*j == 0) throw Failure("division by zero");
    if (*j == -1) return op == "//" ? checked(*i == INT64_MIN, -*i) : std::int64_t{0};
    const std::int64_t rest = *i % *j;
    const bool down = rest != 0 && (rest < 0) != (*j < 0);  // Python rounds towards minus infinity
    return op == "//" ? *i / *j - (down ? 1 : 0) : rest + (down ? *j : 0);
  }
  const double x = a.number(), y = b.number();
  if (op == "+") return x + y;
  if (op == "-") return x - y;
  if (op == "*") return x * y;
  if (op == "**") {
    const double power = std::pow(x, y);
    if (i && j && *j >= 0 && std::fabs(power) < 9e15) return static_cast<std::int64_t>(power);
    return power;
  }
  if (y == 0) throw Failure("division by zero");
  if (op == "/") return x / y;
  const double quotient = std::floor(x / y);
  return op == "//" ? quotient : x - quotient * y;
}

Value added(const Value& a, const Value& b) {
  const auto *s = a.get_if<Text>(), *t = b.get_if<Text>();
  if (s && t) {
    if (s->bytes.size() + t->bytes.size() > kMaxBytes) throw Failure("a text is too long");
    Text joined = *s;
    return joined += *t;
  }
  const auto *l = a.get_if<List>(), *m = b.get_if<List>();
  if (l && m) {
    List joined = *l;
    joined.insert(joined.end(), m->begin(), m->end());
    return joined;
  }
  if (!a.is_number() || !b.is_number())
    throw Failure(fmt::format("{} and {} cannot be added", a.type_name(), b.type_name()));
  return arithmetic("+", a, b);
}

Value repeated(const Text& text, std::int64_t times) {
  Text result;
  for (; times > 0 && !text.bytes.empty(); --times) {
    if (result.bytes.size() + text.bytes.size() > kMaxBytes) throw Failure("a text is too long");
    result += text;
  }
  return result;
}

}  // namespace

// A scope for as long as it lives.
class Evaluator::Nested {
 public:
  explicit Nested(Evaluator& evaluator) : evaluator_(evaluator) {
    if (evaluator.scopes_.size() > kMaxScopes)
      throw Failure("the template calls itself too deeply");
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
  explicit Call(Evaluator& evaluator) : evaluator_(evaluator) {
    if (evaluator.calls_ >= kMaxCalls) throw Failure("the template calls itself too deeply");
    ++evaluator.calls_;
    std::vector<Scope> visible(evaluator.scopes_.begin(), evaluator.scopes_.begin() + kOutermost);
    visible.emplace_back();
    hidden_ = std::exchange(evaluator.scopes_, std::move(visible));
  }
  ~Call() {
    --evaluator_.calls_;
    evaluator_.scopes_ = std::move(hidden_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 private:
  Evaluator& evaluator_;
  std::vector<Scope> hidden_;
};

Evaluator::Evaluator(const Map& variables) : scopes_(kOutermost) {
  scopes_[0] = global_functions();
  scopes_[1] = variables;
}

Text Evaluator::run(const Block& block) {
  Text out;
  execute(block, out);
  return out;
}

void Evaluator::count_step(int line) {
  if (++steps_ > kMaxSteps) throw Failure(fmt::format("line {}: the template does not end", line));
}

void Evaluator::append(Text& out, const Text& text) const {
  if (out.bytes.size() + text.bytes.size() > kMaxBytes) throw Failure("the prompt is too long");
  out += text;
}

Evaluator::Flow Evaluator::execute(const Block& block, Text& out) {
  for (const Statement& statement : block) {
    count_step(statement.line);
    const Flow flow = execute(statement, out);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::execute(const Statement& s, Text& out) {
  using Kind = Statement::Kind;
  switch (s.kind) {
    case Kind::kText:
      append(out, {s.text, true});
      return Flow::kNext;
    case Kind::kOutput:
      append(out, to_text(evaluate(*s.expression)));
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
      append(out, body_of(s));
      return Flow::kNext;
    case Kind::kMacro:
      define(s.text, macro(s));
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
Text Evaluator::body_of(const Statement& s) {
  Text text;
  const Nested scope(*this);
  execute(s.body, text);
  if (!s.expression) return text;
  define(std::string(kBodyName), text);
  return to_text(evaluate(*s.expression));
}

Evaluator::Flow Evaluator::loop(const Statement& s, Text& out) {
  List items = items_of(evaluate(*s.expression));
  if (s.condition) {
    const Nested scope(*this);
    std::erase_if(items, [&](const Value& item) {
      assign(s.names, item);
      return !evaluate(*s.condition).truthy();
    });
  }
  if (items.empty()) return execute(s.otherwise, out);
  const auto count = static_cast<std::int64_t>(items.size());
  for (std::int64_t i = 0; i < count; ++i) {
    count_step(s.line);
    const Nested scope(*this);
    const auto at = static_cast<std::size_t>(i);
    define("loop", Map{{"index", i + 1},
                       {"index0", i},
                       {"revindex", count - i},
                       {"revindex0", count - i - 1},
                       {"first", i == 0},
                       {"last", i + 1 == count},
                       {"length", count},
                       {"previtem", i > 0 ? items[at - 1] : Value(Undefined{"previtem"})},
                       {"nextitem", i + 1 < count ? items[at + 1] : Value(Undefined{"nextitem"})},
                       {"cycle", Function([i](const Arguments& a) {
                          const auto n = static_cast<std::int64_t>(a.positional.size());
                          return n == 0 ? Value() : a.positional[static_cast<std::size_t>(i % n)];
                        })}});
    assign(s.names, items[at]);
    if (execute(s.body, out) == Flow::kBreak) break;
  }
  return Flow::kNext;
}

void Evaluator::define(const std::string& name, Value value) {
  Scope& scope = scopes_.back();
  const auto it = std::ranges::find(scope, name, &Map::value_type::first);
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
  const List parts = items_of(value);
  if (parts.size() != names.size())
    throw Failure(fmt::format("expected {} values, found {}", names.size(), parts.size()));
  for (std::size_t i = 0; i < names.size(); ++i) define(names[i], parts[i]);
}

// A namespace's field: the one thing that outlives the loop in which it is set.
void Evaluator::set_field(const std::string& path, const Value& value) {
  const std::size_t dot = path.find('.');
  const Value space = name(path.substr(0, dot));
  const std::shared_ptr<Map>* map = space.shared_map();
  if (!map) throw Failure(fmt::format("{} is no namespace", path.substr(0, dot)));
  const std::string field = path.substr(dot + 1);
  const auto it = std::ranges::find(**map, field, &Map::value_type::first);
  if (it != (*map)->end()) {
    it->second = value;
  } else {
    (*map)->emplace_back(field, value);
  }
}

// Sees the outermost names and its arguments, not those of its caller.
Value Evaluator::macro(const Statement& s) {
  return Function([this, &s](const Arguments& given) {
    const Call call(*this);
    for (std::size_t i = 0; i < s.names.size(); ++i) {
      const Value* argument = given.find(i, s.names[i]);
      define(s.names[i], argument        ? *argument
                         : s.defaults[i] ? evaluate(*s.defaults[i])
                                         : Value(Undefined{s.names[i]}));
    }
    Text out;
    execute(s.body, out);
    return Value(std::move(out));
  });
}

Value Evaluator::name(const std::string& name) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (const Value* found = find(*scope, name)) return *found;
  }
  return Undefined{name};
}

// Jinja: a.b is the method or attribute b, else the item "b".
Value Evaluator::attribute(const Value& value, const std::string& name) const {
  if (Value method = method_of(value, name); !method.is<Undefined>()) return method;
  return item_of(value, Value(Text(name, true)));
}

// a["b"] is the item, else the attribute.
Value Evaluator::item(const Value& value, const Value& index) const {
  Value found = item_of(value, index);
  const auto* name = index.get_if<Text>();
  return found.is<Undefined>() && name ? method_of(value, name->bytes) : found;
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
  return slice_of(value, given[0], given[1], given[2]);
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
    throw Failure(missing ? fmt::format("\"{}\" is undefined", missing->name)
                          : fmt::format("{} cannot be called", callee.type_name()));
  }
  return (*function)(arguments(e.arguments));
}

Value Evaluator::unary(const Expression& e) {
  const Value value = evaluate(*e.operands[0]);
  if (e.name == "not") return !value.truthy();
  if (const auto* i = value.get_if<std::int64_t>())
    return e.name == "-" ? checked(*i == INT64_MIN, -*i) : *i;
  return e.name == "-" ? -value.number() : value.number();
}

Value Evaluator::binary(const Expression& e) {
  const Value left = evaluate(*e.operands[0]);
  if (e.name == "and") return left.truthy() ? evaluate(*e.operands[1]) : left;
  if (e.name == "or") return left.truthy() ? left : evaluate(*e.operands[1]);
  const Value right = evaluate(*e.operands[1]);
  if (e.name == "==") return equal(left, right);
  if (e.name == "!=") return !equal(left, right);
  if (e.name == "<") return less(left, right);
  if (e.name == "<=") return !less(right, left);
  if (e.name == ">") return less(right, left);
  if (e.name == ">=") return !less(left, right);
  if (e.name == "in") return contains(right, left);
  if (e.name == "~") {
    Text joined = to_text(left);
    append(joined, to_text(right));
    return joined;
  }
  if (e.name == "+") return added(left, right);
  if (e.name == "*") {
    const auto *s = left.get_if<Text>(), *t = right.get_if<Text>();
    const auto *i = left.get_if<std::int64_t>(), *j = right.get_if<std::int64_t>();
    if (s && j) return repeated(*s, *j);
    if (t && i) return repeated(*t, *i);
  }
  return arithmetic(e.name, left, right);
}

Value Evaluator::evaluate(const Expression& e) {
  using Kind = Expression::Kind;
  count_step(e.line);
  switch (e.kind) {
    case Kind::kLiteral:
      return e.value;
    case Kind::kName:
      return name(e.name);
    case Kind::kList: {
      List list;
      for (const ExpressionPtr& item : e.operands) list.push_back(evaluate(*item));
      return list;
    }
    case Kind::kMap: {
      Map map;
      for (std::size_t i = 0; i < e.operands.size(); i += 2)
        map.emplace_back(to_text(evaluate(*e.operands[i])).bytes, evaluate(*e.operands[i + 1]));
      return map;
    }
    case Kind::kAttribute:
      return attribute(evaluate(*e.operands[0]), e.name);
    case Kind::kItem: {
      const Value value = evaluate(*e.operands[0]);
      return item(value, evaluate(*e.operands[1]));
    }
    case Kind::kSlice:
      return slice(e);
    case Kind::kCall:
      return call(e);
    case Kind::kFilter: {
      const Value value = evaluate(*e.operands[0]);
      return apply_filter(e.name, value, arguments(e.arguments));
    }
    case Kind::kTest: {
      const Value value = evaluate(*e.operands[0]);
      return apply_test(e.name, value, arguments(e.arguments));
    }
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
