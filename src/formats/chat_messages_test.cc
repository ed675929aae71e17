#include "formats/chat_messages.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "json/json.h"

namespace ocellus::formats {
namespace {

using ::testing::HasSubstr;

// As one line: "user: text | <path /a.png> | <url http://h/a>".
std::string shown(const Message& message) {
  std::string line = message.role == Role::kSystem ? "system:"
                     : message.role == Role::kUser ? "user:"
                                                   : "assistant:";
  for (const Part& part : message.parts) {
    if (const auto* text = std::get_if<std::string>(&part)) {
      line += " " + *text + " |";
    } else {
      const Picture::Source& source = std::get<Picture>(part).source();
      if (const auto* path = std::get_if<Picture::Path>(&source))
        line += " <path " + path->path.string() + "> |";
      else
        line += " <url " + std::get<Picture::Url>(source).url + "> |";
    }
  }
  return line;
}

std::vector<std::string> parsed(std::string_view json, const ChatMessagesOptions& options = {}) {
  const auto messages = parse_chat_messages(json, "chat.json", options);
  if (!messages) return {messages.error().message};
  std::vector<std::string> lines;
  for (const Message& each : *messages) lines.push_back(shown(each));
  return lines;
}

// The one message that is refused with this error.
std::string error_of(std::string_view json, const ChatMessagesOptions& options = {}) {
  const auto messages = parse_chat_messages(json, "chat.json", options);
  if (messages) return "accepted";
  EXPECT_EQ(messages.error().code, ErrorCode::kInvalidArgument);
  return messages.error().message;
}

const ChatMessagesOptions kLocal = {.folder = "/pictures"};

TEST(ChatMessages, TextsAndRoles) {
  EXPECT_EQ(parsed(R"([{"role": "system", "content": "Be short."},
                       {"role": "developer", "content": "Really."},
                       {"role": "user", "content": "What is it?"},
                       {"role": "assistant", "content": "A dog."},
                       {"role": "user", "content": ""}])"),
            (std::vector<std::string>{"system: Be short. |", "system: Really. |",
                                      "user: What is it? |", "assistant: A dog. |", "user:  |"}));
}

TEST(ChatMessages, PartsInEveryOrderAndSpelling) {
  EXPECT_EQ(
      parsed(R"([{"role": "user", "content": [
      {"type": "text", "text": "before"},
      {"type": "image_url", "image_url": {"url": "https://h/a.png", "detail": "high"}},
      {"type": "image_url", "image_url": "HTTP://h/b.png"},
      {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
      {"type": "input_text", "text": "after"},
      {"type": "output_text", "text": "said", "annotations": []}]}])"),
      (std::vector<std::string>{"user: before | <url https://h/a.png> | <url HTTP://h/b.png> | "
                                "<url data:image/png;base64,AAAA> | after | said |"}));
}

TEST(ChatMessages, AnObjectWithMessages) {
  EXPECT_EQ(parsed(R"({"model": "any", "stream": true, "temperature": null,
                       "messages": [{"role": "user", "content": "hello", "name": "me", "id": "1",
                                     "tool_calls": null, "type": "message"}]})"),
            std::vector<std::string>{"user: hello |"});
}

TEST(ChatMessages, PathsOfTheCommandLine) {
  const auto image = [](std::string_view url) {
    return fmt::format(
        R"([{{"role": "user", "content": [{{"type": "image_url", "image_url": "{}"}}]}}])", url);
  };
  for (const auto& [url, path] : {std::pair{"a.png", "/pictures/a.png"},
                                  {"../b c.png", "/pictures/../b c.png"},
                                  {"/abs/c.png", "/abs/c.png"},
                                  {"odd:name.png", "/pictures/odd:name.png"},
                                  {"file:///d%20e.png", "/d e.png"},
                                  {"FILE://localhost/f.png", "/f.png"}}) {
    EXPECT_EQ(parsed(image(url), kLocal), std::vector{fmt::format("user: <path {}> |", path)})
        << url;
    EXPECT_EQ(error_of(image(url)),
              fmt::format("chat.json: messages[0].content[0].image_url: expected an http, https or "
                          "data: URL, found \"{}\"",
                          url));
  }
  for (const char* url : {"", "gs://bucket/a.png", "ftp://h/a.png", "file://host/a.png",
                          "file:///a%2", "file:///a%zz", "file:///a%00", "a\\u0000b"}) {
    EXPECT_THAT(error_of(image(url), kLocal),
                HasSubstr("messages[0].content[0].image_url: expected"))
        << url;
  }
}

