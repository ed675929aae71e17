#include "server/dialects/ollama.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <chrono>

#include "json/json.h"
#include "ocellus/ocellus_version.h"
#include "server/dialects/content.h"
#include "server/dialects/keep_alive.h"
#include "server/dialects/response_format.h"
#include "server/fields.h"
#include "server/ids.h"
#include "server/site.h"

namespace ocellus::server {
namespace {

namespace bj = boost::json;

std::string line(const bj::object& value) { return bj::serialize(value) + "\n"; }

std::string time_text(std::int64_t seconds) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", fmt::gmtime(static_cast<std::time_t>(seconds)));
}
std::string now() { return time_text(unix_seconds()); }

std::int64_t nanoseconds(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }

class OllamaAnswer final : public AnswerFormat {
 public:
  explicit OllamaAnswer(bool chat) : chat_(chat) {}

  bool thoughts = true;  // are shown

  void answered_by(const std::string& name) override { model_ = name; }

  std::string stream_type() const override { return "application/x-ndjson"; }
  std::string piece(const AnswerPiece& piece) override {
    // As Ollama does: a line has one or the other.
    std::string out;
    if (thoughts && !piece.thoughts.empty()) out = line(part("", piece.thoughts, false));
    if (!piece.text.empty()) out += line(part(piece.text, "", false));
    return out;
  }
  std::string ping() override { return line(part("", "", false)); }
  std::string end(const AnswerStats& stats) override { return line(last("", "", stats)); }
  std::string error(const ApiError& error) override { return line({{"error", error.message}}); }
  Response whole(const Answer& answer) override {
    return {.body =
                bj::serialize(last(answer.text, thoughts ? answer.thoughts : "", answer.stats))};
  }
  Response loaded(bool there) const override {
    bj::object value = part("", "", true);
    value["done_reason"] = there ? "load" : "unload";
    return {.body = bj::serialize(value)};
  }
  Response refusal(const ApiError& error) const override { return ollama_error(error); }

 private:
  bj::object part(std::string_view text, std::string_view thinking, bool done) const {
    bj::object value = {{"model", model_}, {"created_at", now()}};
    if (chat_) {
      bj::object message = {{"role", "assistant"}, {"content", text}};
      if (!thinking.empty()) message["thinking"] = thinking;
      value["message"] = std::move(message);
    } else {
      value["response"] = text;
      if (!thinking.empty()) value["thinking"] = thinking;
    }
    value["done"] = done;
    return value;
  }
  bj::object last(std::string_view text, std::string_view thinking, const AnswerStats& s) const {
    bj::object value = part(text, thinking, true);
    value["done_reason"] = s.finish == FinishReason::kStop ? "stop" : "length";
    value["total_duration"] = nanoseconds(s.total_seconds);
    value["load_duration"] = nanoseconds(s.queue_seconds);
    value["prompt_eval_count"] = s.prompt_tokens;
    value["prompt_eval_duration"] = nanoseconds(s.first_token_seconds);
    value["eval_count"] = s.generated_tokens;
    value["eval_duration"] = nanoseconds(s.total_seconds - s.first_token_seconds);
    return value;
  }

