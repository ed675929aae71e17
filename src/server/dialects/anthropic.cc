#include "server/dialects/anthropic.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "json/json.h"
#include "server/dialects/content.h"
#include "server/dialects/response_format.h"
#include "server/fields.h"
#include "server/ids.h"

namespace ocellus::server {
namespace {

namespace bj = boost::json;

bj::object usage_json(const AnswerStats& s) {
  return {{"input_tokens", s.prompt_tokens - s.cached_tokens},
          {"cache_read_input_tokens", s.cached_tokens},
          {"cache_creation_input_tokens", 0},
          {"output_tokens", s.generated_tokens}};
}

class AnthropicMessages final : public AnswerFormat {
 public:
  bool thoughts = false;  // are shown

  void answered_by(const std::string& name) override { model_ = name; }
  std::string stream_type() const override { return "text/event-stream"; }

  std::string begin() override {
    bj::object message = message_json(bj::array(), AnswerStats());
    message["stop_reason"] = nullptr;
    return event({{"type", "message_start"}, {"message", std::move(message)}});
  }

  std::string piece(const AnswerPiece& piece) override {
    std::string out;
    if (thoughts && !piece.thoughts.empty()) {
      out += open("thinking");
      out += delta({{"type", "thinking_delta"}, {"thinking", piece.thoughts}});
    }
    if (!piece.text.empty()) {
      out += open("text");
      out += delta({{"type", "text_delta"}, {"text", piece.text}});
    }
    return out;
  }

  std::string ping() override { return event({{"type", "ping"}}); }

  std::string end(const AnswerStats& stats) override {
    // A message always has a text, if an empty one.
    std::string text = open("text");
    text += close();
    return text +
           event({{"type", "message_delta"},
                  {"delta",
                   bj::object{{"stop_reason", stop_reason(stats)}, {"stop_sequence", nullptr}}},
                  {"usage", usage_json(stats)}}) +
           event({{"type", "message_stop"}});
  }

  std::string error(const ApiError& error) override {
    return "event: error\ndata: " + anthropic_error(error).body + "\n\n";
  }

  Response whole(const Answer& answer) override {
    bj::array content;
    if (thoughts && !answer.thoughts.empty())
      content.push_back(
          bj::object{{"type", "thinking"}, {"thinking", answer.thoughts}, {"signature", ""}});
    content.push_back(bj::object{{"type", "text"}, {"text", answer.text}});
    bj::object message = message_json(std::move(content), answer.stats);
    message["stop_reason"] = stop_reason(answer.stats);
    return {.body = bj::serialize(message)};
  }

  Response refusal(const ApiError& error) const override { return anthropic_error(error); }

 private:
  static std::string event(const bj::object& value) {
    const bj::string& type = value.at("type").as_string();
    return fmt::format("event: {}\ndata: {}\n\n", std::string_view(type.data(), type.size()),
                       bj::serialize(value));
  }
  // The block that is being written, `type` from now on; one after the other.
  std::string open(std::string_view type) {
    if (open_ == type) return {};
    const std::string closed = close();
    open_ = type;
    bj::object block = {{"type", type}, {type, ""}};
    if (type == "thinking") block["signature"] = "";
    return closed + event({{"type", "content_block_start"},
                           {"index", index_},
                           {"content_block", std::move(block)}});
  }
  std::string close() {
    if (open_.empty()) return {};
    open_.clear();
    return event({{"type", "content_block_stop"}, {"index", index_++}});
  }
  std::string delta(bj::object delta) const {
    return event({{"type", "content_block_delta"}, {"index", index_}, {"delta", std::move(delta)}});
  }
  static const char* stop_reason(const AnswerStats& stats) {
    return stats.finish == FinishReason::kStop ? "end_turn" : "max_tokens";
  }
  bj::object message_json(bj::array content, const AnswerStats& stats) const {
    return {{"id", id_},
            {"type", "message"},
            {"role", "assistant"},
            {"model", model_},
            {"content", std::move(content)},
            {"stop_sequence", nullptr},
            {"usage", usage_json(stats)}};
  }

