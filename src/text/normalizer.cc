#include "text/normalizer.h"

#include <utf8proc.h>

#include <cstdlib>

#include "base/result.h"

namespace ocellus::text {
namespace {

using base::make_error;
namespace bj = json::bj;

constexpr int kMaxNesting = 16;

std::string unicode_form(const std::string& text, int options) {
  utf8proc_uint8_t* result = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &result,
                                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | options));
  if (length < 0) return text;  // not valid UTF-8: left as it is
  std::string normalized(reinterpret_cast<const char*>(result), static_cast<std::size_t>(length));
  std::free(result);
  return normalized;
}

std::string lowercase(std::string_view text) {
  std::string lower;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t point = 0;
    const auto used = utf8proc_iterate(bytes, left, &point);
    if (used <= 0) break;
    utf8proc_uint8_t encoded[4];
    const auto size = utf8proc_encode_char(utf8proc_tolower(point), encoded);
    lower.append(reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(size));
    bytes += used, left -= used;
  }
  return lower;
}

Result<const bj::object*> step_object(const bj::value& value, std::string_view what) {
  if (!value.is_object()) {
    return make_error(ErrorCode::kBadModel, "{}: expected an object, found {}", what,
                      json::kind_name(value));
  }
  return &value.get_object();
}

}  // namespace

Result<Normalizer> Normalizer::parse(const bj::value* value, std::string_view file) {
  Normalizer normalizer;
  if (value != nullptr && !value->is_null())
    OCELLUS_RETURN_IF_ERROR(normalizer.parse_step(*value, file, 0));
  return normalizer;
}

Normalizer Normalizer::sentencepiece(PrefixSpace prefix) {
  Normalizer normalizer;
  if (prefix == PrefixSpace::kUnlessSpaced || prefix == PrefixSpace::kStartOnly) return normalizer;
  if (prefix == PrefixSpace::kEveryText)
    normalizer.steps_.push_back({Kind::kPrepend, "\xE2\x96\x81", {}});
  normalizer.steps_.push_back({Kind::kReplace, "\xE2\x96\x81", Pattern{" ", {}}});
  return normalizer;
}

Normalizer Normalizer::nfc() {
  Normalizer normalizer;
  normalizer.steps_.push_back({Kind::kNfc, "", {}});
  return normalizer;
}

Status Normalizer::parse_step(const bj::value& value, std::string_view file, int depth) {
  const std::string what = fmt::format("{}: normalizer", file);
  OCELLUS_ASSIGN_OR_RETURN(const bj::object* object, step_object(value, what));
  OCELLUS_ASSIGN_OR_RETURN(const std::string type, json::get_string_or(*object, "type", what, ""));
  if (type == "Sequence") {
    OCELLUS_ASSIGN_OR_RETURN(const bj::array* parts,
                             json::get_array_or_null(*object, "normalizers", what));
    if (parts == nullptr || depth >= kMaxNesting) {
      return make_error(ErrorCode::kBadModel,
                        "{}: Sequence: expected normalizers, at most {} inside one another", what,
                        kMaxNesting);
    }
    for (const bj::value& part : *parts) OCELLUS_RETURN_IF_ERROR(parse_step(part, file, depth + 1));
    return {};
  }
  if (type == "Prepend") {
    OCELLUS_ASSIGN_OR_RETURN(std::string prefix, json::get_string_or(*object, "prepend", what, ""));
    steps_.push_back({Kind::kPrepend, std::move(prefix), {}});
  } else if (type == "Replace") {
    OCELLUS_ASSIGN_OR_RETURN(Pattern pattern, Pattern::parse(object->if_contains("pattern"), what));
    OCELLUS_ASSIGN_OR_RETURN(std::string content,
                             json::get_string_or(*object, "content", what, ""));
    steps_.push_back({Kind::kReplace, std::move(content), std::move(pattern)});
  } else if (type == "Strip") {
    Step step{Kind::kStrip, "", {}};
    OCELLUS_ASSIGN_OR_RETURN(step.left, json::get_bool_or(*object, "strip_left", what, true));
    OCELLUS_ASSIGN_OR_RETURN(step.right, json::get_bool_or(*object, "strip_right", what, true));
    steps_.push_back(std::move(step));
  } else if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD" ||
             type == "Lowercase") {
    steps_.push_back({type == "NFC"    ? Kind::kNfc
                      : type == "NFD"  ? Kind::kNfd
                      : type == "NFKC" ? Kind::kNfkc
                      : type == "NFKD" ? Kind::kNfkd
                                       : Kind::kLowercase,
                      "",
                      {}});
  } else {
    return make_error(ErrorCode::kUnsupported, "{}: type \"{}\" is not supported", what, type);
  }
  return {};
}

std::string Normalizer::apply(std::string text) const {
  for (const Step& step : steps_) text = apply_step(step, std::move(text));
  return text;
}

std::string Normalizer::apply(std::string text, std::string& trusted) const {
  for (const Step& step : steps_) {
    std::string after = apply_step(step, text);
    trusted = trace(step, text, after, trusted);
    text = std::move(after);
  }
  return text;
}

std::string Normalizer::apply_step(const Step& step, std::string text) {
  switch (step.kind) {
    case Kind::kPrepend:
      if (!text.empty()) text.insert(0, step.text);
      return text;
    case Kind::kReplace:
      return step.pattern.replace(text, step.text);
    case Kind::kNfc:
      return unicode_form(text, UTF8PROC_COMPOSE);
    case Kind::kNfd:
      return unicode_form(text, UTF8PROC_DECOMPOSE);
    case Kind::kNfkc:
      return unicode_form(text, UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
    case Kind::kNfkd:
      return unicode_form(text, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
    case Kind::kLowercase:
      return lowercase(text);
    case Kind::kStrip: {
      constexpr const char* kSpace = " \t\r\n\v\f";
      if (step.left) text.erase(0, text.find_first_not_of(kSpace));
      if (step.right) text.erase(text.find_last_not_of(kSpace) + 1);
      return text;
    }
  }
  return text;
}

std::string Normalizer::trace(const Step& step, const std::string& before, const std::string& after,
                              const std::string& trusted) {
  if (step.kind == Kind::kPrepend) return std::string(after.size() - before.size(), '\1') + trusted;
  if (before == after) return trusted;
  std::string result;
  if (step.kind == Kind::kReplace) {
    std::size_t done = 0;
    step.pattern.each_match(before, [&](std::size_t begin, std::size_t end) {
      result.append(trusted, done, begin - done);
      const std::string_view match = std::string_view(before).substr(begin, end - begin);
      const bool mine = match == " " || all_trusted(trusted, begin, end);
      result.append(step.text.size(), mine ? '\1' : '\0');
      done = end;
    });
    return result.append(trusted, done);
  }
  if (step.kind == Kind::kStrip) {
    const std::size_t first = before.find(after);
    return first == std::string::npos ? std::string(after.size(), '\0')
                                      : trusted.substr(first, after.size());
  }
  // Run by run of one author, where that gives the same text.
  std::string runs;
  for (std::size_t begin = 0; begin < before.size();) {
    const std::size_t end =
        std::min(trusted.find(trusted[begin] == '\0' ? '\1' : '\0', begin), before.size());
    const std::string run = apply_step(step, before.substr(begin, end - begin));
    runs += run;
    result.append(run.size(), trusted[begin]);
    begin = end;
  }
  return runs == after ? result : std::string(after.size(), '\0');
}

}  // namespace ocellus::text
