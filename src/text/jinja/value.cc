#include "text/jinja/value.h"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>

namespace ocellus::text::jinja {
namespace {

int depth_of(const List& list) {
  int depth = 0;
  for (const Value& value : list) depth = std::max(depth, value.depth());
  return depth + 1;
}

int depth_of(const Map& map) {
  int depth = 0;
  for (const auto& [key, value] : map) depth = std::max(depth, value.depth());
  return depth + 1;
}

void check_held(const Value& value) {
  if (!value.can_be_held()) {
    throw Failure(
        fmt::format("{} cannot be put into a list, a mapping or a namespace", value.type_name()));
  }
}

}  // namespace

Text Text::substr(std::size_t begin, std::size_t length) const {
  Text part;
  part.bytes = bytes.substr(begin, length);
  part.trusted = trusted.substr(begin, length);
  return part;
}

Value::Value(List l) {
  const int depth = depth_of(l);
  data_ = std::make_shared<const Node<List>>(std::move(l), depth);
}

Value::Value(Map m) {
  const int depth = depth_of(m);
  data_ = std::make_shared<const Node<Map>>(std::move(m), depth);
}

Value::Value(Function f) : data_(std::make_shared<const Function>(std::move(f))) {}

TextPtr Value::text_ptr() const {
  const auto* held = std::get_if<TextPtr>(&data_);
  return held ? *held : nullptr;
}

Namespace* Value::mutable_namespace() const {
  const auto* held = std::get_if<std::shared_ptr<Namespace>>(&data_);
  return held ? held->get() : nullptr;
}

bool Value::truthy() const {
  if (const auto* b = get_if<bool>()) return *b;
  if (const auto* i = get_if<std::int64_t>()) return *i != 0;
  if (const auto* d = get_if<double>()) return *d != 0;
  if (const auto* text = get_if<Text>()) return !text->bytes.empty();
  if (const auto* list = get_if<List>()) return !list->empty();
  if (const auto* map = get_if<Map>()) return !map->empty();
  return is<Function>() || is<Namespace>() || is<Loop>();
}

std::int64_t Value::integer() const {
  if (const auto* b = get_if<bool>()) return *b ? 1 : 0;
  const auto* i = get_if<std::int64_t>();
  return i ? *i : 0;
}

double Value::number() const {
  if (const auto* d = get_if<double>()) return *d;
  if (is_integer()) return static_cast<double>(integer());
  throw Failure(fmt::format("expected a number, found {}", type_name()));
}

std::string_view Value::type_name() const {
  constexpr std::string_view kNames[] = {"undefined",  "none",        "a boolean", "an integer",
                                         "a float",    "a string",    "a list",    "a mapping",
                                         "a function", "a namespace", "a loop"};
  return kNames[data_.index()];
}

int Value::depth() const {
  if (const auto* list = std::get_if<std::shared_ptr<const Node<List>>>(&data_))
    return (*list)->depth;
  if (const auto* map = std::get_if<std::shared_ptr<const Node<Map>>>(&data_)) return (*map)->depth;
  if (const auto* function = get_if<Function>()) return function->self.depth() + 1;
  return 0;
}

const Value* Arguments::find(std::size_t index, std::string_view name) const {
  if (index < positional.size()) return &positional[index];
  return find(name);
}

const Value* Arguments::find(std::string_view name) const {
  const auto it =
      std::ranges::find(named, name, [](const auto& a) -> const std::string& { return a.first; });
  return it == named.end() ? nullptr : &it->second;
}

void Arguments::check(std::string_view parameters) const {
  std::size_t count = 0, known = 0;
  while (!parameters.empty()) {
    const std::string_view name = parameters.substr(0, parameters.find(' '));
    parameters.remove_prefix(std::min(name.size() + 1, parameters.size()));
    ++count;
    for (const auto& [given, value] : named) known += given == name;
  }
  if (positional.size() > count)
    throw Failure(fmt::format("expected at most {} arguments, found {}", count, positional.size()));
  if (known != named.size()) throw Failure("an argument with a name that is not known");
}

void ListBuilder::add(Value value) {
  budget_.items();
  check_held(value);
  items_.push_back(std::move(value));
}

Value ListBuilder::build() && {
  Value list(std::move(items_));
  budget_.value_depth(list.depth());
  return list;
}

void set_entry(Map& map, const Text& key, Value value, Budget& budget) {
  check_held(value);
  budget.value_depth(value.depth() + 1);
  budget.scan(map.size());
  const auto it =
      std::ranges::find_if(map, [&](const auto& entry) { return entry.first.bytes == key.bytes; });
  if (it != map.end()) {
    it->second = std::move(value);
    return;
  }
  budget.items();
  budget.bytes(key.bytes.size());
  map.emplace_back(key, std::move(value));
}

void TextBuilder::add(const Text& text, std::size_t begin, std::size_t length) {
  budget_.bytes(length, text_.bytes.size());
  text_.bytes.append(text.bytes, begin, length);
  text_.trusted.append(text.trusted, begin, length);
}

void TextBuilder::add(std::string_view bytes, bool trusted) {
  budget_.bytes(bytes.size(), text_.bytes.size());
  text_.bytes += bytes;
  text_.trusted.append(bytes.size(), trusted ? '\1' : '\0');
}

bool equal(const Value& a, const Value& b, Budget& budget) {
  budget.steps();
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return a.integer() == b.integer();
    return a.number() == b.number();
  }
  if (const auto* s = a.get_if<Text>(), *t = b.get_if<Text>(); s && t) {
    budget.scan(std::min(s->bytes.size(), t->bytes.size()));
    return s->bytes == t->bytes;
  }
  const auto same = [&](const Value& x, const Value& y) { return equal(x, y, budget); };
  if (const auto* l = a.get_if<List>(), *m = b.get_if<List>(); l && m)
    return std::ranges::equal(*l, *m, same);
  if (const auto* l = a.get_if<Map>(), *m = b.get_if<Map>(); l && m) {
    return l->size() == m->size() && std::ranges::all_of(*l, [&](const auto& entry) {
             const Value* other = find(*m, entry.first.bytes, budget);
             return other && same(entry.second, *other);
           });
  }
  return (a.is<None>() && b.is<None>()) || (a.is<Undefined>() && b.is<Undefined>());
}

