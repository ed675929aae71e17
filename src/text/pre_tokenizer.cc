#include "text/pre_tokenizer.h"

#include <array>
#include <unordered_map>

#include "base/result.h"

namespace ocellus::text {
namespace {

using base::make_error;
namespace bj = json::bj;

constexpr int kMaxNesting = 16;
constexpr std::string_view kDigit = R"(\p{N})";
constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

std::string encode_point(std::uint32_t point) {
  if (point < 0x80) return {static_cast<char>(point)};
  return {static_cast<char>(0xC0 | point >> 6), static_cast<char>(0x80 | (point & 0x3F))};
}

// Bytes that print stand for themselves, the others for U+0100 and on, in order.
std::array<std::string, 256> make_alphabet() {
  std::array<std::string, 256> alphabet;
  std::uint32_t next = 0x100;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    const bool prints =
        (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    alphabet[byte] = encode_point(prints ? byte : next++);
  }
  return alphabet;
}

const std::array<std::string, 256>& alphabet() {
  static const auto* const table = new auto(make_alphabet());
  return *table;
}

}  // namespace

std::string bytes_to_alphabet(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) text += alphabet()[static_cast<unsigned char>(c)];
  return text;
}

std::optional<std::string> alphabet_to_bytes(std::string_view text) {
  static const auto* const reverse = [] {
    auto* map = new std::unordered_map<std::string, char>;
    for (int byte = 0; byte < 256; ++byte) map->emplace(alphabet()[byte], static_cast<char>(byte));
    return map;
  }();
  std::string bytes;
  while (!text.empty()) {
    const std::size_t length = static_cast<unsigned char>(text.front()) < 0x80 ? 1 : 2;
    const auto found = reverse->find(std::string(text.substr(0, length)));
    if (found == reverse->end()) return std::nullopt;
    bytes += found->second;
    text.remove_prefix(length);
  }
  return bytes;
}

Result<PreTokenizer> PreTokenizer::parse(const bj::value* value, std::string_view file) {
  PreTokenizer result;
  if (value != nullptr && !value->is_null())
    OCELLUS_RETURN_IF_ERROR(result.parse_step(*value, file, 0));
  return result;
}

PreTokenizer PreTokenizer::sentencepiece(PrefixSpace prefix) {
  PreTokenizer result;
  if (prefix != PrefixSpace::kUnlessSpaced && prefix != PrefixSpace::kStartOnly) return result;
  Step step{};
  step.kind = Kind::kMetaspace;
  step.prepend = prefix == PrefixSpace::kStartOnly ? Prepend::kFirst : Prepend::kAlways;
  step.replacement = "\xE2\x96\x81";
  step.use_pattern = false;
  result.steps_.push_back(std::move(step));
  return result;
}

Result<PreTokenizer> PreTokenizer::byte_level(std::string_view pattern, bool digits) {
  PreTokenizer result;
  if (digits) {
    Step split{};
    split.kind = Kind::kSplit;
    OCELLUS_ASSIGN_OR_RETURN(split.pattern.regex, Regex::compile(kDigit));
    result.steps_.push_back(std::move(split));
  }
  Step bytes{};
  bytes.kind = Kind::kByteLevel;
  bytes.use_pattern = pattern.empty();
  if (pattern.empty()) {
    OCELLUS_ASSIGN_OR_RETURN(bytes.pattern.regex, Regex::compile(kGpt2Pattern));
  } else {
    Step split{};
    split.kind = Kind::kSplit;
    OCELLUS_ASSIGN_OR_RETURN(split.pattern.regex, Regex::compile(pattern));
    result.steps_.push_back(std::move(split));
  }
  result.steps_.push_back(std::move(bytes));
  return result;
}

