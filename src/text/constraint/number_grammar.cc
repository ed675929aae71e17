#include "text/constraint/number_grammar.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

namespace ocellus::text {
namespace {

constexpr int kMoreZeros = 17;  // 0.000…1 is more than 0 after so many zeros at most

Grammar::Table no_digits() {
  Grammar::Table table;
  table.fill(-1);
  return table;
}

// None or more.
Pc digits(GrammarBuilder& b, Pc next) {
  const Pc head = b.new_branches();
  b.set_branches(head, {b.range('0', '9', head), next});
  return head;
}

// A whole number of 0 or more, without leading zeros.
Pc any_whole(GrammarBuilder& b, Pc next) {
  return b.any_of({b.byte('0', next), b.range('1', '9', digits(b, next))});
}

Pc any_fraction(GrammarBuilder& b, Pc next) {
  return b.any_of({next, b.byte('.', b.range('0', '9', digits(b, next)))});
}

// Numbers of one length, from `min` to `max`, which have it.
class SameLength {
 public:
  SameLength(GrammarBuilder& b, std::string min, std::string max, Pc next)
      : b_(b), min_(std::move(min)), max_(std::move(max)), next_(next) {}

  Pc build(std::size_t at = 0, bool at_min = true, bool at_max = true) {
    if (at == min_.size()) return next_;
    const auto [it, is_new] = made_.try_emplace({at, at_min, at_max}, 0);
    if (!is_new) return it->second;
    Grammar::Table to = no_digits();
    const char low = at_min ? min_[at] : '0', high = at_max ? max_[at] : '9';
    for (char c = low; c <= high; ++c)
      to[static_cast<std::uint8_t>(c)] =
          build(at + 1, at_min && c == min_[at], at_max && c == max_[at]);
    return made_[{at, at_min, at_max}] = b_.table(to);
  }

 private:
  GrammarBuilder& b_;
  const std::string min_, max_;
  const Pc next_;
  std::map<std::tuple<std::size_t, bool, bool>, Pc> made_;
};

// Whole numbers from `min` to `max`; nothing where there are none.
std::optional<Pc> whole_between(GrammarBuilder& b, const std::string& min,
                                const std::optional<std::string>& max, Pc next) {
  if (max && compare_whole(min, *max) > 0) return std::nullopt;
  std::vector<Pc> branches;
  const std::size_t longest = max ? max->size() : min.size();
  for (std::size_t length = min.size(); length <= longest; ++length) {
    std::string low = length == min.size() ? min : "1" + std::string(length - 1, '0');
    std::string high = max && length == max->size() ? *max : std::string(length, '9');
    branches.push_back(SameLength(b, std::move(low), std::move(high), next).build());
  }
  if (!max) {
    const auto more = static_cast<std::uint32_t>(min.size());
    const auto digit = [&](Pc after) { return b.range('0', '9', after); };
    branches.push_back(b.range('1', '9', b.repeat(more, more, digit, digits(b, next))));
  }
  return b.any_of(std::move(branches));
}

// What comes after a whole part that is the same as that of one limit, or of both.
class Fraction {
 public:
  Fraction(GrammarBuilder& b, const Decimal* min, bool min_excluded, const Decimal* max,
           bool max_excluded, Pc next)
      : b_(b),
        min_(min != nullptr ? min->fraction : ""),
        max_(max != nullptr ? max->fraction : ""),
        min_excluded_(min_excluded),
        max_excluded_(max_excluded),
        longest_(std::max(min_.size(), max_.size()) + (min_excluded ? kMoreZeros : 1)),
        next_(next),
        free_(digits(b, next)) {
    at_min_ = min != nullptr && (!min_.empty() || min_excluded);
    at_max_ = max != nullptr;
  }

  std::optional<Pc> build() {
    std::vector<Pc> branches;
    if (!at_min_ && !at_max_) return any_fraction(b_, next_);
    if (may_end(0, at_min_, at_max_)) branches.push_back(next_);
    if (const auto more = digit(0, at_min_, at_max_)) branches.push_back(b_.byte('.', *more));
    if (branches.empty()) return std::nullopt;
    return b_.any_of(std::move(branches));
  }

 private:
  bool may_end(std::size_t at, bool at_min, bool at_max) const {
    if (at_min && (at < min_.size() || min_excluded_)) return false;
    return !at_max || at < max_.size() || !max_excluded_;
  }

  std::optional<Pc> digit(std::size_t at, bool at_min, bool at_max) {
    if (at >= longest_) return std::nullopt;
    const auto known = made_.find({at, at_min, at_max});
    if (known != made_.end()) return known->second;
    const char low = at_min && at < min_.size() ? min_[at] : '0';
    const char high = !at_max ? '9' : at < max_.size() ? max_[at] : '0';
    Grammar::Table to = no_digits();
    bool any = false;
    for (char c = low; c <= high; ++c) {
      const auto rest = after(at + 1, at_min && c == low, at_max && c == high);
      if (!rest) continue;
      to[static_cast<std::uint8_t>(c)] = *rest;
      any = true;
    }
    const std::optional<Pc> made = any ? std::optional(b_.table(to)) : std::nullopt;
    made_[{at, at_min, at_max}] = made;
    return made;
  }

