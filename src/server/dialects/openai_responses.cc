#include "server/dialects/openai_responses.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "json/json.h"
#include "server/dialects/content.h"
#include "server/dialects/openai_chat.h"
#include "server/dialects/reasoning.h"
#include "server/dialects/response_format.h"
#include "server/fields.h"
#include "server/ids.h"

namespace ocellus::server {
namespace {

namespace bj = boost::json;

bj::object usage_json(const AnswerStats& s) {
  return {{"input_tokens", s.prompt_tokens},
          {"input_tokens_details", bj::object{{"cached_tokens", s.cached_tokens},
                                              {"image_tokens", s.image_tokens},
                                              {"unbounded_image_tokens", s.unbounded_image_tokens},
                                              {"text_tokens", s.prompt_tokens - s.image_tokens}}},
          {"output_tokens", s.generated_tokens},
          {"output_tokens_details", bj::object{{"reasoning_tokens", s.thought_tokens}}},
          {"total_tokens", s.prompt_tokens + s.generated_tokens}};
}

class OpenAiResponses : public AnswerFormat {
 public:
  // What the response repeats of the request.
  bj::object echo;

  void answered_by(const std::string& model) override { model_ = model; }
  std::string stream_type() const override { return "text/event-stream"; }

  std::string begin() override {
    const bj::object response = response_json("in_progress", nullptr);
    // One after the other: each takes the next number.
    std::string out = event("response.created", {{"response", response}});
    out += event("response.in_progress", {{"response", response}});
    return out;
  }

  std::string piece(const AnswerPiece& piece) override {
    std::string out;
    if (!piece.thoughts.empty()) {
      if (thoughts_.empty()) out += begin_thoughts();
      thoughts_ += piece.thoughts;
      out += event("response.reasoning_text.delta", of_thoughts({{"delta", piece.thoughts}}));
    }
    if (!piece.text.empty()) {
      out += begin_text();
      text_ += piece.text;
      out += event("response.output_text.delta",
                   place({{"delta", piece.text}, {"logprobs", bj::array()}}));
    }
    return out;
  }

  std::string ping() override { return ": ping\n\n"; }

  std::string end(const AnswerStats& stats) override {
    const bool whole = stats.finish == FinishReason::kStop;
    const char* const status = whole ? "completed" : "incomplete";
    std::string out = begin_text();  // a response always has a text, if an empty one
    out += event("response.output_text.done", place({{"text", text_}, {"logprobs", bj::array()}}));
    out += event("response.content_part.done", place({{"part", part_json(text_)}}));
    out += event(
        "response.output_item.done",
        {{"output_index", text_index()}, {"item", item_json(status, bj::array{part_json(text_)})}});
    out += event(whole ? "response.completed" : "response.incomplete",
                 {{"response", response_json(status, &stats)}});
    return out;
  }

  std::string error(const ApiError& error) override {
    bj::object value = {{"code", error.code}, {"message", error.message}, {"param", nullptr}};
    if (!error.param.empty()) value["param"] = error.param;
    return event("error", std::move(value));
  }

  Response whole(const Answer& answer) override {
    text_ = answer.text;
    thoughts_ = answer.thoughts;
    const bool whole = answer.stats.finish == FinishReason::kStop;
    return {.body =
                bj::serialize(response_json(whole ? "completed" : "incomplete", &answer.stats))};
  }

  Response refusal(const ApiError& error) const override { return openai_error(error); }

 private:
  std::string event(std::string_view type, bj::object value) {
    bj::object all = {{"type", type}, {"sequence_number", sequence_++}};
    for (auto& [key, each] : value) all[key] = std::move(each);
    return fmt::format("event: {}\ndata: {}\n\n", type, bj::serialize(all));
  }
  bj::object place(bj::object value) const {
    value["item_id"] = item_id_;
    value["output_index"] = text_index();
    value["content_index"] = 0;
    return value;
  }
  bj::object of_thoughts(bj::object value) const {
    value["item_id"] = thoughts_id_;
    value["output_index"] = 0;
    value["content_index"] = 0;
    return value;
  }
  // Thoughts are an item before the text's.
  int text_index() const { return thoughts_.empty() ? 0 : 1; }