  std::string model_;
  const bool chat_;
};

// "llava:latest" is "llava" to its clients.
std::string model_name(Fields& fields) {
  std::string name = fields.text("model").value_or("");
  if (name.ends_with(":latest")) name.resize(name.size() - 7);
  return name;
}

void read_options(Fields& fields, AskOptions& options) {
  options.seed = random_seed();
  const bj::object* const given = fields.object("options");
  if (given == nullptr) return;
  // What Ollama itself takes without a word: settings of hardware and of other samplers.
  Fields inner(*given, "options");
  options.temperature = inner.real("temperature", 0, 100);
  options.top_p = inner.real("top_p", 0, 1);
  options.min_p = inner.real("min_p", 0, 1);
  options.typical_p = inner.real("typical_p", 0, 1);
  options.top_k = inner.integer("top_k", 0, 1 << 21);
  options.repetition_penalty = inner.real("repeat_penalty", 0.01, 100);
  options.presence_penalty = inner.real("presence_penalty", -2, 2).value_or(0);
  options.frequency_penalty = inner.real("frequency_penalty", -2, 2).value_or(0);
  const auto most = inner.integer("num_predict", -2, 1 << 20);
  if (most && *most > 0) options.max_new_tokens = most;
  options.stop = inner.texts("stop", 16);
  std::erase(options.stop, std::string());
  if (const auto seed = inner.integer("seed", std::numeric_limits<std::int64_t>::min(),
                                      std::numeric_limits<std::int64_t>::max())) {
    options.seed = static_cast<std::uint64_t>(*seed);
  }
  if (inner.error()) fields.fail(*inner.error());
}

// Base64 in JSON strings; a data: URL too.
bool add_images(Fields& fields, const bj::value* images, const std::string& where,
                std::vector<Part>& parts) {
  if (images == nullptr || images->is_null()) return true;
  const bj::array* const list = images->if_array();
  if (list == nullptr) {
    fields.fail({.status = 400,
                 .code = "invalid_type",
                 .message = where + ": expected an array",
                 .param = where});
    return false;
  }
  for (const bj::value& image : *list) {
    if (!image.is_string()) {
      fields.fail({.status = 400,
                   .code = "invalid_type",
                   .message = where + ": expected base64 strings",
                   .param = where});
      return false;
    }
    std::string text(image.get_string().data(), image.get_string().size());
    if (text.starts_with("http://") || text.starts_with("https://")) {
      fields.fail({.status = 400,
                   .code = "invalid_image",
                   .message = where +
                              ": expected base64, found a URL: this API takes pictures only "
                              "by content",
                   .param = where});
      return false;
    }
    if (!text.starts_with("data:")) text = "data:image/*;base64," + text;
    parts.emplace_back(Picture::from_url(std::move(text)));
  }
  return true;
}

// Pictures come first, or where [img] stands, if it stands once for each.
std::vector<Part> with_text(std::vector<Part> images, const std::string& text) {
  constexpr std::string_view kMark = "[img]";
  std::vector<std::string> pieces;
  std::size_t at = 0;
  for (std::size_t found; (found = text.find(kMark, at)) != std::string::npos;
       at = found + kMark.size()) {
    pieces.push_back(text.substr(at, found - at));
  }
  pieces.push_back(text.substr(at));
  std::vector<Part> parts;
  if (!images.empty() && pieces.size() == images.size() + 1) {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      if (!pieces[i].empty()) parts.emplace_back(std::move(pieces[i]));
      if (i < images.size()) parts.push_back(std::move(images[i]));
    }
    return parts;
  }
  parts = std::move(images);
  if (!text.empty()) parts.emplace_back(text);
  return parts;
}

std::optional<Role> role_of(std::string_view name) {
  if (name == "system") return Role::kSystem;
  if (name == "user") return Role::kUser;
  if (name == "assistant") return Role::kAssistant;
  return std::nullopt;
}

void read_chat(Fields& fields, std::vector<Message>& messages) {
  const bj::value* const value = fields.any("messages");
  if (value == nullptr) return;  // nothing is asked
  const bj::array* const list = value->if_array();
  if (list == nullptr) return fields.fail("messages", "expected an array");
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string where = fmt::format("messages[{}]", i);
    const bj::object* const each = (*list)[i].if_object();
    if (each == nullptr)
      return fields.fail({.status = 400,
                          .code = "invalid_type",
                          .message = where + ": expected an object",
                          .param = where});
    Fields inner(*each, where);
    const auto role = role_of(inner.text("role").value_or(""));
    if (!role) inner.fail("role", "expected system, user or assistant");
    const std::string text = inner.text("content").value_or("");
    std::vector<Part> images;
    add_images(inner, inner.any("images"), where + ".images", images);
    inner.ignore({"thinking", "tool_name", "tool_calls"});
    inner.finish();
    if (inner.error()) return fields.fail(*inner.error());
    messages.push_back({*role, with_text(std::move(images), text)});
  }
}

void read_prompt(Fields& fields, std::vector<Message>& messages) {
  if (const auto system = fields.text("system"); system && !system->empty())
    messages.push_back(Message::system(*system));
  std::vector<Part> images;
  add_images(fields, fields.any("images"), "images", images);
  messages.push_back(
      {Role::kUser, with_text(std::move(images), fields.text("prompt").value_or(""))});
  const auto suffix = fields.text("suffix");
  if (suffix && !suffix->empty()) fields.fail("suffix", "is not built in", "unsupported_parameter");
  for (const char* name : {"template", "raw"}) {
    const bj::value* const value = fields.any(name);
    const bool off = value == nullptr || (value->is_bool() && !value->get_bool()) ||
                     (value->is_string() && value->get_string().empty());
    if (!off) fields.fail(name, "is not built in", "unsupported_parameter");
  }
  fields.ignore({"context"});
}