  std::string model_, open_;
  int index_ = 0;
  const std::string id_ = new_id("msg_");
};

// A block of this dialect as a part of OpenAI's, or an error at `where`.
std::expected<bj::value, ApiError> part_of(const bj::object& block, const std::string& where) {
  Fields fields(block, where);
  const std::string type = fields.text("type").value_or("");
  fields.ignore({"cache_control", "citations"});
  if (type == "text") {
    const auto text = fields.text("text");
    if (!text) fields.fail("text", "is missing");
    fields.finish();
    if (fields.error()) return std::unexpected(*fields.error());
    return bj::object{{"type", "text"}, {"text", *text}};
  }
  if (type != "image") {
    fields.fail("type", fmt::format("expected text or image, found \"{}\"", type.substr(0, 40)),
                "unsupported_value");
    return std::unexpected(*fields.error());
  }
  fields.ignore({"transformations"});
  const bj::object* const source = fields.object("source");
  fields.finish();
  if (source == nullptr) fields.fail("source", "is missing");
  if (fields.error()) return std::unexpected(*fields.error());
  Fields inner(*source, where + ".source");
  const std::string kind = inner.text("type").value_or("");
  std::string url;
  if (kind == "base64") {
    url = fmt::format("data:{};base64,{}", inner.text("media_type").value_or("image/*"),
                      inner.text("data").value_or(""));
  } else if (kind == "url") {
    url = inner.text("url").value_or("");
  } else {
    inner.fail("type", fmt::format("expected base64 or url, found \"{}\"", kind.substr(0, 40)),
               "unsupported_value");
  }
  inner.finish();
  if (inner.error()) return std::unexpected(*inner.error());
  return bj::object{{"type", "image_url"}, {"image_url", bj::object{{"url", std::move(url)}}}};
}

// A text, or an array of blocks.
std::expected<bj::value, ApiError> content_of(const bj::value& content, const std::string& where) {
  if (content.is_string()) return content;
  const bj::array* const blocks = content.if_array();
  if (blocks == nullptr) {
    return std::unexpected(
        ApiError{.status = 400,
                 .code = "invalid_type",
                 .message = fmt::format("{}: expected a string or an array of blocks, found {}",
                                        where, json::kind_name(content)),
                 .param = where});
  }
  bj::array parts;
  for (std::size_t i = 0; i < blocks->size(); ++i) {
    const std::string here = fmt::format("{}[{}]", where, i);
    const bj::object* const block = (*blocks)[i].if_object();
    if (block == nullptr) {
      return std::unexpected(ApiError{.status = 400,
                                      .code = "invalid_type",
                                      .message = here + ": expected an object",
                                      .param = here});
    }
    // Thoughts of earlier turns, which clients send back: templates leave them out.
    const bj::value* const type = block->if_contains("type");
    if (type != nullptr && (*type == "thinking" || *type == "redacted_thinking")) continue;
    auto part = part_of(*block, here);
    if (!part) return std::unexpected(part.error());
    parts.push_back(*std::move(part));
  }
  return parts;
}

// Whether thoughts are shown. Without the field there are none, as this dialect has it.
bool read_thinking(Fields& fields, Generation& g) {
  g.options.thinking = false;
  const bj::object* const thinking = fields.object("thinking");
  if (thinking == nullptr) return false;
  Fields inner(*thinking, "thinking");
  const std::string type = inner.text("type").value_or("");
  inner.ignore({"budget_tokens", "display"});
  if (type != "enabled" && type != "adaptive" && type != "disabled")
    inner.fail(
        "type",
        fmt::format("expected enabled, adaptive or disabled, found \"{}\"", type.substr(0, 40)),
        "unsupported_value");
  inner.finish();
  if (inner.error()) fields.fail(*inner.error());
  g.ignored = inner.ignored();
  g.options.thinking = type != "disabled";
  return *g.options.thinking;
}

// The messages in OpenAI's shape, the system text first.
std::expected<bj::array, ApiError> messages_of(Fields& fields) {
  bj::array out;
  if (const bj::value* const system = fields.any("system")) {
    auto content = content_of(*system, "system");
    if (!content) return std::unexpected(content.error());
    out.push_back(bj::object{{"role", "system"}, {"content", *std::move(content)}});
  }
  const bj::value* const messages = fields.any("messages");
  const bj::array* const list = messages == nullptr ? nullptr : messages->if_array();
  if (list == nullptr) {
    fields.fail("messages", "expected an array");
    return std::unexpected(*fields.error());
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string where = fmt::format("messages[{}]", i);
    const bj::object* const message = (*list)[i].if_object();
    const bj::value* const content = message == nullptr ? nullptr : message->if_contains("content");
    const bj::value* const role = message == nullptr ? nullptr : message->if_contains("role");
    if (content == nullptr || role == nullptr) {
      return std::unexpected(ApiError{.status = 400,
                                      .code = "invalid_value",
                                      .message = where + ": expected role and content",
                                      .param = where});
    }
    auto parts = content_of(*content, where + ".content");
    if (!parts) return std::unexpected(parts.error());
    out.push_back(bj::object{{"role", *role}, {"content", *std::move(parts)}});
  }
  return out;
}

}  // namespace

Response anthropic_error(const ApiError& error) {
  return {.status = error.status,
          .body = bj::serialize(bj::object{{"type", "error"},
                                           {"error", bj::object{{"type", error_type(error.status)},
                                                                {"message", error.message}}}})};
}

std::expected<ParsedRequest, ApiError> parse_anthropic(std::string_view body) {
  const auto document = parse_body(body);
  if (!document) return std::unexpected(document.error());
  Fields fields(*document);
  ParsedRequest out;
  Generation& g = out.generation;
  g.model = fields.text("model").value_or("");
  g.stream = fields.boolean("stream").value_or(false);
  g.options.max_new_tokens = fields.integer("max_tokens", 1, 1 << 20);
  g.options.temperature = fields.real("temperature", 0, 2);
  g.options.top_p = fields.real("top_p", 0, 1);
  g.options.top_k = fields.integer("top_k", 0, 1 << 21);
  g.options.stop = fields.texts("stop_sequences", 16);
  std::erase(g.options.stop, std::string());
  g.options.seed = random_seed();
  if (const bj::value* const tools = fields.any("tools");
      tools != nullptr && !(tools->is_array() && tools->get_array().empty())) {
    fields.fail("tools", "this server calls no tools", "unsupported_parameter");
  }
  if (const bj::object* const config = fields.object("output_config")) {
    Fields inner(*config, "output_config");
    g.options.response_format = read_format_object(inner, "format");
    inner.ignore({"effort"});
    inner.finish();
    if (inner.error()) fields.fail(*inner.error());
  }
  if (ResponseFormat older = read_format_object(fields, "output_format");
      older.kind != ResponseFormat::Kind::kText) {
    g.options.response_format = std::move(older);
  }
  fields.ignore({"metadata", "service_tier", "tool_choice", "cache_control", "container"});
  auto format = std::make_unique<AnthropicMessages>();
  format->thoughts = read_thinking(fields, g);
  auto messages = messages_of(fields);
  if (!messages) return std::unexpected(messages.error());
  fields.finish();
  if (fields.error()) return std::unexpected(*fields.error());
  const bj::object shaped = {{"messages", *std::move(messages)}};
  Fields inner(shaped);
  g.messages = read_messages(inner, "messages");
  if (inner.error()) return std::unexpected(*inner.error());
  if (auto error = settle_pictures(g.messages)) return std::unexpected(*std::move(error));
  g.ignored.insert(g.ignored.end(), fields.ignored().begin(), fields.ignored().end());
  out.format = std::move(format);
  return out;
}

}  // namespace ocellus::server
