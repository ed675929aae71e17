#include "formats/chat_messages.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/utf8.h"
#include "formats/file_url.h"
#include "json/json.h"

namespace ocellus::formats {
namespace {

namespace bj = boost::json;
using Names = std::initializer_list<std::string_view>;

template <typename... Args>
std::unexpected<Error> invalid(fmt::format_string<Args...> format, Args&&... args) {
  return base::make_error(ErrorCode::kInvalidArgument, format, std::forward<Args>(args)...);
}

std::string_view view(const bj::string& text) { return {text.data(), text.size()}; }

// A text of the document as errors show it: no longer than a line.
std::string quoted(std::string_view text) {
  constexpr std::size_t kMaxShown = 60;
  if (text.size() <= kMaxShown) return fmt::format("\"{}\"", text);
  text = text.substr(0, kMaxShown);
  return fmt::format("\"{}...\"", text.substr(0, base::valid_utf8_prefix(text)));
}

// Null where it is absent.
const bj::value* find(const bj::object& object, std::string_view key) {
  const bj::value* const value = object.if_contains({key.data(), key.size()});
  return value == nullptr || value->is_null() ? nullptr : value;
}

Result<const bj::value*> require(const bj::object& object, std::string_view key,
                                 std::string_view what) {
  if (const bj::value* const value = find(object, key)) return value;
  return invalid("{}: {} is missing", what, key);
}

Result<std::string_view> require_text(const bj::object& object, std::string_view key,
                                      std::string_view what) {
  OCELLUS_ASSIGN_OR_RETURN(const bj::value* const value, require(object, key, what));
  if (value->is_string()) return view(value->get_string());
  return invalid("{}.{}: expected a string, found {}", what, key, json::kind_name(*value));
}

// A key that is neither read nor known to change nothing would be dropped silently.
Status check_keys(const bj::object& object, Names known, std::string_view what) {
  for (const auto& [key, value] : object) {
    const std::string_view name(key.data(), key.size());
    if (value.is_null() || std::ranges::find(known, name) != known.end()) continue;
    return invalid("{}: key {}: expected one of {}", what, quoted(name), fmt::join(known, ", "));
  }
  return {};
}

bool has_prefix(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::ranges::equal(text.substr(0, prefix.size()), prefix, [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
         });
}

// "gs://bucket/a.png": a scheme, and not a path.
bool has_scheme(std::string_view text) {
  const std::size_t end = text.find("://");
  return end != 0 && end != std::string_view::npos &&
         std::ranges::all_of(text.substr(0, end), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '+' || c == '-' || c == '.';
         });
}

class Reader {
 public:
  explicit Reader(const ChatMessagesOptions& options) : options_(options) {}

  Result<Message> message(const bj::value& value, const std::string& what);

 private:
  Result<Part> part(const bj::value& value, const std::string& what);
  Result<Picture> image(const bj::object& part, const std::string& what) const;
  Result<Picture> picture(std::string_view url, std::string_view what) const;

