// Items, slices, attributes and methods of values.
#include <fmt/format.h>

#include <algorithm>

#include "text/jinja/builtins.h"
#include "text/jinja/text_form.h"
#include "text/jinja/text_methods.h"

namespace ocellus::text::jinja {
namespace {

Value undefined(std::string_view name) {
  return Undefined{std::make_shared<const Text>(name, true)};
}

Value keys_method(const Value& self, const Arguments&, Budget& budget) {
  return Items(self, budget).copy(budget);
}

Value values_method(const Value& self, const Arguments&, Budget& budget) {
  ListBuilder values(budget);
  for (const auto& [key, value] : *self.get_if<Map>()) values.add(value);
  return std::move(values).build();
}

Value items_method(const Value& self, const Arguments&, Budget& budget) {
  return pairs_of(self, budget);
}

Value get_method(const Value& self, const Arguments& arguments, Budget& budget) {
  const Value *key = arguments.find(0, "key"), *otherwise = arguments.find(1, "default");
  const auto* name = key ? key->get_if<Text>() : nullptr;
  const Value* found = name ? find(*self.get_if<Map>(), name->bytes, budget) : nullptr;
  return found ? *found : otherwise ? *otherwise : Value(None{});
}

// loop.cycle(a, b, ...): `self` is the loop's index.
Value cycle_method(const Value& self, const Arguments& arguments, Budget&) {
  const std::vector<Value>& values = arguments.positional;
  if (values.empty()) throw Failure("loop.cycle: expected values, found none");
  return values[static_cast<std::size_t>(self.integer()) % values.size()];
}

Value map_method(const Value& map, std::string_view name) {
  if (name == "items") return Function{.native = items_method, .parameters = "", .self = map};
  if (name == "keys") return Function{.native = keys_method, .parameters = "", .self = map};
  if (name == "values") return Function{.native = values_method, .parameters = "", .self = map};
  if (name == "get")
    return Function{.native = get_method, .parameters = "key default", .self = map};
  return {};
}

Value loop_attribute(const Loop& loop, std::string_view name) {
  const List& items = loop.items.list();
  const auto index = static_cast<std::int64_t>(loop.index),
             count = static_cast<std::int64_t>(items.size());
  if (name == "index") return index + 1;
  if (name == "index0") return index;
  if (name == "revindex") return count - index;
  if (name == "revindex0") return count - index - 1;
  if (name == "first") return index == 0;
  if (name == "last") return index + 1 == count;
  if (name == "length") return count;
  if (name == "depth") return std::int64_t{1};
  if (name == "depth0") return std::int64_t{0};
  if (name == "previtem" && index > 0) return items[loop.index - 1];
  if (name == "nextitem" && index + 1 < count) return items[loop.index + 1];
  if (name == "cycle") return Function{.native = cycle_method, .parameters = "*", .self = index};
  return {};
}

// A method, or an attribute of what is neither list nor mapping; undefined where there is none.
Value member_of(const Value& value, std::string_view name, Budget& budget) {
  budget.steps();
  if (value.is<Text>()) return text_method(value, name);
  if (value.is<Map>()) return map_method(value, name);
  if (const auto* loop = value.get_if<Loop>()) return loop_attribute(*loop, name);
  if (const auto* space = value.get_if<Namespace>()) {
    const Value* field = find(space->fields, name, budget);
    return field ? *field : Value();
  }
  return {};
}

[[noreturn]] void is_undefined(const Undefined& value) {
  throw Failure(fmt::format("\"{}\" is undefined", value.name ? value.name->bytes : "value"));
}

Value entry_of(const Value& value, std::string_view key, Budget& budget) {
  const auto* map = value.get_if<Map>();
  const Value* found = map ? find(*map, key, budget) : nullptr;
  return found ? *found : Value();
}

Value item_at(const Value& value, std::int64_t at, Budget& budget) {
  if (const auto* list = value.get_if<List>()) {
    const auto size = static_cast<std::int64_t>(list->size());
    const std::int64_t index = at < 0 ? at + size : at;
    return index < 0 || index >= size ? Value() : (*list)[static_cast<std::size_t>(index)];
  }
  if (!value.is<Text>() || at == INT64_MAX) return {};
  const Value from(at), to(at + 1);
  const Value one = slice_of(value, &from, at == -1 ? nullptr : &to, nullptr, budget);
  return one.truthy() ? one : Value();
}

// Where a slice begins or ends, as Python cuts: negative counts from the end, what is beyond is
// cut.
std::int64_t bound(const Value* value, std::int64_t size, std::int64_t otherwise, bool backwards) {
  if (!value || value->is<None>()) return otherwise;
  if (!value->is_integer())
    throw Failure(fmt::format("slice: expected an integer, found {}", value->type_name()));
  const std::int64_t given = value->integer(), at = given < 0 ? given + size : given;
  return std::clamp<std::int64_t>(at, backwards ? -1 : 0, backwards ? size - 1 : size);
}

struct Range {
  std::int64_t begin, stride, count;
};

Range range_of(const Value* from, const Value* to, const Value* step, std::int64_t size) {
  std::int64_t by = 1;
  if (step && !step->is<None>()) {
    if (!step->is_integer())
      throw Failure(fmt::format("slice: expected an integer, found {}", step->type_name()));
    by = step->integer();
  }
  if (by == 0) throw Failure("slice: expected a step other than 0");
  // Longer steps take one item too.
  by = std::clamp<std::int64_t>(by, -size - 1, size + 1);
  const bool back = by < 0;
  const std::int64_t begin = bound(from, size, back ? size - 1 : 0, back),
                     end = bound(to, size, back ? -1 : size, back);
  const std::int64_t span = back ? begin - end : end - begin;
  const std::int64_t length = back ? -by : by;
  return {begin, by, span > 0 ? (span + length - 1) / length : 0};
}

Value slice_text(const Text& text, const Range& range, Budget& budget) {
  const std::string_view bytes = text.bytes;
  if (range.count == 0) return Text();
  budget.scan(bytes.size());
  std::size_t at = 0;
  for (std::int64_t i = 0; i < range.begin; ++i) at += character_length(bytes, at);
  TextBuilder result(budget);
  if (range.stride == 1) {
    std::size_t end = at;
    for (std::int64_t i = 0; i < range.count; ++i) end += character_length(bytes, end);
    result.add(text, at, end - at);
    return std::move(result).build();
  }
  budget.steps(static_cast<std::int64_t>(bytes.size()) / 8);
  for (std::int64_t i = 0; i < range.count; ++i) {
    result.add(text, at, character_length(bytes, at));
    if (i + 1 == range.count) break;
    for (std::int64_t n = 0; n < range.stride; ++n) at += character_length(bytes, at);
    for (std::int64_t n = 0; n > range.stride; --n) {
      do {
        --at;
      } while (at > 0 && (static_cast<unsigned char>(bytes[at]) & 0xC0) == 0x80);
    }
  }
  return std::move(result).build();
}

}  // namespace

Value attribute_of(const Value& value, std::string_view name, Budget& budget) {
  if (const auto* missing = value.get_if<Undefined>()) is_undefined(*missing);
  Value found = member_of(value, name, budget);
  if (found.is<Undefined>()) found = entry_of(value, name, budget);
  return found.is<Undefined>() ? undefined(name) : found;
}

Value item_of(const Value& value, const Value& index, Budget& budget) {
  budget.steps();
  if (const auto* missing = value.get_if<Undefined>()) is_undefined(*missing);
  Value found;
  if (const auto* name = index.get_if<Text>()) {
    found = entry_of(value, name->bytes, budget);
    if (found.is<Undefined>()) found = member_of(value, name->bytes, budget);
  } else if (index.is_integer()) {
    found = item_at(value, index.integer(), budget);
  }
  if (!found.is<Undefined>()) return found;
  TextPtr name = index.text_ptr();
  return Undefined{name ? std::move(name) : std::make_shared<const Text>("item")};
}

Value slice_of(const Value& value, const Value* from, const Value* to, const Value* step,
               Budget& budget) {
  budget.steps();
  if (const auto* text = value.get_if<Text>()) {
    const Range range = range_of(from, to, step, count_characters(text->bytes, budget));
    return slice_text(*text, range, budget);
  }
  const auto* list = value.get_if<List>();
  if (!list) {
    throw Failure(fmt::format("slice: expected a list or a string, found {}", value.type_name()));
  }
  const Range range = range_of(from, to, step, static_cast<std::int64_t>(list->size()));
  ListBuilder kept(budget);
  for (std::int64_t i = 0, at = range.begin; i < range.count; ++i, at += range.stride)
    kept.add((*list)[static_cast<std::size_t>(at)]);
  return std::move(kept).build();
}

Value pairs_of(const Value& value, Budget& budget) {
  ListBuilder pairs(budget);
  if (value.is<Undefined>()) return std::move(pairs).build();
  const auto* map = value.get_if<Map>();
  if (!map) throw Failure(fmt::format("expected a mapping, found {}", value.type_name()));
  for (const auto& [key, held] : *map) {
    ListBuilder pair(budget);
    budget.bytes(key.bytes.size());
    pair.add(key);
    pair.add(held);
    pairs.add(std::move(pair).build());
  }
  return std::move(pairs).build();
}

}  // namespace ocellus::text::jinja
