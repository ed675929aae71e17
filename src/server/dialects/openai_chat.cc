#include "server/dialects/openai_chat.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <charconv>
#include <chrono>

#include "base/utf8.h"
#include "json/json.h"
#include "server/dialects/content.h"
#include "server/dialects/keep_alive.h"
#include "server/dialects/reasoning.h"
#include "server/dialects/response_format.h"
#include "server/fields.h"
#include "server/ids.h"

namespace ocellus::server {
namespace {

namespace bj = boost::json;

std::string event(const bj::value& value) { return "data: " + bj::serialize(value) + "\n\n"; }

bj::object token_json(const TokenLogprob& token) {
  bj::array bytes;
  for (const char c : token.text) bytes.push_back(static_cast<unsigned char>(c));
  return {{"token", base::replace_invalid_utf8(token.text)},
          {"logprob", token.logprob},
          {"bytes", std::move(bytes)}};
}

bj::value logprobs_json(const std::vector<TokenInfo>& tokens) {
  bj::array content;
  for (const TokenInfo& each : tokens) {
    bj::object token = token_json(each.token);
    bj::array top;
    for (const TokenLogprob& other : each.top) top.push_back(token_json(other));
    token["top_logprobs"] = std::move(top);
    content.push_back(std::move(token));
  }
  return bj::object{{"content", std::move(content)}, {"refusal", nullptr}};
}

bj::object usage_json(const AnswerStats& s) {
  return {{"prompt_tokens", s.prompt_tokens},
          {"completion_tokens", s.generated_tokens},
          {"total_tokens", s.prompt_tokens + s.generated_tokens},
          {"prompt_tokens_details", bj::object{{"cached_tokens", s.cached_tokens},
                                               {"image_tokens", s.image_tokens},
                                               {"unbounded_image_tokens", s.unbounded_image_tokens},
                                               {"text_tokens", s.prompt_tokens - s.image_tokens}}},
          {"completion_tokens_details", bj::object{{"reasoning_tokens", s.thought_tokens}}}};
}

// As llama.cpp's server gives them.
bj::object timings_json(const AnswerStats& s) {
  const double making = s.total_seconds - s.first_token_seconds;
  const auto rate = [](double tokens, double seconds) {
    return seconds > 0 ? tokens / seconds : 0.0;
  };
  const auto fresh = static_cast<double>(s.prompt_tokens - s.cached_tokens);
  return {{"cache_n", s.cached_tokens},
          {"prompt_n", s.prompt_tokens - s.cached_tokens},
          {"prompt_ms", s.first_token_seconds * 1000},
          {"prompt_per_second", rate(fresh, s.first_token_seconds)},
          {"predicted_n", s.generated_tokens},
          {"predicted_ms", making * 1000},
          {"predicted_per_second",
           rate(static_cast<double>(std::max<std::int64_t>(0, s.generated_tokens - 1)), making)}};
}

const char* finish_name(FinishReason reason) {
  return reason == FinishReason::kStop ? "stop" : "length";
}

const char* stage_name(Stage stage) {
  switch (stage) {
    case Stage::kQueue:
      return "queue";
    case Stage::kFetch:
      return "fetch";
    case Stage::kDecode:
      return "decode";
    case Stage::kTower:
      return "tower";
    case Stage::kPrefill:
      return "prefill";
  }
  return "";
}

class OpenAiChat final : public AnswerFormat {
 public:
  bool logprobs = false, usage = false, timings = false;

  void answered_by(const std::string& name) override { model_ = name; }
  std::string stream_type() const override { return "text/event-stream"; }

  std::string begin() override { return chunk(bj::object{{"role", "assistant"}, {"content", ""}}); }

  std::string piece(const AnswerPiece& piece) override {
    const bool answers = !piece.text.empty() || (logprobs && piece.thoughts.empty());
    std::string out;
    if (!piece.thoughts.empty()) {
      bj::object value = chunk_json(bj::object{{"reasoning_content", piece.thoughts}});
      if (!answers) add_logprobs(value, piece);
      out = event(value);
    }
    if (answers) {
      bj::object value = chunk_json(bj::object{{"content", piece.text}});
      add_logprobs(value, piece);
      out += event(value);
    }
    return out;
  }

  std::string progress(const StageProgress& p) override {
    bj::object value = chunk_json(bj::object());
    value["choices"] = bj::array();
    value["prompt_progress"] = bj::object{
        {"stage", stage_name(p.stage)}, {"total", p.total}, {"cache", 0}, {"processed", p.done}};
    return event(value);
  }