bool less(const Value& a, const Value& b, Budget& budget) {
  budget.steps();
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return a.integer() < b.integer();
    return a.number() < b.number();
  }
  if (const auto* s = a.get_if<Text>(), *t = b.get_if<Text>(); s && t) {
    budget.scan(std::min(s->bytes.size(), t->bytes.size()));
    return s->bytes < t->bytes;
  }
  if (const auto* l = a.get_if<List>(), *m = b.get_if<List>(); l && m) {
    for (std::size_t i = 0; i < std::min(l->size(), m->size()); ++i) {
      if (!equal((*l)[i], (*m)[i], budget)) return less((*l)[i], (*m)[i], budget);
    }
    return l->size() < m->size();
  }
  throw Failure(fmt::format("{} and {} have no order", a.type_name(), b.type_name()));
}

bool contains(const Value& haystack, const Value& needle, Budget& budget) {
  if (const auto* list = haystack.get_if<List>()) {
    return std::ranges::any_of(*list, [&](const Value& v) { return equal(v, needle, budget); });
  }
  const auto* text = needle.get_if<Text>();
  if (const auto* map = haystack.get_if<Map>())
    return text && find(*map, text->bytes, budget) != nullptr;
  if (const auto* in = haystack.get_if<Text>(); in && text)
    return find_text(in->bytes, text->bytes, 0, budget) != std::string::npos;
  if (haystack.is<Undefined>()) return false;
  throw Failure(fmt::format("\"in\": expected a string, a list or a mapping, found {} in {}",
                            needle.type_name(), haystack.type_name()));
}

const Value* find(const Map& map, std::string_view name, Budget& budget) {
  budget.scan(map.size());
  const auto it =
      std::ranges::find_if(map, [&](const auto& entry) { return entry.first.bytes == name; });
  if (it == map.end()) return nullptr;
  budget.scan(name.size());
  return &it->second;
}

// std::string::find takes the product of the two lengths at worst; memmem takes their sum.
std::size_t find_text(std::string_view text, std::string_view part, std::size_t from,
                      Budget& budget) {
  if (from > text.size()) return std::string::npos;
  const void* found = ::memmem(text.data() + from, text.size() - from, part.data(), part.size());
  const std::size_t at =
      found ? static_cast<std::size_t>(static_cast<const char*>(found) - text.data())
            : std::string::npos;
  budget.scan((found ? at : text.size()) - from + part.size());
  return at;
}

Items::Items(const Value& value, Budget& budget) {
  if (value.is<List>()) {
    shared_ = value;
  } else if (const auto* map = value.get_if<Map>()) {
    for (const auto& [key, held] : *map) {
      budget.items();
      budget.bytes(key.bytes.size());
      own_.emplace_back(key);
    }
  } else if (const auto* text = value.get_if<Text>()) {
    for (std::size_t i = 0; i < text->bytes.size();) {
      const std::size_t length = character_length(text->bytes, i);
      budget.items();
      budget.bytes(length);
      own_.emplace_back(text->substr(i, length));
      i += length;
    }
  } else if (!value.is<Undefined>()) {
    throw Failure(fmt::format("expected a list, found {}", value.type_name()));
  }
}

List Items::copy(Budget& budget) const {
  budget.items(list().size());
  return list();
}

std::size_t character_length(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  return end - at;
}

std::int64_t count_characters(std::string_view text, Budget& budget) {
  budget.scan(text.size());
  std::int64_t count = 0;
  for (std::size_t i = 0; i < text.size(); i += character_length(text, i)) ++count;
  return count;
}

}  // namespace ocellus::text::jinja
