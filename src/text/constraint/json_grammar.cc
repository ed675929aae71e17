#include "text/constraint/json_grammar.h"

#include <algorithm>

namespace ocellus::text {
namespace {

constexpr std::uint32_t kLastCodePoint = 0x10FFFF;

std::vector<std::uint32_t> code_points(std::string_view utf8) {
  std::vector<std::uint32_t> out;
  for (const char c : utf8) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (byte < 0x80) {
      out.push_back(byte);
    } else if (byte < 0xC0) {
      if (!out.empty()) out.back() = out.back() << 6 | (byte & 0x3F);
    } else {
      out.push_back(byte < 0xE0 ? byte & 0x1F : byte < 0xF0 ? byte & 0x0F : byte & 0x07);
    }
  }
  return out;
}

// Without those that a key would have to escape, and DEL, which is nobody's text.
bool stands_raw(std::uint32_t c) { return c >= 0x20 && c != '"' && c != '\\' && c != 0x7F; }

CodePoints all_but(std::vector<std::uint32_t> these) {
  these.push_back('"');
  these.push_back('\\');
  these.push_back(0x7F);
  std::ranges::sort(these);
  CodePoints out;
  std::uint32_t from = 0x20;
  for (const std::uint32_t c : these) {
    if (c < from) continue;
    if (c > from) out.emplace_back(from, c - 1);
    from = c + 1;
  }
  if (from <= kLastCodePoint) out.emplace_back(from, kLastCodePoint);
  return out;
}

}  // namespace

// Built at its first use, called from then on; it may call itself.
Pc JsonGrammar::shared(std::int32_t& rule, const std::function<Pc(Pc)>& make, Pc next) {
  if (rule == kNone) {
    rule = b_.new_rule();
    b_.set_rule(rule, make(b_.return_()));
  }
  return b_.call(rule, next);
}

// A character of a string: raw, or an escape; of \u the two halves of a pair together.
Pc JsonGrammar::character(Pc next) {
  const auto hex = [&](Pc after) { return b_.bytes("0123456789abcdefABCDEF", after); };
  const Pc two = hex(hex(next));
  const Pc low = b_.literal("\\u", b_.bytes("dD", b_.bytes("cdefCDEF", two)));
  const Pc other = b_.bytes("0123456789abcefABCEF", hex(two));
  const Pc surrogate =
      b_.bytes("dD", b_.any_of({b_.bytes("01234567", two), b_.bytes("89abAB", hex(hex(low)))}));
  const Pc escape =
      b_.any_of({b_.bytes("\"\\bfnrt", next), b_.byte('u', b_.any_of({other, surrogate}))});
  return b_.any_of({b_.code_point(all_but({}), Encoding::kUtf8, next), b_.byte('\\', escape)});
}

Pc JsonGrammar::string(std::uint32_t min, std::uint32_t max, Pc next) {
  const auto body = [&](Pc after) { return character(after); };
  if (min == 0 && max == Grammar::kUnlimited) {
    return shared(
        string_,
        [&](Pc end) {
          const Pc head = b_.new_branches();
          b_.set_branches(head, {character(head), b_.byte('"', end)});
          return b_.byte('"', head);
        },
        next);
  }
  return b_.byte('"', b_.repeat(min, max, body, b_.byte('"', next)));
}

// `keys` agree in their first `depth` characters. `tail`: any characters and the closing quote.
Pc JsonGrammar::other_key(const std::vector<std::vector<std::uint32_t>>& keys, std::size_t depth,
                          Pc tail, Pc next) {
  std::vector<std::uint32_t> starts;
  std::vector<Pc> branches;
  const bool ends = std::ranges::any_of(keys, [&](const auto& k) { return k.size() == depth; });
  if (!ends) branches.push_back(b_.byte('"', next));
  for (const auto& key : keys) {
    if (key.size() <= depth || std::ranges::find(starts, key[depth]) != starts.end()) continue;
    const std::uint32_t c = key[depth];
    starts.push_back(c);
    std::vector<std::vector<std::uint32_t>> same;
    for (const auto& k : keys)
      if (k.size() > depth && k[depth] == c) same.push_back(k);
    if (stands_raw(c))
      branches.push_back(
          b_.code_point({{c, c}}, Encoding::kUtf8, other_key(same, depth + 1, tail, next)));
  }
  branches.push_back(b_.code_point(all_but(starts), Encoding::kUtf8, tail));
  return b_.any_of(std::move(branches));
}

Pc JsonGrammar::key_except(std::vector<std::string> keys, Pc next) {
  const Pc tail = b_.new_branches();
  b_.set_branches(tail, {b_.code_point(all_but({}), Encoding::kUtf8, tail), b_.byte('"', next)});
  std::vector<std::vector<std::uint32_t>> points;
  for (const std::string& key : keys) points.push_back(code_points(key));
  return b_.byte('"', other_key(points, 0, tail, next));
}

Pc JsonGrammar::integer(const NumberRange& range, Pc next) {
  if (!range.is_unlimited()) return integer_grammar(b_, range, next);
  return shared(
      integer_, [&](Pc end) { return integer_grammar(b_, {}, end); }, next);
}

Pc JsonGrammar::number(const NumberRange& range, Pc next) {
  if (!range.is_unlimited()) return number_grammar(b_, range, next);
  return shared(
      number_, [&](Pc end) { return number_grammar(b_, {}, end); }, next);
}

Pc JsonGrammar::any_object(Pc next) {
  return shared(
      object_,
      [&](Pc end) {
        const Pc rest = b_.new_branches(), close = b_.byte('}', end);
        const auto member = [&] {
          return string(0, Grammar::kUnlimited, b_.byte(':', any_value(rest)));
        };
        b_.set_branches(rest, {close, b_.byte(',', member())});
        return b_.byte('{', b_.any_of({close, member()}));
      },
      next);
}

Pc JsonGrammar::any_array(Pc next) {
  return shared(
      array_,
      [&](Pc end) {
        const Pc rest = b_.new_branches(), close = b_.byte(']', end);
        b_.set_branches(rest, {close, b_.byte(',', any_value(rest))});
        return b_.byte('[', b_.any_of({close, any_value(rest)}));
      },
      next);
}

Pc JsonGrammar::any_value(Pc next) {
  return shared(
      value_,
      [&](Pc end) {
        return b_.any_of({any_object(end), any_array(end), string(0, Grammar::kUnlimited, end),
                          number({}, end), boolean(end), null(end)});
      },
      next);
}

}  // namespace ocellus::text