  const ChatMessagesOptions& options_;
  std::size_t parts_ = 0;
};

Result<Picture> Reader::picture(std::string_view url, std::string_view what) const {
  if (url.find('\0') != std::string_view::npos) {
    return invalid("{}: expected a URL{}, found one with a NUL character", what,
                   options_.folder ? " or path" : "");
  }
  for (const std::string_view scheme : {"http://", "https://", "data:"}) {
    if (has_prefix(url, scheme)) return Picture::from_url(std::string(url));
  }
  if (!options_.folder) {
    return invalid("{}: expected an http, https or data: URL, found {}", what, quoted(url));
  }
  std::string path(url);
  if (has_prefix(url, "file://")) {
    OCELLUS_ASSIGN_OR_RETURN(path, parse_file_url(url, what));
  } else if (url.empty() || has_scheme(url)) {
    return invalid("{}: expected an http, https, data: or file: URL or a path, found {}", what,
                   quoted(url));
  }
  return Picture::from_path(*options_.folder / path);
}

Result<Picture> Reader::image(const bj::object& part, const std::string& what) const {
  OCELLUS_RETURN_IF_ERROR(check_keys(part, {"type", "image_url", "detail", "cache_control"}, what));
  OCELLUS_ASSIGN_OR_RETURN(const bj::value* const value, require(part, "image_url", what));
  const std::string where = what + ".image_url";
  const bj::value* detail = find(part, "detail");
  std::string_view url;
  if (const bj::object* const object = value->if_object()) {
    OCELLUS_RETURN_IF_ERROR(check_keys(*object, {"url", "detail"}, where));
    OCELLUS_ASSIGN_OR_RETURN(url, require_text(*object, "url", where));
    if (detail == nullptr) detail = find(*object, "detail");
  } else if (value->is_string()) {
    url = view(value->get_string());
  } else {
    return invalid("{}: expected a string or an object, found {}", where, json::kind_name(*value));
  }
  if (detail != nullptr && *detail != "auto" && *detail != "low" && *detail != "high") {
    return invalid("{}.detail: expected auto, low or high, found {}", where,
                   detail->is_string() ? quoted(view(detail->get_string()))
                                       : std::string(json::kind_name(*detail)));
  }
  return picture(url, value->is_string() ? where : where + ".url");
}

Result<Part> Reader::part(const bj::value& value, const std::string& what) {
  if (++parts_ > options_.max_parts) {
    return invalid("{}: expected at most {} parts in a conversation", what, options_.max_parts);
  }
  const bj::object* const object = value.if_object();
  if (object == nullptr) {
    return invalid("{}: expected an object, found {}", what, json::kind_name(value));
  }
  OCELLUS_ASSIGN_OR_RETURN(const std::string_view type, require_text(*object, "type", what));
  if (type == "image_url" || type == "input_image") {
    OCELLUS_ASSIGN_OR_RETURN(Picture found, image(*object, what));
    return Part(std::move(found));
  }
  if (type == "text" || type == "input_text" || type == "output_text") {
    OCELLUS_RETURN_IF_ERROR(
        check_keys(*object, {"type", "text", "annotations", "cache_control"}, what));
    OCELLUS_ASSIGN_OR_RETURN(const std::string_view text, require_text(*object, "text", what));
    return Part(std::string(text));
  }
  return invalid(
      "{}.type: expected text, input_text, output_text, image_url or input_image, found {}", what,
      quoted(type));
}

Result<Message> Reader::message(const bj::value& value, const std::string& what) {
  const bj::object* const object = value.if_object();
  if (object == nullptr) {
    return invalid("{}: expected an object, found {}", what, json::kind_name(value));
  }
  // Thoughts of earlier turns are no part of a conversation: templates leave them out.
  OCELLUS_RETURN_IF_ERROR(check_keys(
      *object, {"role", "content", "name", "id", "annotations", "type", "reasoning_content"},
      what));
  if (const bj::value* const type = find(*object, "type"); type != nullptr && *type != "message") {
    return invalid(
        "{}.type: expected message, found {}", what,
        type->is_string() ? quoted(view(type->get_string())) : std::string(json::kind_name(*type)));
  }
  Message message;
  OCELLUS_ASSIGN_OR_RETURN(const std::string_view role, require_text(*object, "role", what));
  if (role == "system" || role == "developer") {
    message.role = Role::kSystem;
  } else if (role == "user") {
    message.role = Role::kUser;
  } else if (role == "assistant") {
    message.role = Role::kAssistant;
  } else {
    return invalid("{}.role: expected system, developer, user or assistant, found {}", what,
                   quoted(role));
  }
  OCELLUS_ASSIGN_OR_RETURN(const bj::value* const content, require(*object, "content", what));
  if (content->is_string()) {
    if (++parts_ > options_.max_parts) {
      return invalid("{}: expected at most {} parts in a conversation", what, options_.max_parts);
    }
    message.parts.emplace_back(std::string(view(content->get_string())));
    return message;
  }
  const bj::array* const parts = content->if_array();
  if (parts == nullptr) {
    return invalid("{}.content: expected a string or an array, found {}", what,
                   json::kind_name(*content));
  }
  if (parts->empty()) return invalid("{}.content: expected at least one part, found none", what);
  for (std::size_t i = 0; i < parts->size(); ++i) {
    OCELLUS_ASSIGN_OR_RETURN(Part each, part((*parts)[i], fmt::format("{}.content[{}]", what, i)));
    message.parts.push_back(std::move(each));
  }
  return message;
}

}  // namespace

Result<std::vector<Message>> read_chat_messages(const bj::value& messages, std::string_view what,
                                                const ChatMessagesOptions& options) {
  const bj::array* const array = messages.if_array();
  if (array == nullptr) {
    return invalid("{}: expected an array of messages, found {}", what, json::kind_name(messages));
  }
  if (array->empty()) return invalid("{}: expected at least one message, found none", what);
  if (array->size() > options.max_messages) {
    return invalid("{}: expected at most {} messages, found {}", what, options.max_messages,
                   array->size());
  }
  Reader reader(options);
  std::vector<Message> read;
  read.reserve(array->size());
  for (std::size_t i = 0; i < array->size(); ++i) {
    OCELLUS_ASSIGN_OR_RETURN(Message message,
                             reader.message((*array)[i], fmt::format("{}[{}]", what, i)));
    read.push_back(std::move(message));
  }
  return read;
}

Result<std::vector<Message>> parse_chat_messages(std::string_view text, std::string_view what,
                                                 const ChatMessagesOptions& options) {
  if (text.size() > options.max_bytes) {
    return invalid("{}: expected at most {} bytes, found {}", what, options.max_bytes, text.size());
  }
  OCELLUS_ASSIGN_OR_RETURN(const bj::value document, json::parse(text, what));
  const std::string where = fmt::format("{}: messages", what);
  if (document.is_array()) return read_chat_messages(document, where, options);
  const bj::object* const object = document.if_object();
  if (object == nullptr) {
    return invalid("{}: expected an array of messages or an object with \"messages\", found {}",
                   what, json::kind_name(document));
  }
  OCELLUS_RETURN_IF_ERROR(check_keys(
      *object, {"messages", "model", "user", "metadata", "store", "stream", "stream_options"},
      what));
  OCELLUS_ASSIGN_OR_RETURN(const bj::value* const messages, require(*object, "messages", what));
  return read_chat_messages(*messages, where, options);
}

}  // namespace ocellus::formats