Status PreTokenizer::parse_step(const bj::value& value, std::string_view file, int depth) {
  const std::string what = fmt::format("{}: pre_tokenizer", file);
  if (!value.is_object()) return make_error(ErrorCode::kBadModel, "{}: expected an object", what);
  const bj::object& object = value.get_object();
  OCELLUS_ASSIGN_OR_RETURN(const std::string type, json::get_string_or(object, "type", what, ""));
  if (type == "Sequence") {
    OCELLUS_ASSIGN_OR_RETURN(const bj::array* parts,
                             json::get_array_or_null(object, "pretokenizers", what));
    if (parts == nullptr || depth >= kMaxNesting) {
      return make_error(ErrorCode::kBadModel,
                        "{}: Sequence: expected pretokenizers, at most {} inside one another", what,
                        kMaxNesting);
    }
    for (const bj::value& part : *parts) OCELLUS_RETURN_IF_ERROR(parse_step(part, file, depth + 1));
    return {};
  }
  Step step{};
  const auto regex_split = [&](std::string_view pattern, Behavior behavior) -> Status {
    OCELLUS_ASSIGN_OR_RETURN(step.pattern.regex, Regex::compile(pattern));
    step.kind = Kind::kSplit;
    step.behavior = behavior;
    return {};
  };
  if (type == "Split") {
    step.kind = Kind::kSplit;
    OCELLUS_ASSIGN_OR_RETURN(step.pattern, Pattern::parse(object.if_contains("pattern"), what));
    OCELLUS_ASSIGN_OR_RETURN(step.invert, json::get_bool_or(object, "invert", what, false));
    OCELLUS_ASSIGN_OR_RETURN(const std::string name,
                             json::get_string_or(object, "behavior", what, "Isolated"));
    static constexpr std::pair<std::string_view, Behavior> kNames[] = {
        {"Removed", Behavior::kRemoved},
        {"Isolated", Behavior::kIsolated},
        {"MergedWithPrevious", Behavior::kMergedWithPrevious},
        {"MergedWithNext", Behavior::kMergedWithNext},
        {"Contiguous", Behavior::kContiguous}};
    bool known = false;
    for (const auto& [spelling, behavior] : kNames) {
      if (spelling == name) step.behavior = behavior, known = true;
    }
    if (!known)
      return make_error(ErrorCode::kUnsupported, "{}: Split: behavior \"{}\" is not supported",
                        what, name);
  } else if (type == "ByteLevel") {
    step.kind = Kind::kByteLevel;
    OCELLUS_ASSIGN_OR_RETURN(step.add_prefix_space,
                             json::get_bool_or(object, "add_prefix_space", what, true));
    OCELLUS_ASSIGN_OR_RETURN(step.use_pattern, json::get_bool_or(object, "use_regex", what, true));
    OCELLUS_ASSIGN_OR_RETURN(step.pattern.regex, Regex::compile(kGpt2Pattern));
  } else if (type == "Metaspace") {
    step.kind = Kind::kMetaspace;
    OCELLUS_ASSIGN_OR_RETURN(step.replacement,
                             json::get_string_or(object, "replacement", what, "\xE2\x96\x81"));
    OCELLUS_ASSIGN_OR_RETURN(const bool prefix,
                             json::get_bool_or(object, "add_prefix_space", what, true));
    OCELLUS_ASSIGN_OR_RETURN(
        const std::string scheme,
        json::get_string_or(object, "prepend_scheme", what, prefix ? "always" : "never"));
    OCELLUS_ASSIGN_OR_RETURN(step.use_pattern, json::get_bool_or(object, "split", what, true));
    if (scheme != "always" && scheme != "first" && scheme != "never") {
      return make_error(ErrorCode::kUnsupported,
                        "{}: Metaspace: prepend_scheme \"{}\" is not supported", what, scheme);
    }
    step.prepend = scheme == "always"  ? Prepend::kAlways
                   : scheme == "first" ? Prepend::kFirst
                                       : Prepend::kNever;
    step.pattern.literal = step.replacement;
    step.behavior = Behavior::kMergedWithNext;
  } else if (type == "Digits") {
    OCELLUS_ASSIGN_OR_RETURN(const bool each,
                             json::get_bool_or(object, "individual_digits", what, false));
    OCELLUS_RETURN_IF_ERROR(regex_split(each ? kDigit : R"(\p{N}+)", Behavior::kIsolated));
  } else if (type == "Punctuation") {
    OCELLUS_RETURN_IF_ERROR(regex_split(R"([\p{P}!-/:-@\[-`{-~])", Behavior::kIsolated));
  } else if (type == "WhitespaceSplit") {
    OCELLUS_RETURN_IF_ERROR(regex_split(R"(\s)", Behavior::kRemoved));
  } else if (type == "Whitespace") {
    OCELLUS_RETURN_IF_ERROR(regex_split(R"(\w+|[^\w\s]+)", Behavior::kRemoved));
    step.invert = true;
  } else {
    return make_error(ErrorCode::kUnsupported, "{}: type \"{}\" is not supported", what, type);
  }
  steps_.push_back(std::move(step));
  return {};
}

