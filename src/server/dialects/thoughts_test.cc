// Thoughts as each dialect writes them, streamed and whole, and as it asks for them.
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "server/dialects/anthropic.h"
#include "server/dialects/ollama.h"
#include "server/dialects/openai_chat.h"
#include "server/dialects/openai_responses.h"

namespace ocellus::server {
namespace {

namespace bj = boost::json;
using Parse = std::expected<ParsedRequest, ApiError> (*)(std::string_view);

ParsedRequest parsed(Parse parse, const bj::object& more) {
  bj::object body = {{"model", "m"}};
  const bj::array messages = {bj::object{{"role", "user"}, {"content", "x"}}};
  body[parse == parse_openai_responses ? "input" : "messages"] = messages;
  if (parse == parse_ollama_generate) body = {{"model", "m"}, {"prompt", "x"}};
  for (const auto& [key, value] : more) body[key] = value;
  auto request = parse(bj::serialize(body));
  EXPECT_TRUE(request.has_value()) << request.error().message;
  return request ? *std::move(request) : ParsedRequest();
}

AnswerStats stats() { return {.generated_tokens = 5, .thought_tokens = 3}; }

bj::object whole(const ParsedRequest& request) {
  const Answer answer{
      .text = "yes", .ids = {}, .tokens = {}, .stats = stats(), .thoughts = "is it?"};
  return bj::parse(request.format->whole(answer).body).as_object();
}

// The events of an answer whose second piece ends the thoughts and begins the text.
std::vector<bj::object> streamed(const ParsedRequest& request) {
  AnswerFormat& format = *request.format;
  std::string all = format.begin();
  all += format.piece({.text = "", .ids = {}, .tokens = {}, .thoughts = "is "});
  all += format.piece({.text = "y", .ids = {}, .tokens = {}, .thoughts = "it?"});
  all += format.piece({.text = "es", .ids = {}, .tokens = {}});
  all += format.end(stats());
  std::vector<bj::object> events;
  for (std::size_t from = 0; from < all.size();) {
    const std::size_t end = all.find('\n', from);
    std::string_view line = std::string_view(all).substr(from, end - from);
    from = end + 1;
    if (line.starts_with("data: ")) line.remove_prefix(6);
    if (line.starts_with('{')) events.push_back(bj::parse(line).as_object());
  }
  return events;
}

// Of the objects at `path` in each event, the texts of `key`, each followed by a bar.
std::string texts(const std::vector<bj::object>& events, std::string_view path,
                  std::string_view key) {
  std::string all;
  for (const bj::object& event : events) {
    boost::system::error_code ec;
    const bj::value value(event);
    const bj::value* const at = value.find_pointer(std::string(path) + "/" + std::string(key), ec);
    if (at != nullptr && at->is_string() && !at->get_string().empty())
      all += std::string(at->get_string()) + "|";
  }
  return all;
}

std::string types(const std::vector<bj::object>& events) { return texts(events, "", "type"); }

TEST(OpenAiChatThoughts, StandApart) {
  const bj::object answer = whole(parsed(parse_openai_chat, {}));
  const bj::object& message = answer.at("choices").at(0).at("message").as_object();
  EXPECT_EQ(message.at("content"), "yes");
  EXPECT_EQ(message.at("reasoning_content"), "is it?");
  EXPECT_EQ(answer.at("usage").at("completion_tokens_details").at("reasoning_tokens"), 3);
  const auto events = streamed(parsed(parse_openai_chat, {}));
  EXPECT_EQ(texts(events, "/choices/0/delta", "reasoning_content"), "is |it?|");
  EXPECT_EQ(texts(events, "/choices/0/delta", "content"), "y|es|");
}

TEST(OpenAiChatThoughts, EveryTokensLogprobComesOnce) {
  const ParsedRequest request = parsed(parse_openai_chat, {{"logprobs", true}});
  const std::vector<TokenInfo> token = {
      {.token = {.id = 1, .logprob = -1, .text = "a"}, .top = {}}};
  const auto count = [&](std::string thoughts, std::string text) {
    const std::string out =
        request.format->piece({.text = text, .ids = {1}, .tokens = token, .thoughts = thoughts});
    std::size_t found = 0;
    for (std::size_t at = 0; (at = out.find("\"token\"", at)) != std::string::npos; ++at) ++found;
    return found;
  };
  EXPECT_EQ(count("a", ""), 1U);
  EXPECT_EQ(count("a", "b"), 1U);
  EXPECT_EQ(count("", "b"), 1U);
  EXPECT_EQ(count("", ""), 1U);
}

TEST(OpenAiChatThoughts, AreAskedForByEffort) {
  const auto thinking = [](const bj::object& more) {
    return parsed(parse_openai_chat, more).generation.options.thinking;
  };
  EXPECT_EQ(thinking({}), std::nullopt);
  EXPECT_EQ(thinking({{"reasoning_effort", "none"}}), false);
  EXPECT_EQ(thinking({{"reasoning_effort", "low"}}), true);
  EXPECT_EQ(thinking({{"chat_template_kwargs", bj::object{{"enable_thinking", true}}}}), true);
  EXPECT_FALSE(parse_openai_chat(R"({"messages": [{"role": "user", "content": "x"}],
                                     "reasoning_effort": "wild"})")
                   .has_value());
  const bj::object earlier = {
      {"role", "assistant"}, {"content", "a"}, {"reasoning_content", "no part of the prompt"}};
  const bj::object user = {{"role", "user"}, {"content", "x"}};
  const auto request = parsed(parse_openai_chat, {{"messages", bj::array{user, earlier, user}}});
  ASSERT_EQ(request.generation.messages.at(1).parts.size(), 1U);
  EXPECT_EQ(std::get<std::string>(request.generation.messages[1].parts[0]), "a");
}

const bj::object kEnabled = {{"thinking", bj::object{{"type", "enabled"}, {"budget_tokens", 9}}}};

TEST(AnthropicThoughts, AreABlockBeforeTheText) {
  const bj::array content = whole(parsed(parse_anthropic, kEnabled)).at("content").as_array();
  ASSERT_EQ(content.size(), 2U);
  EXPECT_EQ(content[0],
            (bj::object{{"type", "thinking"}, {"thinking", "is it?"}, {"signature", ""}}));
  EXPECT_EQ(content[1], (bj::object{{"type", "text"}, {"text", "yes"}}));
  const auto events = streamed(parsed(parse_anthropic, kEnabled));
  EXPECT_EQ(types(events),
            "message_start|content_block_start|content_block_delta|content_block_delta|"
            "content_block_stop|content_block_start|content_block_delta|content_block_delta|"
            "content_block_stop|message_delta|message_stop|");
  EXPECT_EQ(texts(events, "/delta", "thinking"), "is |it?|");
  EXPECT_EQ(texts(events, "/delta", "text"), "y|es|");
  EXPECT_EQ(events[5].at("index"), 1);
  EXPECT_EQ(events[8].at("index"), 1);
}

TEST(AnthropicThoughts, AreHiddenUnlessAskedFor) {
  const ParsedRequest request = parsed(parse_anthropic, {});
  EXPECT_EQ(request.generation.options.thinking, false);
  EXPECT_EQ(whole(request).at("content").as_array().size(), 1U);
  const auto events = streamed(parsed(parse_anthropic, {}));
  EXPECT_EQ(texts(events, "/delta", "thinking"), "");
  EXPECT_EQ(texts(events, "/delta", "text"), "y|es|");
  EXPECT_EQ(parsed(parse_anthropic, kEnabled).generation.ignored,
            (std::vector<std::string>{"thinking.budget_tokens"}));
}

TEST(AnthropicThoughts, AnEmptyAnswerHasATextBlock) {
  const ParsedRequest request = parsed(parse_anthropic, kEnabled);
  const std::string all = request.format->begin() + request.format->end(stats());
  EXPECT_NE(all.find("content_block_start"), std::string::npos);
  EXPECT_NE(all.find("content_block_stop"), std::string::npos);
}

TEST(AnthropicThoughts, OfEarlierTurnsAreLeftOut) {
  const bj::array blocks = {bj::object{{"type", "thinking"}, {"thinking", "hm"}, {"signature", ""}},
                            bj::object{{"type", "text"}, {"text", "a"}}};
  const bj::object user = {{"role", "user"}, {"content", "x"}};
  const bj::object earlier = {{"role", "assistant"}, {"content", blocks}};
  const auto request = parsed(parse_anthropic, {{"messages", bj::array{user, earlier, user}}});
  ASSERT_EQ(request.generation.messages.at(1).parts.size(), 1U);
  EXPECT_EQ(std::get<std::string>(request.generation.messages[1].parts[0]), "a");
}

TEST(OllamaThoughts, StandApartInChat) {
  const bj::object answer = whole(parsed(parse_ollama_chat, {}));
  EXPECT_EQ(answer.at("message"),
            (bj::object{{"role", "assistant"}, {"content", "yes"}, {"thinking", "is it?"}}));
  const auto events = streamed(parsed(parse_ollama_chat, {{"think", true}}));
  EXPECT_EQ(texts(events, "/message", "thinking"), "is |it?|");
  EXPECT_EQ(texts(events, "/message", "content"), "y|es|");
}

TEST(OllamaThoughts, StandApartInGenerate) {
  const bj::object answer = whole(parsed(parse_ollama_generate, {{"think", "high"}}));
  EXPECT_EQ(answer.at("response"), "yes");
  EXPECT_EQ(answer.at("thinking"), "is it?");
  const auto events = streamed(parsed(parse_ollama_generate, {}));
  EXPECT_EQ(texts(events, "", "thinking"), "is |it?|");
  EXPECT_EQ(texts(events, "", "response"), "y|es|");
}

TEST(OllamaThoughts, AreHiddenWhereTheyAreOff) {
  const ParsedRequest request = parsed(parse_ollama_chat, {{"think", false}});
  EXPECT_EQ(request.generation.options.thinking, false);
  EXPECT_FALSE(whole(request).at("message").as_object().contains("thinking"));
  EXPECT_EQ(texts(streamed(request), "/message", "thinking"), "");
}

TEST(OpenAiResponsesThoughts, AreAnItemBeforeTheText) {
  const bj::array output = whole(parsed(parse_openai_responses, {})).at("output").as_array();
  ASSERT_EQ(output.size(), 2U);
  EXPECT_EQ(output[0].at("type"), "reasoning");
  EXPECT_EQ(output[0].at("content").at(0).at("text"), "is it?");
  EXPECT_EQ(output[1].at("content").at(0).at("text"), "yes");
  const auto events = streamed(parsed(parse_openai_responses, {}));
  EXPECT_EQ(types(events),
            "response.created|response.in_progress|"
            "response.output_item.added|response.content_part.added|"
            "response.reasoning_text.delta|response.reasoning_text.delta|"
            "response.reasoning_text.done|response.content_part.done|response.output_item.done|"
            "response.output_item.added|response.content_part.added|"
            "response.output_text.delta|response.output_text.delta|"
            "response.output_text.done|response.content_part.done|response.output_item.done|"
            "response.completed|");
  for (std::size_t i = 2; i + 1 < events.size(); ++i)
    EXPECT_EQ(events[i].at("output_index"), i < 9 ? 0 : 1) << i;
  const bj::object& last = events.back().at("response").as_object();
  EXPECT_EQ(last.at("output").as_array().size(), 2U);
  EXPECT_EQ(last.at("usage").at("output_tokens_details").at("reasoning_tokens"), 3);
}

TEST(OpenAiResponsesThoughts, AreAskedForByEffort) {
  const ParsedRequest request = parsed(
      parse_openai_responses, {{"reasoning", bj::object{{"effort", "none"}, {"summary", "auto"}}}});
  EXPECT_EQ(request.generation.options.thinking, false);
  EXPECT_EQ(request.generation.ignored, (std::vector<std::string>{"reasoning.summary"}));
  const bj::object user = {{"role", "user"}, {"content", "x"}};
  const bj::object earlier = {{"type", "reasoning"}, {"summary", bj::array()}};
  EXPECT_EQ(parsed(parse_openai_responses, {{"input", bj::array{user, earlier, user}}})
                .generation.messages.size(),
            2U);
}

}  // namespace
}  // namespace ocellus::server
