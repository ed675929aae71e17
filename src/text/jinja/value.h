// Values of a chat template's language, with Python's rules for them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace ocellus::text::jinja {

// What is wrong with a template, or what it asked to be refused. Thrown inside this folder only.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A text that knows who wrote each of its bytes ('\1' in `trusted`: the template, '\0': a user).
struct Text {
  std::string bytes;
  std::string trusted;

  Text() = default;
  Text(std::string_view text, bool by_template)
      : bytes(text), trusted(text.size(), by_template ? '\1' : '\0') {}
  Text substr(std::size_t begin, std::size_t length = std::string::npos) const;
  Text& operator+=(const Text& other);
  bool all_trusted() const { return trusted.find('\0') == std::string::npos; }
};

class Value;
using List = std::vector<Value>;
using Map = std::vector<std::pair<std::string, Value>>;  // in the order of insertion

// What a call gets: by position and by name.
struct Arguments {
  std::vector<Value> positional;
  Map named;
  // The argument at `index` or called `name`; null when it is absent.
  const Value* find(std::size_t index, std::string_view name) const;
};
using Function = std::function<Value(const Arguments&)>;

struct Undefined {
  std::string name;  // what was looked for
  bool operator==(const Undefined&) const { return true; }
};
struct None {
  bool operator==(const None&) const { return true; }
};

// Cheap to copy: lists, maps and functions are shared.
class Value {
 public:
  using Data = std::variant<Undefined, None, bool, std::int64_t, double, std::shared_ptr<Text>,
                            std::shared_ptr<List>, std::shared_ptr<Map>, std::shared_ptr<Function>>;

  Value() : data_(Undefined{}) {}
  Value(Undefined u) : data_(std::move(u)) {}
  Value(None n) : data_(n) {}
  Value(bool b) : data_(b) {}
  Value(std::int64_t i) : data_(i) {}
  Value(double d) : data_(d) {}
  Value(Text t) : data_(std::make_shared<Text>(std::move(t))) {}
  Value(List l) : data_(std::make_shared<List>(std::move(l))) {}
  Value(Map m) : data_(std::make_shared<Map>(std::move(m))) {}
  Value(Function f) : data_(std::make_shared<Function>(std::move(f))) {}
  Value(const char*) = delete;  // would be a bool: say who wrote it

  template <typename T>
  const T* get_if() const {
    if constexpr (std::is_same_v<T, Text> || std::is_same_v<T, List> || std::is_same_v<T, Map> ||
                  std::is_same_v<T, Function>) {
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
  // The shared map itself: namespaces are changed in place.
  const std::shared_ptr<Map>* shared_map() const {
    return std::get_if<std::shared_ptr<Map>>(&data_);
  }

  bool truthy() const;
  bool is_number() const { return is<bool>() || is<std::int64_t>() || is<double>(); }
  double number() const;
  // The type as messages name it.
  std::string_view type_name() const;

 private:
  Data data_;
};

// Python's ==, < (Failure where the types have no order) and `needle in haystack`.
bool equal(const Value& a, const Value& b);
bool less(const Value& a, const Value& b);
bool contains(const Value& haystack, const Value& needle);

// Python's str() and json.dumps(ensure_ascii=False). A text that any user wrote a part of is a
// user's altogether, but for str() of a text, which is that text.
Text to_text(const Value& value);
Text to_json(const Value& value, int indent);

// `value.name` and `value["name"]` where the value is a map; null when there is none.
const Value* find(const Map& map, std::string_view name);

// The values that a loop walks: items of a list, keys of a map, characters of a text; none of
// undefined.
List items_of(const Value& value);

// The characters (code points) of a text.
std::vector<Text> characters(const Text& text);

}  // namespace ocellus::text::jinja
