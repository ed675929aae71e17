#include "cli/prompt_flags.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include "base/result.h"
#include "cli/picture_argument.h"
#include "formats/chat_messages.h"

namespace ocellus::cli {
namespace {

// A conversation may hold its pictures as data: URLs.
constexpr std::size_t kMaxMessagesBytes = kMaxPipedBytes;

constexpr const char* kGroup = "Prompt";

}  // namespace

void PromptFlags::add_to(CLI::App& command) {
  command
      .add_option("question", words,
                  "Pictures (paths, URLs, or - for standard input), and the question as the last")
      ->type_name("IMAGE|URL... QUESTION");
  command
      .add_option("-i,--image", images,
                  "A picture before the question; after those given without this option "
                  "(repeatable)")
      ->type_name("IMAGE|URL")
      ->allow_extra_args(false)
      ->group(kGroup);
  CLI::Option* const file =
      command
          .add_option(
              "--messages", messages_file,
              "A conversation in place of pictures and question: OpenAI's JSON shape; - for "
              "standard input")
          ->type_name("FILE.json")
          ->group(kGroup);
  command.add_option("--system", system, "System message")
      ->type_name("TEXT")
      ->group(kGroup)
      ->excludes(file);
  command
      .add_option("--earlier", earlier,
                  "An earlier question and its answer; the pictures stand before the first one "
                  "(repeatable)")
      ->type_name("QUESTION ANSWER")
      ->type_size(2)
      ->expected(-1)  // one pair or more; a bounded range would take the picture as well
      ->allow_extra_args(false)
      ->group(kGroup)
      ->excludes(file);
}

bool PromptFlags::has_question() const {
  return !messages_file.empty() || words.size() >= (images.empty() ? 2U : 1U);
}

Result<PromptFlags::Start> PromptFlags::start() const {
  Start start;
  std::vector<std::string> names = words;
  if (has_question()) names.pop_back();
  names.insert(names.end(), images.begin(), images.end());
  if (std::ranges::count(names, "-") > 1) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "-: expected one picture from standard input, found {}",
                            std::ranges::count(names, "-"));
  }
  for (const std::string& name : names) {
    OCELLUS_ASSIGN_OR_RETURN(Picture picture, open_picture(name));
    start.pictures.emplace_back(std::move(picture));
  }
  if (!system.empty()) start.messages.push_back(Message::system(system));
  for (std::size_t i = 0; i + 1 < earlier.size(); i += 2) {
    Message question{.parts = std::exchange(start.pictures, {})};
    question.parts.emplace_back(earlier[i]);
    start.messages.push_back(std::move(question));
    start.messages.push_back(Message::assistant(earlier[i + 1]));
  }
  return start;
}

Result<std::vector<Message>> PromptFlags::messages() const {
  if (!messages_file.empty()) {
    if (!words.empty() || !images.empty()) {
      return base::make_error(ErrorCode::kInvalidArgument,
                              "--messages: expected no pictures and no question beside it, found "
                              "\"{}\"",
                              words.empty() ? images.front() : words.front());
    }
    OCELLUS_ASSIGN_OR_RETURN(const std::string text, read_input(messages_file, kMaxMessagesBytes));
    const bool standard = messages_file == "-";
    const auto folder =
        standard ? std::filesystem::path(".") : std::filesystem::path(messages_file).parent_path();
    OCELLUS_ASSIGN_OR_RETURN(
        std::vector<Message> read,
        formats::parse_chat_messages(text, standard ? "standard input" : messages_file,
                                     {.folder = folder, .max_bytes = kMaxMessagesBytes}));
    OCELLUS_RETURN_IF_ERROR(read_pipes(read));
    return read;
  }
  if (!has_question()) {
    return base::make_error(ErrorCode::kInvalidArgument,
                            "no question: expected IMAGE \"QUESTION\", --image IMAGE \"QUESTION\" "
                            "or --messages FILE.json");
  }
  OCELLUS_ASSIGN_OR_RETURN(Start start, this->start());
  Message question{.parts = std::move(start.pictures)};
  question.parts.emplace_back(words.back());
  start.messages.push_back(std::move(question));
  return std::move(start.messages);
}

}  // namespace ocellus::cli