TEST(ChatMessages, ErrorsNameThePlace) {
  for (
      const auto& [json, message] : {
          std::pair{"[]", "chat.json: messages: expected at least one message, found none"},
          {"{}", "chat.json: messages is missing"},
          {"3",
           "chat.json: expected an array of messages or an object with \"messages\", found an "
           "integer"},
          {R"({"messages": {}})",
           "chat.json: messages: expected an array of messages, found an "
           "object"},
          {R"({"messages": [], "temperature": 1})",
           "chat.json: key \"temperature\": expected one of messages, model, user, metadata, "
           "store, stream, stream_options"},
          {R"(["hi"])", "chat.json: messages[0]: expected an object, found a string"},
          {R"([{"content": "hi"}])", "chat.json: messages[0]: role is missing"},
          {R"([{"role": "user"}])", "chat.json: messages[0]: content is missing"},
          {R"([{"role": "user", "content": null}])", "chat.json: messages[0]: content is missing"},
          {R"([{"role": "user", "content": 1}])",
           "chat.json: messages[0].content: expected a string or an array, found an integer"},
          {R"([{"role": "user", "content": []}])",
           "chat.json: messages[0].content: expected at least one part, found none"},
          {R"([{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}])",
           "chat.json: messages[1].role: expected system, developer, user or assistant, found "
           "\"tool\""},
          {R"([{"role": "assistant", "content": "a", "tool_calls": []}])",
           "chat.json: messages[0]: key \"tool_calls\": expected one of role, content, name, id, "
           "annotations, type, reasoning_content"},
          {R"([{"role": "user", "content": ["a"]}])",
           "chat.json: messages[0].content[0]: expected an object, found a string"},
          {R"([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "video_url"}]}])",
           "chat.json: messages[0].content[1].type: expected text, input_text, output_text, "
           "image_url or input_image, found \"video_url\""},
          {R"([{"role": "user", "content": [{"type": "text", "text": 1}]}])",
           "chat.json: messages[0].content[0].text: expected a string, found an integer"},
          {R"([{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}])",
           "chat.json: messages[0].content[0]: key \"file_id\": expected one of type, image_url, "
           "detail, cache_control"},
          {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": 1}}]}])",
           "chat.json: messages[0].content[0].image_url.url: expected a string, found an integer"},
          {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x:y"}}]}])",
           "chat.json: messages[0].content[0].image_url.url: expected an http, https or data: URL, "
           "found \"x:y\""},
          {R"([{"role": "user", "content": [{"type": "image_url",
                 "image_url": {"url": "http://h", "detail": "most"}}]}])",
           "chat.json: messages[0].content[0].image_url.detail: expected auto, low or high, found "
           "\"most\""},
          {R"([{"role": "user", "role": "user", "content": ""}])",
           "chat.json: duplicate key \"role\""},
      }) {
    EXPECT_EQ(error_of(json), message) << json;
  }
}

TEST(ChatMessages, LongTextsAreCutInErrors) {
  const std::string error =
      error_of(R"([{"role": ")" + std::string(100000, 'x') + R"(", "content": ""}])");
  EXPECT_THAT(error, HasSubstr("xxx...\""));
  EXPECT_LT(error.size(), 200U);
}

TEST(ChatMessages, Limits) {
  const std::string_view two =
      R"([{"role": "user", "content": "a"},
          {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]}])";
  EXPECT_EQ(parsed(two, {.max_messages = 2, .max_parts = 3}).size(), 2U);
  EXPECT_EQ(error_of(two, {.max_messages = 1}),
            "chat.json: messages: expected at most 1 messages, found 2");
  EXPECT_EQ(error_of(two, {.max_parts = 2}),
            "chat.json: messages[1].content[1]: expected at most 2 parts in a conversation");
  EXPECT_EQ(error_of("[[]]", {.max_bytes = 3}), "chat.json: expected at most 3 bytes, found 4");
}

TEST(ChatMessages, AValueOfALargerDocument) {
  const auto value = json::parse(R"([{"role": "user", "content": [{"type": "x"}]}])", "body");
  ASSERT_TRUE(value);
  const auto messages = read_chat_messages(*value, "messages");
  ASSERT_FALSE(messages);
  EXPECT_THAT(messages.error().message, HasSubstr("messages[0].content[0].type: expected text"));
}

}  // namespace
}  // namespace ocellus::formats
