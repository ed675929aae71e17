// Values of a chat template's language, with Python's rules for them.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "text/jinja/budget.h"

namespace ocellus::text::jinja {

// A string that knows who wrote each of its bytes ('\1' in `trusted`: the template, '\0': a user).
struct Text {
  std::string bytes;
  std::string trusted;

  Text() = default;
  Text(std::string_view text, bool by_template)
      : bytes(text), trusted(text.size(), by_template ? '\1' : '\0') {}
  // A literal of this program is trusted.
  template <std::size_t N>
  Text(const char (&literal)[N]) : Text(std::string_view(literal, N - 1), true) {}
  Text substr(std::size_t begin, std::size_t length = std::string::npos) const;
  bool all_trusted() const { return trusted.find('\0') == std::string::npos; }
};
using TextPtr = std::shared_ptr<const Text>;

class Value;
using List = std::vector<Value>;
using Map = std::vector<std::pair<Text, Value>>;  // in the order of insertion, keys unique

struct Undefined {
  TextPtr name;  // what was looked for; may be null
};
struct None {};

struct Statement;
struct Arguments;
struct Function;

// What {% set ns.x = y %} changes: the one value that does. It cannot be put into a list, a mapping
// or a namespace, so there are no cycles.
struct Namespace {
  Map fields;
};

struct Loop;

// Cheap to copy: everything but numbers is shared, and nothing but namespaces and loops changes.
// Lists and mappings know how deep they are, and the evaluator makes none that is deeper than
// Limits::value_depth; so destroying a value takes little stack.
class Value {
 public:
  Value() : data_(Undefined{}) {}
  Value(Undefined u) : data_(std::move(u)) {}
  Value(None n) : data_(n) {}
  template <std::same_as<bool> Bool>  // no pointer becomes a bool
  Value(Bool b) : data_(b) {}
  Value(std::int64_t i) : data_(i) {}
  Value(double d) : data_(d) {}
  Value(Text t) : data_(std::make_shared<const Text>(std::move(t))) {}
  Value(TextPtr t) : data_(std::move(t)) {}
  // For values that this program gives; the evaluator makes its own with ListBuilder and
  // MapBuilder, which charge the budget.
  Value(List l);
  Value(Map m);
  Value(Function f);
  Value(std::shared_ptr<Namespace> n) : data_(std::move(n)) {}
  Value(std::shared_ptr<Loop> l) : data_(std::move(l)) {}

  // Null where the value is of another type.
  template <typename T>
  const T* get_if() const {
    if constexpr (std::is_same_v<T, List> || std::is_same_v<T, Map>) {
      const auto* node = std::get_if<std::shared_ptr<const Node<T>>>(&data_);
      return node ? &(*node)->held : nullptr;
    } else if constexpr (std::is_same_v<T, Text> || std::is_same_v<T, Function>) {
      const auto* held = std::get_if<std::shared_ptr<const T>>(&data_);
      return held ? held->get() : nullptr;
    } else if constexpr (std::is_same_v<T, Namespace> || std::is_same_v<T, Loop>) {
      const auto* held = std::get_if<std::shared_ptr<T>>(&data_);
      return held ? held->get() : nullptr;
    } else {
      return std::get_if<T>(&data_);
    }
  }
  template <typename T>
  bool is() const {
    return get_if<T>() != nullptr;
  }
  TextPtr text_ptr() const;              // null where it is no string
  Namespace* mutable_namespace() const;  // null where it is none

  bool truthy() const;
  bool is_number() const { return is<bool>() || is<std::int64_t>() || is<double>(); }
  bool is_integer() const { return is<bool>() || is<std::int64_t>(); }
  // Requires is_integer(): True is 1.
  std::int64_t integer() const;
  // Failure where the value is no number.
  double number() const;
  // The type as messages name it.
  std::string_view type_name() const;
  // Lists and mappings inside one another: 0 for what is neither.
  int depth() const;
  // Whether it may stand in a list, mapping or namespace.
  bool can_be_held() const { return !is<Namespace>() && !is<Loop>(); }

 private:
  template <typename T>
  struct Node {
    T held;
    int depth;
  };
  std::variant<Undefined, None, bool, std::int64_t, double, TextPtr,
               std::shared_ptr<const Node<List>>, std::shared_ptr<const Node<Map>>,
               std::shared_ptr<const Function>, std::shared_ptr<Namespace>, std::shared_ptr<Loop>>
      data_;
};

// What a call gets: by position and by name.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
  // The argument at `index` or called `name`; null when it is absent.
  const Value* find(std::size_t index, std::string_view name) const;
  const Value* find(std::string_view name) const;
  // Failure unless all of them are among `parameters` (names with spaces between them).
  void check(std::string_view parameters) const;
};

// The values that a loop walks: items of a list, keys of a mapping, characters of a string; none of
// undefined. A list is shared, not copied. Failure for other types.
class Items {
 public:
  Items(const Value& value, Budget& budget);
  const List& list() const { return shared_.is<List>() ? *shared_.get_if<List>() : own_; }
  auto begin() const { return list().begin(); }
  auto end() const { return list().end(); }
  std::size_t size() const { return list().size(); }
  // For what changes them.
  List copy(Budget& budget) const;

 private:
  Value shared_;
  List own_;
};

// `loop` inside a {% for %}. Not to be put anywhere either.
struct Loop {
  Items items;
  std::size_t index = 0;
};

// Built in, or a macro.
using Native = Value (*)(const Value& self, const Arguments&, Budget&);
struct Function {
  Native native = nullptr;
  std::string_view parameters;  // of `native`, as Arguments::check takes them; static storage
  Value self;                   // whose method it is
  const Statement* macro = nullptr;
};

// Adds the entry or replaces it. Failure for what cannot be held.
void set_entry(Map& map, const Text& key, Value value, Budget& budget);

// Collects a list or a mapping at the budget's cost. Failure for what cannot be held.
class ListBuilder {
 public:
  explicit ListBuilder(Budget& budget) : budget_(budget) {}
  void add(Value value);
  Value build() &&;

 private:
  Budget& budget_;
  List items_;
};

class MapBuilder {
 public:
  explicit MapBuilder(Budget& budget) : budget_(budget) {}
  void set(const Text& key, Value value) { set_entry(map_, key, std::move(value), budget_); }
  Value build() && { return Value(std::move(map_)); }
  Map take() && { return std::move(map_); }

 private:
  Budget& budget_;
  Map map_;
};

// Collects a string at the budget's cost.
class TextBuilder {
 public:
  explicit TextBuilder(Budget& budget) : budget_(budget) {}
  void add(const Text& text) { add(text, 0, text.bytes.size()); }
  void add(const Text& text, std::size_t begin, std::size_t length);
  void add(std::string_view bytes, bool trusted);
  std::size_t size() const { return text_.bytes.size(); }
  Text build() && { return std::move(text_); }

 private:
  Budget& budget_;
  Text text_;
};

// Python's ==, < (Failure where the types have no order) and `needle in haystack`.
bool equal(const Value& a, const Value& b, Budget& budget);
bool less(const Value& a, const Value& b, Budget& budget);
bool contains(const Value& haystack, const Value& needle, Budget& budget);

// Null when there is none of that name.
const Value* find(const Map& map, std::string_view name, Budget& budget);

// The first `part` in `text` at or after `from`, npos where there is none. Linear time whatever the
// two are.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from,
                      Budget& budget);

// Bytes of the character (code point) that begins at `at`.
std::size_t character_length(std::string_view text, std::size_t at);
std::int64_t count_characters(std::string_view text, Budget& budget);

}  // namespace ocellus::text::jinja