  std::string begin_thoughts() {
    std::string out = event("response.output_item.added",
                            {{"output_index", 0}, {"item", thoughts_json("in_progress", {})}});
    out += event("response.content_part.added", of_thoughts({{"part", thoughts_part("")}}));
    return out;
  }
  std::string end_thoughts() {
    const bj::object part = thoughts_part(thoughts_);
    std::string out = event("response.reasoning_text.done", of_thoughts({{"text", thoughts_}}));
    out += event("response.content_part.done", of_thoughts({{"part", part}}));
    out += event("response.output_item.done",
                 {{"output_index", 0}, {"item", thoughts_json("completed", bj::array{part})}});
    return out;
  }
  std::string begin_text() {
    if (std::exchange(text_begun_, true)) return {};
    std::string out;
    if (!thoughts_.empty()) out += end_thoughts();
    out += event("response.output_item.added",
                 {{"output_index", text_index()}, {"item", item_json("in_progress", bj::array())}});
    out += event("response.content_part.added", place({{"part", part_json("")}}));
    return out;
  }
  static bj::object thoughts_part(const std::string& text) {
    return {{"type", "reasoning_text"}, {"text", text}};
  }
  bj::object thoughts_json(const char* status, bj::array content) const {
    return {{"type", "reasoning"},
            {"id", thoughts_id_},
            {"status", status},
            {"summary", bj::array()},
            {"content", std::move(content)}};
  }
  static bj::object part_json(const std::string& text) {
    return {{"type", "output_text"},
            {"text", text},
            {"annotations", bj::array()},
            {"logprobs", bj::array()}};
  }
  bj::object item_json(const char* status, bj::array content) const {
    return {{"type", "message"},
            {"id", item_id_},
            {"status", status},
            {"role", "assistant"},
            {"content", std::move(content)}};
  }
  // `stats`: null while the answer is being made.
  bj::object response_json(const char* status, const AnswerStats* stats) const {
    bj::object all = {{"id", id_},
                      {"object", "response"},
                      {"created_at", created_},
                      {"status", status},
                      {"background", false},
                      {"error", nullptr},
                      {"incomplete_details", nullptr},
                      {"model", model_},
                      {"output", bj::array()},
                      {"parallel_tool_calls", false},
                      {"previous_response_id", nullptr},
                      {"reasoning", bj::object{{"effort", nullptr}, {"summary", nullptr}}},
                      {"service_tier", "default"},
                      {"store", false},
                      {"tool_choice", "auto"},
                      {"tools", bj::array()},
                      {"top_logprobs", 0},
                      {"truncation", "disabled"},
                      {"usage", nullptr}};
    for (const auto& [key, value] : echo) all[key] = value;
    if (stats != nullptr) {
      all["completed_at"] = unix_seconds();
      bj::array output;
      if (!thoughts_.empty())
        output.push_back(thoughts_json("completed", bj::array{thoughts_part(thoughts_)}));
      output.push_back(item_json(status, bj::array{part_json(text_)}));
      all["output"] = std::move(output);
      all["usage"] = usage_json(*stats);
      if (stats->finish != FinishReason::kStop)
        all["incomplete_details"] = bj::object{{"reason", "max_output_tokens"}};
    }
    return all;
  }

