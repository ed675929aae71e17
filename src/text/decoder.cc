#include "text/decoder.h"

#include "base/result.h"
#include "base/utf8.h"

namespace ocellus::text {
namespace {

using base::make_error;
namespace bj = json::bj;

constexpr int kMaxNesting = 16;

// The byte that a piece like <0x0A> stands for.
std::optional<char> byte_of(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece.back() != '>') return std::nullopt;
  int value = 0;
  for (const char c : piece.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<char>(value);
}

// Neighbouring byte pieces become characters; a run that is not UTF-8 becomes one U+FFFD for each
// byte.
std::vector<std::string> join_bytes(std::vector<std::string> pieces, bool raw) {
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
  for (std::string& piece : pieces) {
    if (const auto byte = byte_of(piece)) {
      run += *byte;
    } else {
      flush();
      result.push_back(std::move(piece));
    }
  }
  flush();
  return result;
}

std::string fuse(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  return text;
}

}  // namespace

Result<Decoder> Decoder::parse(const bj::value* value, std::string_view file) {
  Decoder decoder;
  if (value != nullptr && !value->is_null())
    OCELLUS_RETURN_IF_ERROR(decoder.parse_step(*value, file, 0));
  return decoder;
}

Decoder Decoder::sentencepiece(bool strip_space) {
  Decoder decoder;
  decoder.steps_.push_back({Kind::kReplace, Pattern{"\xE2\x96\x81", {}}, " "});
  decoder.steps_.push_back({Kind::kByteFallback, {}, ""});
  decoder.steps_.push_back({Kind::kFuse, {}, ""});
  if (strip_space) decoder.steps_.push_back({Kind::kStrip, {}, " ", 1, 0});
  return decoder;
}

Status Decoder::parse_step(const bj::value& value, std::string_view file, int depth) {
  const std::string what = fmt::format("{}: decoder", file);
  if (!value.is_object()) return make_error(ErrorCode::kBadModel, "{}: expected an object", what);
  const bj::object& object = value.get_object();
  OCELLUS_ASSIGN_OR_RETURN(const std::string type, json::get_string_or(object, "type", what, ""));
  Step step{};
  if (type == "Sequence") {
    OCELLUS_ASSIGN_OR_RETURN(const bj::array* parts,
                             json::get_array_or_null(object, "decoders", what));
    if (parts == nullptr || depth >= kMaxNesting) {
      return make_error(ErrorCode::kBadModel, "{}: Sequence: no decoders, or nested too deeply",
                        what);
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
    return make_error(ErrorCode::kUnsupported, "{}: type \"{}\" is not known", what, type);
  }
  steps_.push_back(std::move(step));
  return {};
}

std::string Decoder::run(std::vector<std::string> pieces, bool raw) const {
  for (const Step& step : steps_) {
    switch (step.kind) {
      case Kind::kReplace:
        for (std::string& piece : pieces) piece = step.pattern.replace(piece, step.content);
        break;
      case Kind::kByteFallback:
        pieces = join_bytes(std::move(pieces), raw);
        break;
      case Kind::kFuse:
        pieces = {fuse(pieces)};
        break;
      case Kind::kStrip:
        for (std::string& piece : pieces) {
          if (step.content.empty()) break;
          for (int i = 0; i < step.start && piece.starts_with(step.content); ++i)
            piece.erase(0, step.content.size());
          for (int i = 0; i < step.stop && piece.ends_with(step.content); ++i)
            piece.resize(piece.size() - step.content.size());
        }
        break;
      case Kind::kByteLevel: {
        // A piece with a foreign character stands for its own bytes.
        std::string bytes;
        for (const std::string& piece : pieces) bytes += alphabet_to_bytes(piece).value_or(piece);
        pieces = {raw ? bytes : base::replace_invalid_utf8(bytes)};
        break;
      }
      case Kind::kMetaspace:
        for (std::size_t i = 0; i < pieces.size(); ++i) {
          const bool drop =
              i == 0 && step.strip_first && pieces[i].starts_with(step.pattern.literal);
          pieces[i] = step.pattern.replace(
              drop ? pieces[i].substr(step.pattern.literal.size()) : pieces[i], " ");
        }
        break;
    }
  }
  return fuse(pieces);
}

std::string Decoder::apply(std::vector<std::string> pieces) const {
  return run(std::move(pieces), false);
}

std::string Decoder::apply_raw(std::vector<std::string> pieces) const {
  return run(std::move(pieces), true);
}

}  // namespace ocellus::text
