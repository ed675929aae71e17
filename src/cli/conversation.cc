#include "cli/conversation.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "cli/answer_report.h"
#include "cli/interrupt.h"
#include "cli/picture_argument.h"
#include "cli/report.h"
#include "cli/thoughts_view.h"

namespace ocellus::cli {
namespace {

constexpr const char* kHelp =
    "/image PATH|URL  put a picture into the next message\n"
    "/system TEXT     the system message, from the next question on; without TEXT none\n"
    "/reset           start afresh: forget every message and picture\n"
    "/help            show this\n"
    "/quit            end, as Ctrl-D does\n"
    "A \\ at the end of a line continues it. Ctrl-C stops an answer, and drops a line.\n";

// For the person; answers alone go to standard output.
void tell(std::string_view text) {
  std::fprintf(stderr, "%.*s", static_cast<int>(text.size()), text.data());
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_of_picture(ErrorCode code) {
  return code == ErrorCode::kBadImage || code == ErrorCode::kNotFound || code == ErrorCode::kIo ||
         code == ErrorCode::kForbidden || code == ErrorCode::kFetchFailed;
}

}  // namespace

std::string unquote_path(std::string text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
      text.back() == text.front()) {
    return text.substr(1, text.size() - 2);
  }
  for (std::size_t at = text.find("\\ "); at != std::string::npos; at = text.find("\\ ", at + 1))
    text.erase(at, 1);
  const char* const home = std::getenv("HOME");
  if (text.starts_with("~/") && home != nullptr) text.replace(0, 1, home);
  return text;
}

Conversation::Conversation(Model model, AskOptions options, std::vector<Message> messages,
                           std::vector<Part> pictures, std::shared_ptr<Progress> progress,
                           bool thoughts)
    : model_(std::move(model)),
      options_(std::move(options)),
      messages_(std::move(messages)),
      pictures_(std::move(pictures)),
      progress_(std::move(progress)),
      thoughts_(thoughts) {
  options_.progress = ask_progress(progress_);
}

Status Conversation::run() {
  const InterruptGuard guard(
      [this] {
        const std::lock_guard lock(mutex_);
        if (answering_ != nullptr) answering_->cancel();
      },
      InterruptGuard::Signals::kEveryInterrupt);
  while (!quit_ && output_) {
    const std::optional<std::string> text = read_message();
    if (!text) break;
    if (trimmed(*text).empty()) continue;
    if (text->starts_with('/')) {
      if (!command(*text)) tell(fmt::format("{}: no command; /help shows them\n", one_line(*text)));
      continue;
    }
    ask(*text);
  }
  return output_;
}

// A line and those that continue it; nothing at the end of input.
std::optional<std::string> Conversation::read_message() {
  std::string text;
  while (true) {
    const bool first = text.empty();
    const std::string prompt = !first              ? ". "
                               : pictures_.empty() ? "> "
                                                   : fmt::format("[{}] > ", pictures_.size());
    LineEditor::Input input = editor_.read(prompt);
    if (input.event == LineEditor::Event::kEnd) {
      tell("\n");
      return std::nullopt;
    }
    if (input.event == LineEditor::Event::kInterrupt) {
      tell("^C\n");
      text.clear();
      continue;
    }
    editor_.remember(input.text);
    const bool more = input.text.ends_with('\\');
    if (more) input.text.back() = '\n';
    text += input.text;
    if (!more) return text;
  }
}

bool Conversation::command(const std::string& line) {
  const std::size_t space = line.find_first_of(" \t\n");
  const std::string_view name = std::string_view(line).substr(0, space);
  std::string rest(space == std::string::npos ? "" : trimmed(std::string_view(line).substr(space)));
  if (name == "/image") {
    add_picture(std::move(rest));
  } else if (name == "/system") {
    set_system(std::move(rest));
  } else if (name == "/reset") {
    messages_.clear();
    pictures_.clear();
  } else if (name == "/help") {
    tell(kHelp);
  } else if (name == "/quit" || name == "/exit") {
    quit_ = true;
  } else {
    return false;
  }
  return true;
}

void Conversation::add_picture(std::string name) {
  name = unquote_path(std::move(name));
  if (name.empty() || name == "-") {
    tell("/image: expected a path or URL\n");
    return;
  }
  auto picture = open_picture(name);
  if (!picture) {
    report(picture.error());
    return;
  }
  std::error_code ec;
  const auto* const file = std::get_if<Picture::Path>(&picture->source());
  if (file != nullptr && !std::filesystem::is_regular_file(file->path, ec)) {
    tell(fmt::format("{}: expected a file, found {}\n", one_line(name),
                     std::filesystem::exists(file->path, ec) ? "something else" : "nothing"));
    return;
  }
  pictures_.emplace_back(*std::move(picture));
}

void Conversation::set_system(std::string text) {
  if (!messages_.empty() && messages_.front().role == Role::kSystem)
    messages_.erase(messages_.begin());
  if (!text.empty()) messages_.insert(messages_.begin(), Message::system(std::move(text)));
}

void Conversation::ask(const std::string& text) {
  Message question{.parts = pictures_};
  question.parts.emplace_back(text);
  messages_.push_back(std::move(question));
  if (progress_) progress_->begin();
  std::string answer;
  auto stream = model_.ask(messages_, options_);
  const Status status = stream ? stream_answer(*stream, answer) : std::unexpected(stream.error());
  if (progress_) progress_->end();
  if (!answer.empty() && output_) output_ = print("\n");
  if (status && !pictures_.empty()) note_image_bound(stream->stats());
  // An answer that was stopped stays as far as it came.
  if (status || (status.error().code == ErrorCode::kCancelled && !answer.empty())) {
    messages_.push_back(Message::assistant(std::move(answer)));
    pictures_.clear();
  } else {
    take_back(status.error());
  }
}

Status Conversation::stream_answer(AnswerStream& stream, std::string& text) {
  const auto can_be_stopped = [this](AnswerStream* answering) {
    const std::lock_guard lock(mutex_);
    answering_ = answering;
  };
  can_be_stopped(&stream);
  Result<std::optional<AnswerPiece>> piece;
  ThoughtsView view(thoughts_);
  for (piece = stream.next(); piece && *piece; piece = stream.next()) {
    if (progress_ && (!(*piece)->text.empty() || thoughts_)) progress_->end();
    view.add(**piece);
    text += (*piece)->text;
    if (output_) output_ = print_answer((*piece)->text);
    if (!output_) stream.cancel();
  }
  if (progress_) progress_->end();
  if (piece) view.end(stream.stats());
  can_be_stopped(nullptr);
  return piece ? Status() : std::unexpected(piece.error());
}

void Conversation::take_back(const Error& why) {
  messages_.pop_back();
  if (why.code == ErrorCode::kCancelled) {
    tell("^C\n");  // pictures stay for the next try
    return;
  }
  report(why);
  if (is_of_picture(why.code) && !pictures_.empty()) {
    pictures_.clear();
    tell("The message was taken back, with its pictures.\n");
  } else if (why.code == ErrorCode::kContextFull) {
    tell("The message was taken back; /reset starts afresh.\n");
  } else {
    tell("The message was taken back.\n");
  }
}

}  // namespace ocellus::cli
