#include "text/constraint/regex_parser.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/utf8.h"

namespace ocellus::text {
namespace {

constexpr std::uint32_t kLastCodePoint = 0x10FFFF;
constexpr std::uint32_t kMaxCount = 100'000;
constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxLength = 16'384;

CodePoints normal(CodePoints set) {
  std::ranges::sort(set);
  CodePoints out;
  for (const auto& [first, last] : set) {
    if (!out.empty() && first <= out.back().second + 1) {
      out.back().second = std::max(out.back().second, last);
    } else {
      out.emplace_back(first, last);
    }
  }
  return out;
}

void append(CodePoints& to, const CodePoints& more) {
  to.insert(to.end(), more.begin(), more.end());
}

const CodePoints kDigits = {{'0', '9'}};
const CodePoints kWord = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const CodePoints kSpace = {{'\t', '\r'},     {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680},
                           {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F},
                           {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const CodePoints kLineEnds = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

class Parser {
 public:
  Parser(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  Result<RegexNode> run() {
    if (text_.size() > kMaxLength) return fail("is longer than 16384 bytes");
    if (!base::is_valid_utf8(text_)) return fail("is not UTF-8");
    OCELLUS_ASSIGN_OR_RETURN(RegexNode node, alternatives(0));
    if (at_ < text_.size()) return fail("expected the end, found \")\"");
    return node;
  }

 private:
  std::unexpected<Error> fail(std::string_view why) const {
    return base::make_error(ErrorCode::kInvalidArgument, "{}: at character {}: {}", what_, at_,
                            why);
  }
  bool more() const { return at_ < text_.size(); }
  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  Result<RegexNode> alternatives(int depth) {
    if (depth > kMaxDepth) return fail("groups are nested too deep");
    RegexNode all{.kind = RegexNode::Kind::kAlternatives};
    do {
      OCELLUS_ASSIGN_OR_RETURN(RegexNode one, sequence(depth));
      all.children.push_back(std::move(one));
    } while (take("|"));
    if (all.children.size() == 1) return std::move(all.children.front());
    return all;
  }

  Result<RegexNode> sequence(int depth) {
    RegexNode all;
    while (more() && text_[at_] != '|' && text_[at_] != ')') {
      OCELLUS_ASSIGN_OR_RETURN(RegexNode one, atom(depth));
      OCELLUS_ASSIGN_OR_RETURN(one, counted(std::move(one)));
      all.children.push_back(std::move(one));
    }
    return all;
  }

  Result<RegexNode> counted(RegexNode node) {
    std::uint32_t min = 0, max = 0;
    if (take("*")) {
      max = Grammar::kUnlimited;
    } else if (take("+")) {
      min = 1, max = Grammar::kUnlimited;
    } else if (take("?")) {
      max = 1;
    } else if (more() && text_[at_] == '{') {
      const auto limits = braces();
      if (!limits) return fail("expected {n}, {n,} or {n,m} with n <= m <= 100000");
      std::tie(min, max) = *limits;
    } else {
      return node;
    }
    if (node.kind == RegexNode::Kind::kStart || node.kind == RegexNode::Kind::kEnd)
      return fail("^ and $ cannot be repeated");
    take("?");  // which match is found first changes nothing of what matches
    if (more() && (text_[at_] == '*' || text_[at_] == '+' || text_[at_] == '{'))
      return fail("a count after a count");
    RegexNode out{.kind = RegexNode::Kind::kRepeat, .min = min, .max = max};
    out.children.push_back(std::move(node));
    return out;
  }

  std::optional<std::uint32_t> decimal() {
    std::uint32_t value = 0;
    const std::size_t begin = at_;
    while (more() && text_[at_] >= '0' && text_[at_] <= '9' && value <= kMaxCount)
      value = value * 10 + static_cast<std::uint32_t>(text_[at_++] - '0');
    if (at_ == begin || value > kMaxCount) return std::nullopt;
    return value;
  }

  std::optional<std::pair<std::uint32_t, std::uint32_t>> braces() {
    take("{");
    const auto min = decimal();
    if (!min) return std::nullopt;
    auto max = min;
    if (take(",")) max = more() && text_[at_] == '}' ? Grammar::kUnlimited : decimal();
    if (!max || *max < *min || !take("}")) return std::nullopt;
    return std::pair(*min, *max);
  }

  std::uint32_t character() {
    const auto byte = static_cast<std::uint8_t>(text_[at_++]);
    if (byte < 0x80) return byte;
    const int rest = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    std::uint32_t c = byte & (0x3Fu >> rest);
    for (int i = 0; i < rest; ++i) c = c << 6 | (static_cast<std::uint8_t>(text_[at_++]) & 0x3F);
    return c;
  }

  static RegexNode characters(CodePoints set) {
    return {.kind = RegexNode::Kind::kCharacters, .characters = normal(std::move(set))};
  }

  Result<RegexNode> atom(int depth) {
    if (take("(")) return group(depth);
    if (take("[")) return brackets();
    if (take(".")) return characters(complement(kLineEnds));
    if (take("^")) return RegexNode{.kind = RegexNode::Kind::kStart};
    if (take("$")) return RegexNode{.kind = RegexNode::Kind::kEnd};
    if (text_[at_] == '*' || text_[at_] == '+' || text_[at_] == '?')
      return fail("nothing to repeat");
    if (text_[at_] == '\\') {
      ++at_;
      OCELLUS_ASSIGN_OR_RETURN(CodePoints set, escape(false));
      return characters(std::move(set));
    }
    const std::uint32_t c = character();
    return characters({{c, c}});
  }

  Result<RegexNode> group(int depth) {
    if (take("?")) {
      const bool plain = take(":");
      const bool named =
          !plain && (take("P<") || (!text_.substr(at_).starts_with("<=") &&
                                    !text_.substr(at_).starts_with("<!") && take("<")));
      if (named) {
        while (more() && text_[at_] != '>') ++at_;
        if (!take(">")) return fail("expected > after the name of a group");
      } else if (!plain) {
        return fail("looking around, and options of groups, are not supported");
      }
    }
    OCELLUS_ASSIGN_OR_RETURN(RegexNode inside, alternatives(depth + 1));
    if (!take(")")) return fail("expected )");
    return inside;
  }

  std::optional<std::uint32_t> hex(int count) {
    std::uint32_t value = 0;
    for (int i = 0; i < count; ++i) {
      if (!more()) return std::nullopt;
      const char c = text_[at_++];
      if (c >= '0' && c <= '9') {
        value = value * 16 + static_cast<std::uint32_t>(c - '0');
      } else if ((c | 32) >= 'a' && (c | 32) <= 'f') {
        value = value * 16 + static_cast<std::uint32_t>((c | 32) - 'a' + 10);
      } else {
        return std::nullopt;
      }
    }
    return value;
  }

  // After the backslash.
  Result<CodePoints> escape(bool in_class) {
    if (!more()) return fail("a backslash at the end");
    const char c = text_[at_];
    if (static_cast<std::uint8_t>(c) >= 0x80) {
      const std::uint32_t point = character();
      return CodePoints{{point, point}};
    }
    ++at_;
    const auto one = [](std::uint32_t point) { return CodePoints{{point, point}}; };
    switch (c) {
      case 'd':
        return kDigits;
      case 'D':
        return complement(kDigits);
      case 'w':
        return kWord;
      case 'W':
        return complement(kWord);
      case 's':
        return kSpace;
      case 'S':
        return complement(kSpace);
      case 't':
        return one('\t');
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 'f':
        return one('\f');
      case 'v':
        return one('\v');
      case '0':
        return one(0);
      case 'x':
      case 'u': {
        const auto value = hex(c == 'x' ? 2 : 4);
        if (!value) return fail("expected hexadecimal digits");
        if (*value >= 0xD800 && *value <= 0xDFFF) return fail("half a surrogate pair");
        return one(*value);
      }
      case 'b':
        if (in_class) return one('\b');
        break;
      default:
        if (!((c | 32) >= 'a' && (c | 32) <= 'z') && !(c >= '1' && c <= '9'))
          return one(static_cast<std::uint32_t>(c));
        break;
    }
    --at_;
    return fail(std::string("\\") + c + " is not supported");
  }

  Result<RegexNode> brackets() {
    const bool negated = take("^");
    CodePoints set;
    while (more() && text_[at_] != ']') {
      OCELLUS_ASSIGN_OR_RETURN(const CodePoints first, class_item());
      const bool is_range =
          text_.substr(at_).starts_with("-") && at_ + 1 < text_.size() && text_[at_ + 1] != ']';
      if (!is_range) {
        append(set, first);
        continue;
      }
      ++at_;
      OCELLUS_ASSIGN_OR_RETURN(const CodePoints last, class_item());
      const auto single = [](const CodePoints& s) {
        return s.size() == 1 && s.front().first == s.front().second;
      };
      if (!single(first) || !single(last) || last.front().first < first.front().first)
        return fail("expected a range of characters that goes up");
      set.emplace_back(first.front().first, last.front().first);
    }
    if (!take("]")) return fail("expected ]");
    set = normal(std::move(set));
    return characters(negated ? complement(set) : set);
  }

  Result<CodePoints> class_item() {
    if (take("\\")) return escape(true);
    const std::uint32_t c = character();
    return CodePoints{{c, c}};
  }

  const std::string_view text_, what_;
  std::size_t at_ = 0;
};

}  // namespace

CodePoints complement(const CodePoints& set) {
  CodePoints out;
  std::uint32_t from = 0;
  for (const auto& [first, last] : set) {
    if (first > from) out.emplace_back(from, first - 1);
    from = last + 1;
  }
  if (from <= kLastCodePoint) out.emplace_back(from, kLastCodePoint);
  return out;
}

Result<RegexNode> parse_regex(std::string_view expression, std::string_view what) {
  return Parser(expression, what).run();
}

}  // namespace ocellus::text
