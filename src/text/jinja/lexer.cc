#include "text/jinja/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "text/jinja/budget.h"

namespace ocellus::text::jinja {
namespace {

constexpr std::string_view kSpaces = " \t\r\n\v\f";

bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {
    if (source_.ends_with('\n')) source_.remove_suffix(1);
  }

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      text();
      if (at_ < source_.size()) tag();
    }
    add(Token::Kind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw Failure(fmt::format("line {}: {}", line_, what));
  }
  void add(Token::Kind kind, std::string text) {
    if (tokens_.size() >= kMaxTokens)
      fail(fmt::format("too many tokens: expected at most {}", kMaxTokens));
    tokens_.push_back({kind, std::move(text), line_});
  }
  void advance(std::size_t to) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    at_ = to;
  }

  // Up to the next tag; white space goes where the tag or the one before it wants that.
  void text() {
    std::size_t tag = at_;
    while (tag + 1 < source_.size() &&
           !(source_[tag] == '{' &&
             std::string_view("{%#").find(source_[tag + 1]) != std::string_view::npos)) {
      ++tag;
    }
    if (tag + 1 >= source_.size()) tag = source_.size();
    std::string_view piece = source_.substr(at_, tag - at_);
    if (trim_next_) {
      piece.remove_prefix(std::min(piece.find_first_not_of(kSpaces), piece.size()));
    } else if (after_block_ && piece.starts_with('\n')) {
      piece.remove_prefix(1);
    }
    const char kind = tag + 1 < source_.size() ? source_[tag + 1] : '\0';
    const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
    if (kind != '\0' && sign == '-') {
      piece = piece.substr(0, piece.find_last_not_of(kSpaces) + 1);
    } else if ((kind == '%' || kind == '#') && sign != '+') {
      // The blanks before a block that begins its line.
      const std::size_t end = piece.find_last_not_of(" \t\v\f") + 1;
      const bool begins_line = end == 0 ? piece.data() == source_.data() || piece.data()[-1] == '\n'
                                        : piece[end - 1] == '\n';
      if (begins_line) piece = piece.substr(0, end);
    }
    if (!piece.empty()) add(Token::Kind::kText, std::string(piece));
    trim_next_ = after_block_ = false;
    advance(tag);
  }

  void tag() {
    const char kind = source_[at_ + 1];
    if (kind == '#') return comment();
    if (kind == '%' && raw()) return;
    advance(at_ + 2);
    if (at_ < source_.size() && (source_[at_] == '-' || source_[at_] == '+')) advance(at_ + 1);
    add(kind == '%' ? Token::Kind::kBlock : Token::Kind::kOutput, "");
    const std::string_view close = kind == '%' ? "%}" : "}}";
    int depth = 0;
    const std::size_t first = tokens_.size();
    while (true) {
      if (tokens_.size() - first > kMaxTagTokens)
        fail(fmt::format("tag too long: expected at most {} tokens", kMaxTagTokens));
      advance(std::min(source_.find_first_not_of(kSpaces, at_), source_.size()));
      const std::string_view rest = source_.substr(at_);
      if (rest.empty()) fail(fmt::format("expected {}", close));
      const bool signed_close =
          (rest[0] == '-' || rest[0] == '+') && rest.substr(1).starts_with(close);
      if (depth == 0 && (rest.starts_with(close) || signed_close)) {
        trim_next_ = signed_close && rest[0] == '-';
        after_block_ = kind == '%' && !signed_close;
        advance(at_ + (signed_close ? 3 : 2));
        add(kind == '%' ? Token::Kind::kBlockEnd : Token::Kind::kOutputEnd, "");
        return;
      }
      depth += rest[0] == '{' || rest[0] == '[' || rest[0] == '(';
      depth -= rest[0] == '}' || rest[0] == ']' || rest[0] == ')';
      token(rest);
    }
  }

  void comment() {
    const std::size_t end = source_.find("#}", at_ + 2);
    if (end == std::string_view::npos) fail("expected #}");
    trim_next_ = source_[end - 1] == '-' && end > at_ + 2;
    after_block_ = !trim_next_ && source_[end - 1] != '+';
    advance(end + 2);
  }

  // {% raw %}: nothing in it is a tag.
  bool raw() {
    const auto word = [&](std::size_t begin, std::string_view name, std::size_t& end, bool& trim) {
      std::size_t i = begin + 2;
      if (i < source_.size() && (source_[i] == '-' || source_[i] == '+')) ++i;
      i = std::min(source_.find_first_not_of(kSpaces, i), source_.size());
      if (!source_.substr(i).starts_with(name)) return false;
      i = std::min(source_.find_first_not_of(kSpaces, i + name.size()), source_.size());
      trim = i < source_.size() && source_[i] == '-';
      if (i < source_.size() && (source_[i] == '-' || source_[i] == '+')) ++i;
      if (!source_.substr(i).starts_with("%}")) return false;
      end = i + 2;
      return true;
    };
    std::size_t begin = 0, end = 0;
    bool trim_first = false, trim_after = false;
    if (!word(at_, "raw", begin, trim_first)) return false;
    for (std::size_t i = begin; (i = source_.find("{%", i)) != std::string_view::npos; ++i) {
      if (!word(i, "endraw", end, trim_after)) continue;
      std::string_view piece = source_.substr(begin, i - begin);
      if (trim_first)
        piece.remove_prefix(std::min(piece.find_first_not_of(kSpaces), piece.size()));
      else if (piece.starts_with('\n'))
        piece.remove_prefix(1);
      if (i + 2 < source_.size() && source_[i + 2] == '-')
        piece = piece.substr(0, piece.find_last_not_of(kSpaces) + 1);
      if (!piece.empty()) add(Token::Kind::kText, std::string(piece));
      advance(end);
      trim_next_ = trim_after;
      after_block_ = !trim_after;
      return true;
    }
    fail("expected {% endraw %}");
  }

  void token(std::string_view rest) {
    const char c = rest[0];
    if (is_name_start(c)) {
      std::size_t end = 1;
      while (end < rest.size() && (is_name_start(rest[end]) || is_digit(rest[end]))) ++end;
      if (end > kMaxNameBytes)
        fail(fmt::format("name too long: expected at most {} bytes", kMaxNameBytes));
      add(Token::Kind::kName, std::string(rest.substr(0, end)));
      advance(at_ + end);
    } else if (is_digit(c)) {
      number(rest);
    } else if (c == '\'' || c == '"') {
      string(rest);
    } else {
      for (const std::string_view op : {"**", "//", "==", "!=", "<=", ">="}) {
        if (!rest.starts_with(op)) continue;
        add(Token::Kind::kOperator, std::string(op));
        return advance(at_ + 2);
      }
      if (std::string_view("+-*/%~|.,:()[]{}<>=").find(c) == std::string_view::npos)
        fail(fmt::format("unexpected character '{}'", c));
      add(Token::Kind::kOperator, std::string(1, c));
      advance(at_ + 1);
    }
  }

  void number(std::string_view rest) {
    std::size_t end = 0;
    bool real = false;
    while (end < rest.size() && (is_digit(rest[end]) || rest[end] == '_')) ++end;
    if (end + 1 < rest.size() && rest[end] == '.' && is_digit(rest[end + 1])) {
      real = true;
      for (++end; end < rest.size() && is_digit(rest[end]);) ++end;
    }
    std::size_t exponent = end;
    if (exponent < rest.size() && (rest[exponent] == 'e' || rest[exponent] == 'E')) {
      ++exponent;
      if (exponent < rest.size() && (rest[exponent] == '+' || rest[exponent] == '-')) ++exponent;
      for (; exponent < rest.size() && is_digit(rest[exponent]); ++exponent) {
        real = true;
        end = exponent + 1;
      }
    }
    std::string digits(rest.substr(0, end));
    std::erase(digits, '_');
    if (digits.size() > 64) fail("number too long: expected at most 64 characters");
    add(real ? Token::Kind::kFloat : Token::Kind::kInteger, std::move(digits));
    advance(at_ + end);
  }

  void string(std::string_view rest) {
    std::string value;
    std::size_t i = 1;
    for (; i < rest.size() && rest[i] != rest[0]; ++i) {
      if (rest[i] != '\\') {
        value += rest[i];
        continue;
      }
      if (++i >= rest.size()) break;
      constexpr std::string_view kFrom = "nrtbfv0", kTo("\n\r\t\b\f\v\0", 7);
      if (const auto known = kFrom.find(rest[i]); known != std::string_view::npos) {
        value += kTo[known];
      } else if (rest[i] == 'u' || rest[i] == 'x' || rest[i] == 'U') {
        i += code_point(rest.substr(i), value);
      } else if (rest[i] == '\\' || rest[i] == '\'' || rest[i] == '"') {
        value += rest[i];
      } else if (rest[i] != '\n') {  // an unknown escape stays as it is, as in Python
        value += '\\';
        value += rest[i];
      }
    }
    if (i >= rest.size()) fail("string without end");
    add(Token::Kind::kString, std::move(value));
    advance(at_ + i + 1);
  }

  // \xNN, \uNNNN, \UNNNNNNNN from the letter on; returns how many characters follow it.
  std::size_t code_point(std::string_view escape, std::string& value) const {
    const std::size_t digits = escape[0] == 'x' ? 2 : escape[0] == 'u' ? 4 : 8;
    std::uint32_t point = 0;
    for (std::size_t i = 1; i <= digits; ++i) {
      const char c = i < escape.size() ? escape[i] : ' ';
      if (!std::isxdigit(static_cast<unsigned char>(c))) fail("invalid escape in a string");
      point =
          point * 16 + static_cast<std::uint32_t>(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) fail("invalid escape in a string");
    if (point < 0x80) {
      value += static_cast<char>(point);
    } else if (point < 0x800) {
      value += static_cast<char>(0xC0 | (point >> 6));
    } else if (point < 0x10000) {
      value += static_cast<char>(0xE0 | (point >> 12));
    } else {
      value += static_cast<char>(0xF0 | (point >> 18));
      value += static_cast<char>(0x80 | ((point >> 12) & 0x3F));
    }
    if (point >= 0x800) value += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
    if (point >= 0x80) value += static_cast<char>(0x80 | (point & 0x3F));
    return digits;
  }

  std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool trim_next_ = false;    // the tag before this text ended in -%}
  bool after_block_ = false;  // a block or comment ended right before
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    throw Failure(fmt::format("line 1: template too long: expected at most {} bytes, found {}",
                              kMaxSourceBytes, source.size()));
  }
  std::string lines;  // all line ends alike
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      lines += '\n';
      i += i + 1 < source.size() && source[i + 1] == '\n';
    } else {
      lines += source[i];
    }
  }
  return Lexer(lines).run();
}

}  // namespace ocellus::text::jinja