// Nothing: as the model does by itself. How much is the model's own affair.
std::optional<bool> read_think(Fields& fields) {
  const bj::value* const think = fields.any("think");
  if (think == nullptr) return std::nullopt;
  if (think->is_bool()) return think->get_bool();
  if (*think == "low" || *think == "medium" || *think == "high") return true;
  fields.fail("think", "expected true, false, low, medium or high", "unsupported_value");
  return std::nullopt;
}

std::expected<ParsedRequest, ApiError> parse(std::string_view body, bool chat) {
  const auto document = parse_body(body);
  if (!document) return std::unexpected(document.error());
  Fields fields(*document);
  ParsedRequest out;
  Generation& g = out.generation;
  g.model = model_name(fields);
  g.stream = fields.boolean("stream").value_or(true);
  read_options(fields, g.options);
  chat ? read_chat(fields, g.messages) : read_prompt(fields, g.messages);
  g.options.response_format = read_ollama_format(fields);
  g.options.thinking = read_think(fields);
  auto format = std::make_unique<OllamaAnswer>(chat);
  format->thoughts = g.options.thinking.value_or(true);
  if (const bj::value* const tools = fields.any("tools");
      tools != nullptr && !(tools->is_array() && tools->get_array().empty())) {
    fields.fail("tools", "this server calls no tools", "unsupported_parameter");
  }
  g.keep = read_keep_alive(fields, "keep_alive");
  g.load_only = std::ranges::all_of(g.messages, [](const Message& message) {
    return message.role != Role::kUser || message.parts.empty();
  });
  fields.ignore({"logprobs", "top_logprobs", "truncate", "shift"});
  fields.finish();
  if (fields.error()) return std::unexpected(*fields.error());
  if (auto error = settle_pictures(g.messages)) return std::unexpected(*std::move(error));
  g.ignored = fields.ignored();
  out.format = std::move(format);
  return out;
}

bj::object tag_json(const ServedModel& model) {
  return {{"name", model.name() + ":latest"},
          {"model", model.name() + ":latest"},
          {"modified_at", now()},
          {"size", 0},
          {"digest", ""},
          {"details", bj::object{{"format", "ocellus"},
                                 {"family", "llava"},
                                 {"families", bj::array{"llava"}},
                                 {"parameter_size", ""},
                                 {"quantization_level", ""}}}};
}

Response of_named_model(const Site& site, std::string_view body, const bj::object& found) {
  const auto document = parse_body(body);
  if (!document) return ollama_error(document.error());
  Fields fields(*document);
  std::string name = model_name(fields);
  if (name.empty()) name = fields.text("name").value_or("");
  if (!name.empty() && site.models.find(name) != nullptr) return {.body = bj::serialize(found)};
  return ollama_error(
      {.status = 404,
       .code = "model_not_found",
       .message = short_message(fmt::format("model \"{}\" not found", name.substr(0, 100)))});
}

}  // namespace

Response ollama_error(const ApiError& error) {
  return {.status = error.status, .body = bj::serialize(bj::object{{"error", error.message}})};
}

std::expected<ParsedRequest, ApiError> parse_ollama_chat(std::string_view body) {
  return parse(body, true);
}

std::expected<ParsedRequest, ApiError> parse_ollama_generate(std::string_view body) {
  return parse(body, false);
}

Response ollama_version(const Site&, std::string_view) {
  return {.body = bj::serialize(bj::object{{"version", ocellus::version()}})};
}

Response ollama_tags(const Site& site, std::string_view) {
  bj::array models;
  for (const auto& model : site.models.all()) models.push_back(tag_json(*model));
  return {.body = bj::serialize(bj::object{{"models", std::move(models)}})};
}

Response ollama_ps(const Site& site, std::string_view) {
  bj::array models;
  for (const auto& model : site.models.all()) {
    if (!model->loaded) continue;
    bj::object tag = tag_json(*model);
    const auto expires = model->expires_at();
    tag["expires_at"] = expires ? time_text(*expires) : "9999-12-31T23:59:59Z";
    tag["context_length"] = model->context_tokens();
    tag["size_vram"] = 0;
    models.push_back(std::move(tag));
  }
  return {.body = bj::serialize(bj::object{{"models", std::move(models)}})};
}

Response ollama_show(const Site& site, std::string_view body) {
  return of_named_model(site, body,
                        {{"capabilities", bj::array{"completion", "vision"}},
                         {"details", bj::object{{"format", "ocellus"}, {"family", "llava"}}},
                         {"model_info", bj::object{{"general.architecture", "llava"}}},
                         {"modelfile", ""},
                         {"template", ""},
                         {"parameters", ""}});
}

Response ollama_pull(const Site& site, std::string_view body) {
  return of_named_model(site, body, {{"status", "success"}});
}

}  // namespace ocellus::server