std::vector<std::string> PreTokenizer::split(const Step& step, std::string_view text) {
  struct Part {
    std::size_t begin, end;
    bool match;
  };
  std::vector<Part> parts;
  std::size_t done = 0;
  step.pattern.each_match(text, [&](std::size_t begin, std::size_t end) {
    if (begin > done) parts.push_back({done, begin, step.invert});
    parts.push_back({begin, end, !step.invert});
    done = end;
  });
  if (done < text.size()) parts.push_back({done, text.size(), step.invert});

  std::vector<std::string> words;
  bool joins_previous = false;  // the word before may still grow
  const auto word_of = [&](const Part& part) {
    return std::string(text.substr(part.begin, part.end - part.begin));
  };
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i];
    bool append = false;
    switch (step.behavior) {
      case Behavior::kRemoved:
        if (part.match) continue;
        break;
      case Behavior::kIsolated:
        break;
      case Behavior::kContiguous:
        append = i > 0 && parts[i - 1].match == part.match;
        break;
      case Behavior::kMergedWithPrevious:
        append = part.match && i > 0 && !parts[i - 1].match;
        break;
      case Behavior::kMergedWithNext:
        append = !part.match && joins_previous;
        break;
    }
    joins_previous = part.match;
    if (append) {
      words.back() += word_of(part);
    } else {
      words.push_back(word_of(part));
    }
  }
  return words;
}

std::vector<std::string> PreTokenizer::apply(std::string text, bool at_start) const {
  std::vector<std::string> words;
  if (!text.empty()) words.push_back(std::move(text));
  bool first_step_word = at_start;
  for (const Step& step : steps_) {
    std::vector<std::string> next;
    for (std::size_t i = 0; i < words.size(); ++i) {
      std::string& word = words[i];
      std::vector<std::string> cut;
      if (step.kind == Kind::kMetaspace) {
        word = Pattern{" ", {}}.replace(word, step.replacement);
        const bool prefix = step.prepend == Prepend::kAlways ||
                            (step.prepend == Prepend::kFirst && first_step_word && i == 0);
        if (prefix && !word.starts_with(step.replacement)) word.insert(0, step.replacement);
        cut = step.use_pattern ? split(step, word) : std::vector<std::string>{std::move(word)};
      } else if (step.kind == Kind::kByteLevel) {
        if (step.add_prefix_space && !word.starts_with(' ')) word.insert(0, " ");
        cut = step.use_pattern ? split(step, word) : std::vector<std::string>{std::move(word)};
        for (std::string& part : cut) part = bytes_to_alphabet(part);
      } else {
        cut = split(step, word);
      }
      for (std::string& part : cut) next.push_back(std::move(part));
    }
    words = std::move(next);
  }
  return words;
}

}  // namespace ocellus::text