  std::string ping() override { return ": ping\n\n"; }

  std::string end(const AnswerStats& stats) override {
    bj::object last = chunk_json(bj::object());
    last["choices"].as_array()[0].as_object()["finish_reason"] = finish_name(stats.finish);
    if (timings) last["timings"] = timings_json(stats);
    std::string out = event(last);
    if (usage) {
      bj::object value = chunk_json(bj::object());
      value["choices"] = bj::array();
      value["usage"] = usage_json(stats);
      if (timings) value["timings"] = timings_json(stats);
      out += event(value);
    }
    return out + "data: [DONE]\n\n";
  }

  std::string error(const ApiError& error) override {
    return "data: " + openai_error(error).body + "\n\ndata: [DONE]\n\n";
  }

  Response whole(const Answer& answer) override {
    bj::object choice = {
        {"index", 0},
        {"message",
         bj::object{{"role", "assistant"}, {"content", answer.text}, {"refusal", nullptr}}},
        {"logprobs", nullptr},
        {"finish_reason", finish_name(answer.stats.finish)}};
    if (!answer.thoughts.empty())
      choice["message"].as_object()["reasoning_content"] = answer.thoughts;
    if (logprobs) choice["logprobs"] = logprobs_json(answer.tokens);
    bj::object value = {{"id", id_},
                        {"object", "chat.completion"},
                        {"created", created_},
                        {"model", model_},
                        {"choices", bj::array{std::move(choice)}},
                        {"usage", usage_json(answer.stats)},
                        {"timings", timings_json(answer.stats)}};
    return {.body = bj::serialize(value)};
  }

  Response refusal(const ApiError& error) const override { return openai_error(error); }

 private:
  void add_logprobs(bj::object& chunk, const AnswerPiece& piece) const {
    if (logprobs)
      chunk["choices"].as_array()[0].as_object()["logprobs"] = logprobs_json(piece.tokens);
  }
  bj::object chunk_json(bj::object delta) const {
    return {{"id", id_},
            {"object", "chat.completion.chunk"},
            {"created", created_},
            {"model", model_},
            {"choices", bj::array{bj::object{{"index", 0},
                                             {"delta", std::move(delta)},
                                             {"logprobs", nullptr},
                                             {"finish_reason", nullptr}}}}};
  }
  std::string chunk(bj::object delta) const { return event(chunk_json(std::move(delta))); }

