#include "text/constraint/grammar.h"

#include <algorithm>
#include <map>

#include "base/result.h"

namespace ocellus::text {
namespace {

constexpr std::size_t kMaxCode = 1 << 18;
constexpr std::size_t kMaxTables = 1 << 14;  // 16 MiB
constexpr int kMaxPasses = 256;
constexpr std::uint64_t kMaxLeast = std::uint64_t{1} << 16;  // bytes that an answer must have

Grammar::Table no_bytes() {
  Grammar::Table table;
  table.fill(-1);
  return table;
}

std::string utf8(std::uint32_t c) {
  std::string out;
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
  return out;
}

// As JSON must write it, or nothing where it may stand as it is.
std::string json_escape(std::uint32_t c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    default:
      break;
  }
  if (c >= 0x20) return {};
  constexpr char kHex[] = "0123456789abcdef";
  return {'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]};
}

std::uint64_t sum(std::uint64_t a, std::uint64_t b) { return std::min(Grammar::kNever, a + b); }

}  // namespace

// One step of the search for least_: what an instruction needs, by what is known so far.
std::uint64_t Grammar::measure(Pc pc) const {
  const Instruction& i = at(pc);
  switch (i.op) {
    case Op::kAccept:
    case Op::kReturn:
    case Op::kNext:
      return 0;
    case Op::kByte:
      return sum(1, least(i.next));
    case Op::kSwitch: {
      std::uint64_t best = kNever;
      for (const Pc to : table(i.index))
        if (to >= 0) best = std::min(best, sum(1, least(to)));
      return best;
    }
    case Op::kSplit: {
      std::uint64_t best = kNever;
      for (const Pc to : split(i.index)) best = std::min(best, least(to));
      return best;
    }
    case Op::kCall:
      return sum(least(rule(i.index)), least(i.next));
    case Op::kEnter:
    case Op::kHead: {
      const Loop& l = loop(i.index);
      if (l.min == 0) return least(l.exit);
      const std::uint64_t body = least(l.body);
      const std::uint64_t all = body >= kNever / l.min ? kNever : body * l.min;
      return sum(all, least(l.exit));
    }
  }
  return kNever;
}

GrammarBuilder::GrammarBuilder() {
  add({.op = Grammar::Op::kAccept});
  add({.op = Grammar::Op::kReturn});
}

Pc GrammarBuilder::add(Grammar::Instruction instruction) {
  if (grammar_.code_.size() >= kMaxCode || grammar_.tables_.size() > kMaxTables) {
    too_large_ = true;
    return 0;
  }
  grammar_.code_.push_back(instruction);
  return static_cast<Pc>(grammar_.code_.size() - 1);
}

Pc GrammarBuilder::byte(char byte, Pc next) {
  return add({.op = Grammar::Op::kByte, .byte = static_cast<std::uint8_t>(byte), .next = next});
}

Pc GrammarBuilder::literal(std::string_view text, Pc next) {
  for (std::size_t i = text.size(); i-- > 0 && !too_large_;) next = byte(text[i], next);
  return next;
}

Pc GrammarBuilder::table(const Grammar::Table& table) {
  if (too_large_) return 0;
  grammar_.tables_.push_back(table);
  return add({.op = Grammar::Op::kSwitch,
              .index = static_cast<std::int32_t>(grammar_.tables_.size() - 1)});
}

Pc GrammarBuilder::bytes(std::string_view set, Pc next) {
  Grammar::Table to = no_bytes();
  for (const char c : set) to[static_cast<std::uint8_t>(c)] = next;
  return table(to);
}

Pc GrammarBuilder::range(unsigned char first, unsigned char last, Pc next) {
  Grammar::Table to = no_bytes();
  std::fill(to.begin() + first, to.begin() + last + 1, next);
  return table(to);
}

Pc GrammarBuilder::any_of(std::vector<Pc> branches) {
  std::ranges::sort(branches);
  branches.erase(std::unique(branches.begin(), branches.end()), branches.end());
  if (branches.size() == 1) return branches.front();
  Grammar::Table merged = no_bytes();
  if (merge(branches, merged)) return table(merged);
  const Pc pc = new_branches();
  set_branches(pc, std::move(branches));
  return pc;
}

// Branches that begin with different bytes are one table: nothing needs to be tried twice.
bool GrammarBuilder::merge(const std::vector<Pc>& branches, Grammar::Table& into) const {
  const auto put = [&](std::size_t byte, Pc to) {
    if (into[byte] >= 0 && into[byte] != to) return false;
    into[byte] = to;
    return true;
  };
  for (const Pc pc : branches) {
    const Grammar::Instruction& i = grammar_.at(pc);
    if (i.op == Grammar::Op::kByte) {
      if (!put(i.byte, i.next)) return false;
    } else if (i.op == Grammar::Op::kSwitch) {
      const Grammar::Table& table = grammar_.table(i.index);
      for (std::size_t byte = 0; byte < table.size(); ++byte)
        if (table[byte] >= 0 && !put(byte, table[byte])) return false;
    } else {
      return false;
    }
  }
  return true;
}

Pc GrammarBuilder::new_branches() {
  if (too_large_) return 0;
  grammar_.splits_.emplace_back();
  return add(
      {.op = Grammar::Op::kSplit, .index = static_cast<std::int32_t>(grammar_.splits_.size() - 1)});
}

void GrammarBuilder::set_branches(Pc pc, std::vector<Pc> branches) {
  if (too_large_) return;
  Grammar::Instruction& i = grammar_.code_[static_cast<std::size_t>(pc)];
  Grammar::Table merged = no_bytes();
  if (merge(branches, merged)) {
    grammar_.tables_.push_back(merged);
    i = {.op = Grammar::Op::kSwitch,
         .index = static_cast<std::int32_t>(grammar_.tables_.size() - 1)};
    return;
  }
  grammar_.splits_[static_cast<std::size_t>(i.index)] = std::move(branches);
}

Pc GrammarBuilder::repeat(std::uint32_t min, std::uint32_t max, const std::function<Pc(Pc)>& body,
                          Pc next) {
  if (max == 0 || too_large_) return next;
  if (min == 1 && max == 1) return body(next);
  if (min == 0 && max == 1) return any_of({body(next), next});
  const auto index = static_cast<std::int32_t>(grammar_.loops_.size());
  grammar_.loops_.push_back({.min = min, .max = max, .head = 0, .body = 0, .exit = next});
  const Pc again = add({.op = Grammar::Op::kNext, .index = index});
  const Pc head = add({.op = Grammar::Op::kHead, .index = index});
  const Pc inside = body(again);
  Grammar::Loop& loop = grammar_.loops_[static_cast<std::size_t>(index)];
  loop.head = head;
  loop.body = inside;
  return add({.op = Grammar::Op::kEnter, .index = index});
}

std::int32_t GrammarBuilder::new_rule() {
  grammar_.rules_.push_back(0);
  return static_cast<std::int32_t>(grammar_.rules_.size() - 1);
}

Pc GrammarBuilder::call(std::int32_t rule, Pc next) {
  return add({.op = Grammar::Op::kCall, .index = rule, .next = next});
}

// Ranges of code points as ranges of bytes: split where the number of bytes changes, then where the
// last bytes do not run through all their values.
void GrammarBuilder::add_utf8(std::uint32_t first, std::uint32_t last, std::vector<Sequence>& out) {
  for (const std::uint32_t end : {0x7Fu, 0x7FFu, 0xD7FFu, 0xFFFFu}) {
    if (first <= end && last > end) {
      add_utf8(first, end, out);
      add_utf8(end == 0xD7FF ? 0xE000 : end + 1, last, out);
      return;
    }
  }
  if (first > last || (first >= 0xD800 && last <= 0xDFFF)) return;
  const std::size_t length = utf8(first).size();
  for (std::size_t i = 1; i < length; ++i) {
    const std::uint32_t mask = (1u << (6 * i)) - 1;
    if ((first & ~mask) == (last & ~mask)) continue;
    if ((first & mask) != 0) {
      add_utf8(first, first | mask, out);
      add_utf8((first | mask) + 1, last, out);
      return;
    }
    if ((last & mask) != mask) {
      add_utf8(first, (last & ~mask) - 1, out);
      add_utf8(last & ~mask, last, out);
      return;
    }
  }
  const std::string low = utf8(first), high = utf8(last);
  Sequence sequence;
  for (std::size_t i = 0; i < length; ++i)
    sequence.emplace_back(static_cast<std::uint8_t>(low[i]), static_cast<std::uint8_t>(high[i]));
  out.push_back(std::move(sequence));
}

// `sequences` agree in their first `depth` ranges.
Pc GrammarBuilder::trie(std::vector<Sequence> sequences, std::size_t depth, Pc next) {
  Grammar::Table to = no_bytes();
  bool ends = false;
  std::map<std::vector<Sequence>, Pc> made;  // bytes that go on alike share what follows
  for (const Sequence& sequence : sequences) ends = ends || sequence.size() == depth;
  bool goes_on = false;
  for (int byte = 0; byte < 256 && !too_large_; ++byte) {
    std::vector<Sequence> rest;
    for (const Sequence& sequence : sequences) {
      if (sequence.size() <= depth || byte < sequence[depth].first || byte > sequence[depth].second)
        continue;
      rest.push_back(sequence);
      rest.back()[depth] = {0, 255};  // where it came from no longer counts
    }
    if (rest.empty()) continue;
    goes_on = true;
    auto [it, is_new] = made.try_emplace(rest, 0);
    if (is_new) {
      const bool all_end =
          std::ranges::all_of(rest, [&](const Sequence& s) { return s.size() == depth + 1; });
      it->second = all_end ? next : trie(std::move(rest), depth + 1, next);
    }
    to[static_cast<std::size_t>(byte)] = it->second;
  }
  if (!goes_on) return next;
  const Pc here = table(to);
  return ends ? any_of({here, next}) : here;
}

Pc GrammarBuilder::literals(std::vector<std::string> texts, Pc next) {
  if (texts.size() == 1) return literal(texts.front(), next);
  std::ranges::sort(texts);
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  // From the beginnings that they share on: a range of sorted texts, its depth, its end.
  const std::function<Pc(std::size_t, std::size_t, std::size_t)> build =
      [&](std::size_t begin, std::size_t end, std::size_t depth) -> Pc {
    if (too_large_) return next;
    if (end - begin == 1) return literal(std::string_view(texts[begin]).substr(depth), next);
    std::size_t common = depth;
    while (common < texts[begin].size() && common < texts[end - 1].size() &&
           texts[begin][common] == texts[end - 1][common])
      ++common;
    if (common > depth) {
      const Pc rest = build(begin, end, common);
      return literal(std::string_view(texts[begin]).substr(depth, common - depth), rest);
    }
    const bool ends = texts[begin].size() == depth;
    Grammar::Table to = no_bytes();
    for (std::size_t i = begin + ends; i < end;) {
      std::size_t stop = i;
      while (stop < end && texts[stop][depth] == texts[i][depth]) ++stop;
      to[static_cast<std::uint8_t>(texts[i][depth])] = build(i, stop, depth + 1);
      i = stop;
    }
    const Pc here = table(to);
    return ends ? any_of({here, next}) : here;
  };
  return build(0, texts.size(), 0);
}

Pc GrammarBuilder::code_point(const CodePoints& set, Encoding encoding, Pc next) {
  std::vector<Sequence> sequences;
  for (auto [first, last] : set) {
    if (encoding == Encoding::kUtf8) {
      add_utf8(first, last, sequences);
      continue;
    }
    std::uint32_t raw = first;  // of the part that stands as it is
    for (std::uint32_t c = first; c <= std::min<std::uint32_t>(last, '\\'); ++c) {
      const std::string escape = json_escape(c);
      if (escape.empty()) continue;
      Sequence sequence;
      for (const char byte : escape)
        sequence.emplace_back(static_cast<std::uint8_t>(byte), static_cast<std::uint8_t>(byte));
      sequences.push_back(std::move(sequence));
      if (c > raw) add_utf8(raw, c - 1, sequences);
      raw = c + 1;
    }
    if (raw <= last) add_utf8(raw, last, sequences);
  }
  if (sequences.empty()) return table(no_bytes());
  return trie(std::move(sequences), 0, next);
}

Result<std::shared_ptr<const Grammar>> GrammarBuilder::finish(Pc start, std::string_view what) {
  if (too_large_)
    return base::make_error(ErrorCode::kInvalidArgument,
                            "{}: takes too much room: expected less "
                            "than {} steps",
                            what, kMaxCode);
  Grammar& g = grammar_;
  g.start_ = start;
  g.least_.assign(g.code_.size(), Grammar::kNever);
  // What follows was mostly written before, so that a pass or two settle all but what is recursive.
  int passes = 0;
  for (bool changed = true; changed && passes < kMaxPasses; ++passes) {
    changed = false;
    for (std::size_t pc = 0; pc < g.code_.size(); ++pc) {
      const std::uint64_t found = g.measure(static_cast<Pc>(pc));
      if (found >= g.least_[pc]) continue;
      g.least_[pc] = found;
      changed = true;
    }
  }
  if (g.least(start) >= Grammar::kNever)
    return base::make_error(ErrorCode::kInvalidArgument, "{}: nothing can ever satisfy it", what);
  if (g.least(start) > kMaxLeast) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "{}: expected answers of at most {} bytes to satisfy it, found {}",
                            what, kMaxLeast, g.least(start));
  }
  return std::make_shared<const Grammar>(std::move(grammar_));
}

}  // namespace ocellus::text