  std::optional<Pc> after(std::size_t at, bool at_min, bool at_max) {
    if (at_min && at >= min_.size() && !min_excluded_) at_min = false;
    if (!at_min && !at_max) return free_;
    std::vector<Pc> branches;
    if (may_end(at, at_min, at_max)) branches.push_back(next_);
    if (const auto more = digit(at, at_min, at_max)) branches.push_back(*more);
    if (branches.empty()) return std::nullopt;
    return b_.any_of(std::move(branches));
  }

  GrammarBuilder& b_;
  const std::string min_, max_;
  const bool min_excluded_, max_excluded_;
  const std::size_t longest_;
  const Pc next_, free_;
  bool at_min_ = false, at_max_ = false;
  std::map<std::tuple<std::size_t, bool, bool>, std::optional<Pc>> made_;
};

// Limits of a number without its sign.
struct Magnitudes {
  Decimal min = {};
  bool min_excluded = false;
  std::optional<Decimal> max = {};
  bool max_excluded = false;
};

void add_magnitudes(GrammarBuilder& b, const Magnitudes& m, Pc next, std::vector<Pc>& out) {
  const bool same = m.max && m.max->whole == m.min.whole;
  if (m.max && compare_whole(m.min.whole, m.max->whole) > 0) return;
  const auto add_whole = [&](const Decimal& limit, std::optional<Pc> rest) {
    if (rest) out.push_back(b.literal(limit.whole, *rest));
  };
  add_whole(m.min, Fraction(b, &m.min, m.min_excluded, same ? &*m.max : nullptr,
                            same && m.max_excluded, next)
                       .build());
  if (same) return;
  std::optional<std::string> below;
  if (m.max) {
    add_whole(*m.max, Fraction(b, nullptr, false, &*m.max, m.max_excluded, next).build());
    below = minus_one(m.max->whole);
  }
  if (const auto between = whole_between(b, plus_one(m.min.whole), below, any_fraction(b, next)))
    out.push_back(*between);
}

// A limit of whole numbers, away from zero where it is no whole number or excluded.
std::string whole_min(const Decimal& d, bool excluded) {
  return !d.fraction.empty() || excluded ? plus_one(d.whole) : d.whole;
}
// Nothing: no whole number of 0 or more is below.
std::optional<std::string> whole_max(const Decimal& d, bool excluded) {
  if (d.fraction.empty() && excluded)
    return d.whole == "0" ? std::nullopt : std::optional(minus_one(d.whole));
  return d.whole;
}

Pc join(GrammarBuilder& b, std::vector<Pc> branches) {
  if (branches.empty()) return b.table(no_digits());
  return b.any_of(std::move(branches));
}

Magnitudes positive(const NumberRange& r) {
  Magnitudes m;
  if (r.min && !r.min->negative) m.min = *r.min, m.min_excluded = r.min_excluded;
  if (r.max) m.max = *r.max, m.max_excluded = r.max_excluded;
  return m;
}

Magnitudes negative(const NumberRange& r) {
  Magnitudes m;
  m.min_excluded = true;  // no -0
  if (r.max && r.max->negative) m.min = *r.max, m.min_excluded = r.max_excluded;
  if (r.min) m.max = *r.min, m.max_excluded = r.min_excluded;
  m.min.negative = false;
  if (m.max) m.max->negative = false;
  return m;
}

bool has_positive(const NumberRange& r) { return !r.max || !r.max->negative; }
bool has_negative(const NumberRange& r) { return !r.min || r.min->negative; }

}  // namespace

Pc integer_grammar(GrammarBuilder& b, const NumberRange& range, Pc next) {
  if (range.is_unlimited()) {
    const Pc whole = any_whole(b, next);
    return b.any_of({whole, b.byte('-', whole)});
  }
  std::vector<Pc> out;
  const auto add = [&](const Magnitudes& m, bool minus) {
    std::optional<std::string> max;
    if (m.max) {
      max = whole_max(*m.max, m.max_excluded);
      if (!max) return;
    }
    if (const auto found = whole_between(b, whole_min(m.min, m.min_excluded), max, next))
      out.push_back(minus ? b.byte('-', *found) : *found);
  };
  if (has_positive(range)) add(positive(range), false);
  if (has_negative(range)) add(negative(range), true);
  return join(b, std::move(out));
}

Pc number_grammar(GrammarBuilder& b, const NumberRange& range, Pc next) {
  if (range.is_unlimited()) {
    const Pc exponent_digits = b.range('0', '9', digits(b, next));
    const Pc signed_digits = b.any_of({b.bytes("+-", exponent_digits), exponent_digits});
    const Pc exponent = b.any_of({next, b.bytes("eE", signed_digits)});
    const Pc magnitude = any_whole(b, any_fraction(b, exponent));
    return b.any_of({magnitude, b.byte('-', magnitude)});
  }
  std::vector<Pc> out;
  if (has_positive(range)) add_magnitudes(b, positive(range), next, out);
  if (has_negative(range)) {
    std::vector<Pc> below;
    add_magnitudes(b, negative(range), next, below);
    if (!below.empty()) out.push_back(b.byte('-', b.any_of(std::move(below))));
  }
  return join(b, std::move(out));
}

}  // namespace ocellus::text