  std::string model_, thoughts_, text_;
  bool text_begun_ = false;
  const std::string id_ = new_id("resp_"), item_id_ = new_id("msg_"), thoughts_id_ = new_id("rs_");
  const std::int64_t created_ = unix_seconds();
  std::int64_t sequence_ = 0;
};

ApiError wrong(const std::string& where, std::string_view what) {
  return {.status = 400,
          .code = "invalid_value",
          .message = short_message(fmt::format("{}: {}", where, what)),
          .param = where};
}

// A part in chat's shape.
std::expected<bj::value, ApiError> part_of(const bj::value& value, const std::string& where) {
  const bj::object* const part = value.if_object();
  if (part == nullptr) return std::unexpected(wrong(where, "expected an object"));
  Fields fields(*part, where);
  const std::string type = fields.text("type").value_or("");
  bj::object out;
  if (type == "input_text" || type == "output_text" || type == "text") {
    const auto text = fields.text("text");
    if (!text) fields.fail("text", "is missing");
    fields.ignore({"annotations", "logprobs", "prompt_cache_breakpoint"});
    out = {{"type", "text"}, {"text", text.value_or("")}};
  } else if (type == "input_image" || type == "image_url") {
    const bj::value* const url = fields.any("image_url");
    if (fields.any("file_id") != nullptr)
      fields.fail("file_id", "this server keeps no files", "unsupported_parameter");
    if (url == nullptr && !fields.error()) fields.fail("image_url", "is missing");
    fields.ignore({"detail", "prompt_cache_breakpoint"});
    out = {{"type", "image_url"}};
    if (url != nullptr) out["image_url"] = *url;
  } else {
    fields.fail("type",
                fmt::format("expected input_text, input_image or output_text, found \"{}\"",
                            type.substr(0, 40)),
                "unsupported_value");
  }
  fields.finish();
  if (fields.error()) return std::unexpected(*fields.error());
  return out;
}

// An item of `input` as a message in chat's shape.
std::expected<bj::value, ApiError> message_of(const bj::value& value, const std::string& where) {
  const bj::object* const item = value.if_object();
  if (item == nullptr) return std::unexpected(wrong(where, "expected an object"));
  Fields fields(*item, where);
  const std::string type = fields.text("type").value_or("message");
  const std::string role = fields.text("role").value_or("");
  if (type != "message") {
    fields.fail("type", fmt::format("expected message, found \"{}\"", type.substr(0, 40)),
                "unsupported_value");
  }
  const bj::value* const content = fields.any("content");
  fields.ignore({"id", "status", "phase"});
  fields.finish();
  if (fields.error()) return std::unexpected(*fields.error());
  if (content == nullptr) return std::unexpected(wrong(where + ".content", "is missing"));
  if (!content->is_array()) return bj::object{{"role", role}, {"content", *content}};
  bj::array parts;
  for (std::size_t i = 0; i < content->get_array().size(); ++i) {
    auto part = part_of(content->get_array()[i], fmt::format("{}.content[{}]", where, i));
    if (!part) return std::unexpected(part.error());
    parts.push_back(*std::move(part));
  }
  return bj::object{{"role", role}, {"content", std::move(parts)}};
}

std::expected<bj::array, ApiError> messages_of(Fields& fields) {
  bj::array out;
  if (const auto instructions = fields.text("instructions"); instructions && !instructions->empty())
    out.push_back(bj::object{{"role", "system"}, {"content", *instructions}});
  const bj::value* const input = fields.any("input");
  if (input == nullptr) {
    if (fields.error()) return std::unexpected(*fields.error());
    return std::unexpected(wrong("input", "is missing"));
  }
  if (input->is_string()) {
    out.push_back(bj::object{{"role", "user"}, {"content", *input}});
    return out;
  }
  if (!input->is_array())
    return std::unexpected(wrong("input", "expected a string or an array of messages"));
  for (std::size_t i = 0; i < input->get_array().size(); ++i) {
    // Thoughts of earlier turns, which clients send back: templates leave them out.
    const bj::object* const item = input->get_array()[i].if_object();
    const bj::value* const type = item == nullptr ? nullptr : item->if_contains("type");
    if (type != nullptr && *type == "reasoning") continue;
    auto message = message_of(input->get_array()[i], fmt::format("input[{}]", i));
    if (!message) return std::unexpected(message.error());
    out.push_back(*std::move(message));
  }
  return out;
}

// Checks speak of messages[i] where the request says input[i]; instructions shift them by one.
ApiError of_input(ApiError error, bool shifted) {
  const auto rename = [&](std::string& text) {
    if (!text.starts_with("messages[")) return;
    const std::size_t end = text.find(']');
    if (end == std::string::npos) return;
    const int index = std::atoi(text.c_str() + 9) - (shifted ? 1 : 0);
    const std::string place = index < 0 ? "instructions" : fmt::format("input[{}]", index);
    text = place + text.substr(end + 1);
  };
  rename(error.message);
  rename(error.param);
  return error;
}

void read_sampling(Fields& fields, AskOptions& options, bj::object& echo) {
  const auto temperature = fields.number("temperature", 0, 2);
  const auto top_p = fields.number("top_p", 0, 1);
  if (temperature) options.temperature = static_cast<float>(*temperature);
  if (top_p) options.top_p = static_cast<float>(*top_p);
  options.max_new_tokens = fields.integer("max_output_tokens", 1, 1 << 20);
  options.presence_penalty = fields.real("presence_penalty", -2, 2).value_or(0);
  options.frequency_penalty = fields.real("frequency_penalty", -2, 2).value_or(0);
  options.seed = random_seed();
  const auto opt = [](const auto& value) { return value ? bj::value(*value) : bj::value(nullptr); };
  echo["temperature"] = opt(temperature);
  echo["top_p"] = opt(top_p);
  echo["max_output_tokens"] = opt(options.max_new_tokens);
}

void read_reasoning(Fields& fields, Generation& g, bj::object& echo) {
  const bj::object* const reasoning = fields.object("reasoning");
  if (reasoning == nullptr) return;
  Fields inner(*reasoning, "reasoning");
  if (const auto effort = inner.text("effort")) {
    g.options.thinking = read_effort(inner, "effort", *effort);
    echo["reasoning"] = bj::object{{"effort", *effort}, {"summary", nullptr}};
  }
  inner.ignore({"summary", "generate_summary"});
  inner.finish();
  if (inner.error()) fields.fail(*inner.error());
  g.ignored = inner.ignored();
}

void refuse_features(Fields& fields) {
  const auto off = [&](const char* name, std::string_view why, const auto& is_off) {
    const bj::value* const value = fields.any(name);
    if (value != nullptr && !is_off(*value))
      fields.fail(name, std::string(why), "unsupported_value");
  };
  off("background", "this server answers while the client waits",
      [](const bj::value& v) { return v.is_bool() && !v.get_bool(); });
  off("previous_response_id", "this server keeps no responses: send the conversation as input",
      [](const bj::value&) { return false; });
  off("conversation", "this server keeps no conversations: send it as input",
      [](const bj::value&) { return false; });
  off("prompt", "this server keeps no prompts", [](const bj::value&) { return false; });
  off("tools", "this server calls no tools",
      [](const bj::value& v) { return v.is_array() && v.get_array().empty(); });
  off("tool_choice", "expected none or auto: this server calls no tools", [](const bj::value& v) {
    return v.is_string() && (v.get_string() == "none" || v.get_string() == "auto");
  });
  off("top_logprobs", "log probabilities are given by /v1/chat/completions only",
      [](const bj::value& v) { return v.is_int64() && v.get_int64() == 0; });
}

}  // namespace

std::expected<ParsedRequest, ApiError> parse_openai_responses(std::string_view body) {
  const auto document = parse_body(body);
  if (!document) return std::unexpected(document.error());
  Fields fields(*document);
  ParsedRequest out;
  Generation& g = out.generation;
  auto format = std::make_unique<OpenAiResponses>();
  g.model = fields.text("model").value_or("");
  g.stream = fields.boolean("stream").value_or(false);
  read_sampling(fields, g.options, format->echo);
  refuse_features(fields);
  format->echo["text"] = bj::object{{"format", bj::object{{"type", "text"}}}};
  if (const bj::object* const text = fields.object("text")) {
    Fields inner(*text, "text");
    g.options.response_format = read_format_object(inner, "format");
    inner.ignore({"verbosity"});
    inner.finish();
    if (inner.error()) fields.fail(*inner.error());
    if (text->contains("format")) format->echo["text"] = *text;
  }
  read_reasoning(fields, g, format->echo);
  if (const bj::object* const metadata = fields.object("metadata"))
    format->echo["metadata"] = *metadata;
  auto messages = messages_of(fields);
  if (!messages) return std::unexpected(messages.error());
  const auto instructions = fields.text("instructions");
  format->echo["instructions"] = instructions ? bj::value(*instructions) : bj::value(nullptr);
  fields.ignore({"store", "truncation", "include", "parallel_tool_calls", "user", "service_tier",
                 "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
                 "prompt_cache_options", "max_tool_calls", "stream_options", "context_management"});
  fields.finish();
  if (fields.error()) return std::unexpected(*fields.error());
  const bool shifted = instructions && !instructions->empty();
  const bj::object shaped = {{"messages", *std::move(messages)}};
  Fields inner(shaped);
  g.messages = read_messages(inner, "messages");
  if (inner.error()) return std::unexpected(of_input(*inner.error(), shifted));
  if (auto error = settle_pictures(g.messages))
    return std::unexpected(of_input(*std::move(error), shifted));
  g.ignored.insert(g.ignored.end(), fields.ignored().begin(), fields.ignored().end());
  out.format = std::move(format);
  return out;
}

}  // namespace ocellus::server
