// Functions that every template can call.
#include <fmt/format.h>

#include <ctime>

#include "text/jinja/builtins.h"
#include "text/jinja/text_form.h"

namespace ocellus::text::jinja {
namespace {

Value raise_exception(const Value&, const Arguments& arguments, Budget& budget) {
  const Value* message = arguments.find(0, "message");
  throw Refusal{message ? to_text(*message, budget) : std::make_shared<const Text>("refused")};
}

Value strftime_now(const Value&, const Arguments& arguments, Budget&) {
  const Value* given = arguments.find(0, "format");
  const auto* format = given ? given->get_if<Text>() : nullptr;
  if (!format) throw Failure("strftime_now: expected a format");
  const std::time_t time = std::time(nullptr);
  std::tm local{};
  localtime_r(&time, &local);
  char buffer[256];  // a longer date is empty
  const std::size_t length = std::strftime(buffer, sizeof buffer, format->bytes.c_str(), &local);
  return Text(std::string_view(buffer, length), format->all_trusted());
}

Value range(const Value&, const Arguments& arguments, Budget& budget) {
  std::int64_t values[3] = {0, 0, 1};
  const std::size_t count = arguments.positional.size();
  if (count == 0 || !arguments.named.empty()) throw Failure("range: expected 1 to 3 integers");
  for (std::size_t i = 0; i < count; ++i) {
    const Value& value = arguments.positional[i];
    if (!value.is_integer())
      throw Failure(fmt::format("range: expected integers, found {}", value.type_name()));
    values[count == 1 ? 1 : i] = value.integer();
  }
  const auto [from, to, step] = values;
  if (step == 0) throw Failure("range: expected a step other than 0");
  ListBuilder result(budget);
  std::int64_t i = from;
  while (step > 0 ? i < to : i > to) {
    result.add(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return std::move(result).build();
}

// dict(mapping or list of pairs, name=value ...) and namespace(...).
MapBuilder fields_of(const Arguments& arguments, Budget& budget) {
  MapBuilder map(budget);
  if (!arguments.positional.empty()) {
    const Value& given = arguments.positional[0];
    const Value pairs = given.is<Map>() ? pairs_of(given, budget) : given;
    for (const Value& pair : Items(pairs, budget)) {
      const auto* both = pair.get_if<List>();
      if (!both || both->size() != 2) throw Failure("dict: expected a mapping or pairs");
      map.set(*to_text((*both)[0], budget), (*both)[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) map.set(Text(name, true), value);
  return map;
}

Value dictionary(const Value&, const Arguments& arguments, Budget& budget) {
  return fields_of(arguments, budget).build();
}

Value make_namespace(const Value&, const Arguments& arguments, Budget& budget) {
  return std::make_shared<Namespace>(fields_of(arguments, budget).take());
}

}  // namespace

std::vector<std::pair<std::string, Value>> global_functions() {
  const auto function = [](Native native, std::string_view parameters) {
    return Value(Function{.native = native, .parameters = parameters, .self = {}});
  };
  return {{"raise_exception", function(raise_exception, "message")},
          {"strftime_now", function(strftime_now, "format")},
          {"range", function(range, "start stop step")},
          {"namespace", function(make_namespace, "*")},
          {"dict", function(dictionary, "*")}};
}

}  // namespace ocellus::text::jinja