  std::string model_;
  const std::string id_ = new_id("chatcmpl-");
  const std::int64_t created_ = unix_seconds();
};

void read_logit_bias(Fields& fields, AskOptions& options) {
  const bj::object* const given = fields.object("logit_bias");
  if (given == nullptr) return;
  for (const auto& [key, value] : *given) {
    std::int32_t id = 0;
    const auto [end, ec] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (ec != std::errc() || end != key.data() + key.size() || !value.is_number()) {
      fields.fail("logit_bias", "expected token ids as keys and numbers");
      return;
    }
    options.logit_bias[id] = value.to_number<float>();
  }
}

void read_sampling(Fields& fields, AskOptions& options) {
  constexpr std::int64_t kMostTokens = 1 << 20;
  options.max_new_tokens = fields.integer("max_completion_tokens", 1, kMostTokens);
  const auto older = fields.integer("max_tokens", 1, kMostTokens);
  if (!options.max_new_tokens) options.max_new_tokens = older;
  options.temperature = fields.real("temperature", 0, 2);
  options.top_p = fields.real("top_p", 0, 1);
  options.min_p = fields.real("min_p", 0, 1);
  options.typical_p = fields.real("typical_p", 0, 1);
  options.top_k = fields.integer("top_k", -1, 1 << 21);
  if (options.top_k && *options.top_k < 0) options.top_k = 0;  // vLLM's "off"
  options.repetition_penalty = fields.real("repetition_penalty", 0.01, 100);
  const auto repeat = fields.real("repeat_penalty", 0.01, 100);
  if (!options.repetition_penalty) options.repetition_penalty = repeat;
  options.presence_penalty = fields.real("presence_penalty", -2, 2).value_or(0);
  options.frequency_penalty = fields.real("frequency_penalty", -2, 2).value_or(0);
  options.min_tokens = fields.integer("min_tokens", 0, kMostTokens).value_or(0);
  options.ignore_eos = fields.boolean("ignore_eos").value_or(false);
  // As vLLM and llama.cpp's server have it.
  if (const bj::object* const more = fields.object("chat_template_kwargs")) {
    Fields inner(*more, "chat_template_kwargs");
    options.thinking = inner.boolean("enable_thinking");
    inner.finish();
    if (inner.error()) fields.fail(*inner.error());
  }
  if (const auto effort = fields.text("reasoning_effort")) {
    if (const auto thinking = read_effort(fields, "reasoning_effort", *effort))
      options.thinking = thinking;
  }
  options.stop = fields.texts("stop", 16);
  std::erase(options.stop, std::string());
  const auto seed = fields.integer("seed", std::numeric_limits<std::int64_t>::min(),
                                   std::numeric_limits<std::int64_t>::max());
  options.seed = seed ? static_cast<std::uint64_t>(*seed) : random_seed();
  read_logit_bias(fields, options);
  options.logprobs = fields.boolean("logprobs").value_or(false);
  options.top_logprobs = static_cast<int>(fields.integer("top_logprobs", 0, 20).value_or(0));
  if (options.top_logprobs > 0 && !options.logprobs)
    fields.fail("top_logprobs", "expected logprobs to be true");
}

// What may only say that it is not used.
void refuse_features(Fields& fields) {
  if (const auto n = fields.integer("n", 1, 128); n && *n != 1)
    fields.fail("n", fmt::format("expected 1, found {}", *n), "unsupported_value");
  for (const char* name : {"tools", "functions"}) {
    const bj::value* const value = fields.any(name);
    if (value == nullptr || (value->is_array() && value->get_array().empty())) continue;
    fields.fail(name, "this server calls no tools", "unsupported_parameter");
  }
  if (const bj::value* const choice = fields.any("tool_choice");
      choice != nullptr && !(choice->is_string() &&
                             (choice->get_string() == "none" || choice->get_string() == "auto"))) {
    fields.fail("tool_choice", "expected none or auto: this server calls no tools",
                "unsupported_value");
  }
  for (const std::string& mode : fields.texts("modalities", 4))
    if (mode != "text") fields.fail("modalities", "expected text", "unsupported_value");
}

}  // namespace

Response openai_error(const ApiError& error) {
  bj::object inner = {{"message", error.message},
                      {"type", error_type(error.status)},
                      {"param", nullptr},
                      {"code", error.code}};
  if (!error.param.empty()) inner["param"] = error.param;
  return {.status = error.status, .body = bj::serialize(bj::object{{"error", std::move(inner)}})};
}

std::expected<ParsedRequest, ApiError> parse_openai_chat(std::string_view body) {
  const auto document = parse_body(body);
  if (!document) return std::unexpected(document.error());
  Fields fields(*document);
  ParsedRequest out;
  Generation& g = out.generation;
  auto format = std::make_unique<OpenAiChat>();
  g.model = fields.text("model").value_or("");
  g.messages = read_messages(fields, "messages");
  g.stream = fields.boolean("stream").value_or(false);
  g.progress = fields.boolean("return_progress").value_or(false);
  read_sampling(fields, g.options);
  refuse_features(fields);
  g.options.response_format = read_response_format(fields);
  format->timings = fields.boolean("timings_per_token").value_or(false);
  if (const bj::object* const options = fields.object("stream_options")) {
    Fields inner(*options, "stream_options");
    format->usage = inner.boolean("include_usage").value_or(false);
    inner.ignore({"include_obfuscation", "continuous_usage_stats"});
    inner.finish();
    if (inner.error()) fields.fail(*inner.error());
    g.ignored = inner.ignored();
  }
  g.keep = read_keep_alive(fields, "keep_alive");
  if (const auto ttl = read_keep_alive(fields, "ttl")) g.keep = ttl;
  fields.ignore({"user", "metadata", "store", "service_tier", "safety_identifier",
                 "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
                 "cache_prompt", "cache_control", "verbosity", "parallel_tool_calls", "id_slot",
                 "function_call"});
  fields.finish();
  if (fields.error()) return std::unexpected(*fields.error());
  g.ignored.insert(g.ignored.end(), fields.ignored().begin(), fields.ignored().end());
  if (auto error = settle_pictures(g.messages)) return std::unexpected(*std::move(error));
  format->logprobs = g.options.logprobs;
  out.format = std::move(format);
  return out;
}

}  // namespace ocellus::server
