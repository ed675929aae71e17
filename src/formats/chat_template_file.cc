#include "formats/chat_template_file.h"

#include "base/result.h"
#include "formats/config_reader.h"
#include "json/json.h"

namespace ocellus::formats {

Result<std::optional<std::string>> parse_chat_template(std::string_view text,
                                                       std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(const ConfigFile document, ConfigFile::parse(text, file));
  const json::bj::value* value = document.object().if_contains("chat_template");
  if (value == nullptr || value->is_null()) return std::nullopt;
  const auto as_text = [](const json::bj::string& s) { return std::string(s.data(), s.size()); };
  if (value->is_string()) return as_text(value->get_string());
  const json::bj::value* chosen = nullptr;
  if (const json::bj::array* named = value->if_array()) {
    for (const json::bj::value& item : *named) {
      const json::bj::object* entry = item.if_object();
      const json::bj::value* name = entry == nullptr ? nullptr : entry->if_contains("name");
      const json::bj::value* content = entry == nullptr ? nullptr : entry->if_contains("template");
      if (name == nullptr || content == nullptr || !name->is_string() || !content->is_string())
        continue;
      if (chosen == nullptr || name->get_string() == "default") chosen = content;
    }
  }
  if (chosen == nullptr) {
    return base::make_error(ErrorCode::kBadModel,
                            "{}: chat_template: expected a text or a list of named texts, found {}",
                            file, json::kind_name(*value));
  }
  return as_text(chosen->get_string());
}

}  // namespace ocellus::formats
