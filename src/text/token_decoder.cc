#include "text/token_decoder.h"

#include "base/result.h"
#include "base/utf8.h"
#include "text/pre_tokenizer.h"

namespace ocellus::text {
namespace {

using base::make_error;
namespace bj = json::bj;

constexpr int kMaxNesting = 16;

// The byte that a token like <0x0A> stands for.
std::optional<char> byte_of(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return std::nullopt;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<char>(value);
}

// Neighbouring byte tokens become characters; a run that is not UTF-8 becomes one U+FFFD for each
// byte.
std::vector<std::string> join_bytes(std::vector<std::string> tokens, bool raw) {
  std::vector<std::string> result;
  std::string run;
  const auto flush = [&] {
    if (run.empty()) return;
    if (raw || base::is_valid_utf8(run)) {
      result.push_back(run);
    } else {
      for (std::size_t i = 0; i < run.size(); ++i) result.push_back("\xEF\xBF\xBD");
    }
    run.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = byte_of(token)) {
      run += *byte;
    } else {
      flush();
      result.push_back(std::move(token));
    }
  }
  flush();
  return result;
}

std::string fuse(const std::vector<std::string>& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

}  // namespace

Result<TokenDecoder> TokenDecoder::parse(const bj::value* value, std::string_view file) {
  TokenDecoder decoder;
  if (value != nullptr && !value->is_null())
    OCELLUS_RETURN_IF_ERROR(decoder.parse_step(*value, file, 0));
  return decoder;
}

TokenDecoder TokenDecoder::sentencepiece(bool strip_space) {
  TokenDecoder decoder;
  decoder.steps_.push_back({Kind::kReplace, Pattern{"\xE2\x96\x81", {}}, " "});
  decoder.steps_.push_back({Kind::kByteFallback, {}, ""});
  decoder.steps_.push_back({Kind::kFuse, {}, ""});
  if (strip_space) decoder.steps_.push_back({Kind::kStrip, {}, " ", 1, 0});
  return decoder;
}

TokenDecoder TokenDecoder::byte_level() {
  TokenDecoder decoder;
  decoder.steps_.push_back({Kind::kByteLevel, {}, ""});
  return decoder;
}

Status TokenDecoder::parse_step(const bj::value& value, std::string_view file, int depth) {
  const std::string what = fmt::format("{}: decoder", file);
  if (!value.is_object()) return make_error(ErrorCode::kBadModel, "{}: expected an object", what);
  const bj::object& object = value.get_object();
  OCELLUS_ASSIGN_OR_RETURN(const std::string type, json::get_string_or(object, "type", what, ""));
  Step step{};
  if (type == "Sequence") {
    OCELLUS_ASSIGN_OR_RETURN(const bj::array* parts,
                             json::get_array_or_null(object, "decoders", what));
    if (parts == nullptr || depth >= kMaxNesting) {
      return make_error(ErrorCode::kBadModel,
                        "{}: Sequence: expected decoders, at most {} inside one another", what,
                        kMaxNesting);
    }
    for (const bj::value& part : *parts) OCELLUS_RETURN_IF_ERROR(parse_step(part, file, depth + 1));
    return {};
  }
  if (type == "Replace") {
    step.kind = Kind::kReplace;
    OCELLUS_ASSIGN_OR_RETURN(step.pattern, Pattern::parse(object.if_contains("pattern"), what));
    OCELLUS_ASSIGN_OR_RETURN(step.content, json::get_string_or(object, "content", what, ""));
  } else if (type == "ByteFallback") {
    step.kind = Kind::kByteFallback;
  } else if (type == "Fuse") {
    step.kind = Kind::kFuse;
  } else if (type == "Strip") {
    step.kind = Kind::kStrip;
    OCELLUS_ASSIGN_OR_RETURN(step.content, json::get_string_or(object, "content", what, " "));
    OCELLUS_ASSIGN_OR_RETURN(const auto start, json::get_int_or(object, "start", what, 0, 0, 1024));
    OCELLUS_ASSIGN_OR_RETURN(const auto stop, json::get_int_or(object, "stop", what, 0, 0, 1024));
    step.start = static_cast<int>(start), step.stop = static_cast<int>(stop);
  } else if (type == "ByteLevel") {
    step.kind = Kind::kByteLevel;
  } else if (type == "Metaspace") {
    step.kind = Kind::kMetaspace;
    OCELLUS_ASSIGN_OR_RETURN(step.pattern.literal,
                             json::get_string_or(object, "replacement", what, "\xE2\x96\x81"));
    OCELLUS_ASSIGN_OR_RETURN(const std::string scheme,
                             json::get_string_or(object, "prepend_scheme", what, "always"));
    step.strip_first = scheme != "never";
  } else {
    return make_error(ErrorCode::kUnsupported, "{}: type \"{}\" is not supported", what, type);
  }
  steps_.push_back(std::move(step));
  return {};
}

std::string TokenDecoder::run(std::vector<std::string> tokens, bool raw) const {
  for (const Step& step : steps_) {
    switch (step.kind) {
      case Kind::kReplace:
        for (std::string& token : tokens) token = step.pattern.replace(token, step.content);
        break;
      case Kind::kByteFallback:
        tokens = join_bytes(std::move(tokens), raw);
        break;
      case Kind::kFuse:
        tokens = {fuse(tokens)};
        break;
      case Kind::kStrip:
        for (std::string& token : tokens) {
          if (step.content.empty()) break;
          for (int i = 0; i < step.start && token.starts_with(step.content); ++i)
            token.erase(0, step.content.size());
          for (int i = 0; i < step.stop && token.ends_with(step.content); ++i)
            token.resize(token.size() - step.content.size());
        }
        break;
      case Kind::kByteLevel: {
        // A token with a foreign character stands for its own bytes.
        std::string bytes;
        for (const std::string& token : tokens) bytes += alphabet_to_bytes(token).value_or(token);
        tokens = {raw ? bytes : base::replace_invalid_utf8(bytes)};
        break;
      }
      case Kind::kMetaspace:
        for (std::size_t i = 0; i < tokens.size(); ++i) {
          const bool drop =
              i == 0 && step.strip_first && tokens[i].starts_with(step.pattern.literal);
          tokens[i] = step.pattern.replace(
              drop ? tokens[i].substr(step.pattern.literal.size()) : tokens[i], " ");
        }
        break;
    }
  }
  return fuse(tokens);
}

std::string TokenDecoder::apply(std::vector<std::string> tokens) const {
  return run(std::move(tokens), false);
}

std::string TokenDecoder::apply_raw(std::vector<std::string> tokens) const {
  return run(std::move(tokens), true);
}

}  // namespace ocellus::text
