// Conversations in the JSON shape of OpenAI's chat API.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "ocellus/error.h"
#include "ocellus/message.h"

namespace ocellus::formats {

struct ChatMessagesOptions {
  // Where file:// URLs and plain paths are allowed as images: relative paths start here. Nothing:
  // they are refused, as they must be in what a stranger sends.
  std::optional<std::filesystem::path> folder = {};
  std::size_t max_bytes = std::size_t{64} << 20;  // of the document, its data: URLs included
  std::size_t max_messages = 1024;
  std::size_t max_parts = 4096;  // of all messages
};

// A document that is an array of messages, or an object with them as "messages". Each is
// {role, content}: role system, developer (the same), user or assistant; content a text, or an
// array of parts:
//   {type: text | input_text | output_text, text}
//   {type: image_url | input_image, image_url: URL or {url, detail}, detail}
// An image is an http, https or data: URL, or what `folder` allows; nothing is read or fetched
// here.
//
// Ignored, because they do not change the answer: of the object model, user, metadata, store,
// stream, stream_options; of a message name, id, annotations, type "message"; of a part
// annotations, cache_control, and detail, which only chooses between sizes that services sell. Null
// is the same as absent. Every other key, role and type is refused by name.
//
// `what` is a file's name, for messages. kInvalidArgument naming it, the message, the part and the
// field. Pure; any thread.
Result<std::vector<Message>> parse_chat_messages(std::string_view text, std::string_view what,
                                                 const ChatMessagesOptions& options = {});

// The same for a value that has been parsed, the array alone. `what` stands before the index:
// "messages" gives "messages[2].role: ...". max_bytes does not apply.
Result<std::vector<Message>> read_chat_messages(const boost::json::value& messages,
                                                std::string_view what,
                                                const ChatMessagesOptions& options = {});

}  // namespace ocellus::formats
