#include "vision/prompt_builder.h"

#include <algorithm>

#include "base/result.h"

namespace ocellus::vision {
namespace {

using base::make_error;

constexpr std::size_t kMaxMessages = 1024;
constexpr std::size_t kMaxImages = 64;
constexpr std::size_t kMaxTextBytes = std::size_t{1} << 20;

text::Message::Role role_of(Role role) {
  switch (role) {
    case Role::kSystem:
      return text::Message::Role::kSystem;
    case Role::kAssistant:
      return text::Message::Role::kAssistant;
    case Role::kUser:
      break;
  }
  return text::Message::Role::kUser;
}

std::vector<text::Message> text_messages(std::span<const Message> messages) {
  std::vector<text::Message> converted;
  for (const Message& message : messages) {
    text::Message& to = converted.emplace_back(role_of(message.role));
    for (const Part& part : message.parts) {
      if (const auto* text = std::get_if<std::string>(&part)) {
        to.parts.emplace_back(*text);
      } else {
        to.parts.emplace_back(text::ImagePart());
      }
    }
  }
  return converted;
}

// Puts each image's layout in place of its placeholder: text between its rows is tokenized together
// with what stands around it, as the reference's processors do it.
std::vector<text::Segment> expand(const std::vector<text::Segment>& segments,
                                  const std::string& placeholder,
                                  std::span<const std::shared_ptr<const models::ImagePlan>> plans) {
  std::vector<text::Segment> expanded;
  std::size_t image = 0;
  for (const text::Segment& segment : segments) {
    if (!segment.trusted) {
      expanded.push_back(segment);
      continue;
    }
    text::Segment& to = expanded.emplace_back(std::string(), true);
    std::size_t from = 0;
    for (std::size_t at = segment.text.find(placeholder);
         at != std::string::npos && image < plans.size();
         at = segment.text.find(placeholder, from)) {
      to.text.append(segment.text, from, at - from);
      for (const models::LayoutPiece& piece : plans[image]->layout)
        to.text += piece.rows > 0 ? placeholder : piece.text;
      from = at + placeholder.size();
      ++image;
    }
    to.text.append(segment.text, from);
  }
  return expanded;
}

// Rows of images, in the order of the prompt.
struct Rows {
  int image;
  std::int64_t first, count;
};

std::vector<Rows> rows_of(std::span<const std::shared_ptr<const models::ImagePlan>> plans) {
  std::vector<Rows> rows;
  for (std::size_t image = 0; image < plans.size(); ++image) {
    std::int64_t first = 0;
    for (const models::LayoutPiece& piece : plans[image]->layout) {
      if (piece.rows == 0) continue;
      rows.push_back({static_cast<int>(image), first, piece.rows});
      first += piece.rows;
    }
  }
  return rows;
}

}  // namespace

void Prompt::attach(int image, std::shared_ptr<const models::ImageEmbeddings> embeddings,
                    std::optional<base::Sha256> content) {
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (image_of[i] != image) continue;
    segments[i].image = embeddings;
    segments[i].content = content;
  }
}

std::vector<const Picture*> images_of(std::span<const Message> messages) {
  std::vector<const Picture*> images;
  for (const Message& message : messages) {
    for (const Part& part : message.parts) {
      if (const auto* picture = std::get_if<Picture>(&part)) images.push_back(picture);
    }
  }
  return images;
}

Status check_messages(std::span<const Message> messages) {
  constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;
  if (messages.empty() || messages.size() > kMaxMessages)
    return make_error(kInvalid, "messages: expected 1 to {}, found {}", kMaxMessages,
                      messages.size());
  if (messages.back().role != Role::kUser)
    return make_error(kInvalid, "messages: expected the last one to be the user's");
  if (messages.back().parts.empty())
    return make_error(kInvalid,
                      "messages: expected text or an image in the last one, found nothing");
  std::size_t bytes = 0;
  for (const Message& message : messages) {
    for (const Part& part : message.parts) {
      if (const auto* text = std::get_if<std::string>(&part)) bytes += text->size();
    }
  }
  if (bytes > kMaxTextBytes)
    return make_error(kInvalid, "messages: expected at most {} bytes of text, found {}",
                      kMaxTextBytes, bytes);
  if (const std::size_t images = images_of(messages).size(); images > kMaxImages)
    return make_error(kInvalid, "messages: expected at most {} images, found {}", kMaxImages,
                      images);
  return {};
}

Result<Prompt> PromptBuilder::build(std::span<const Message> messages,
                                    std::span<const std::shared_ptr<const models::ImagePlan>> plans,
                                    std::optional<bool> thinking) const {
  text::RenderOptions options;
  options.thinking = thinking;
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<text::Segment> rendered,
                           template_.render(text_messages(messages), specials_, options));
  const std::vector<text::Segment> text = expand(rendered, specials_.image, plans);
  // A template that writes the start token itself gets no second one.
  const bool has_bos = !specials_.bos.empty() && !text.empty() && text.front().trusted &&
                       text.front().text.starts_with(specials_.bos);
  const std::vector<std::int32_t> ids = tokenizer_.encode(text, !has_bos);
  const std::vector<Rows> rows = rows_of(plans);
  if (std::ranges::count(ids, image_token_) != std::ssize(rows)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "chat template: expected {} image placeholders, found {}", rows.size(),
                      std::ranges::count(ids, image_token_));
  }
  Prompt prompt;
  prompt.thoughts = template_.thoughts_after(rendered);
  const auto add = [&](models::Segment segment, int image) {
    prompt.tokens += image < 0 ? std::ssize(segment.tokens) : segment.rows;
    prompt.segments.push_back(std::move(segment));
    prompt.image_of.push_back(image);
  };
  auto from = ids.begin();
  for (const Rows& each : rows) {
    const auto at = std::find(from, ids.end(), image_token_);
    if (at != from) add({.tokens = {from, at}}, -1);
    add({.plan = plans[static_cast<std::size_t>(each.image)],
         .first_row = each.first,
         .rows = each.count},
        each.image);
    prompt.image_tokens += each.count;
    from = at + 1;
  }
  if (from != ids.end()) add({.tokens = {from, ids.end()}}, -1);
  for (const auto& plan : plans)
    prompt.unbounded_image_tokens += std::max(plan->rows(), plan->unbounded_rows);
  return prompt;
}

}  // namespace ocellus::vision
