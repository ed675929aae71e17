// From messages and their images to what the engine computes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "models/family.h"
#include "ocellus/error.h"
#include "ocellus/message.h"
#include "text/prompt.h"
#include "text/tokenizer.h"

namespace ocellus::vision {

struct Prompt {
  std::vector<models::Segment> segments;  // those of images without embeddings until attach()
  std::vector<int> image_of;              // which image a segment belongs to; -1: text
  std::int64_t tokens = 0;
  std::int64_t image_tokens = 0;            // of these
  std::int64_t unbounded_image_tokens = 0;  // AnswerStats
  text::Thoughts thoughts = {};             // of the answer

  // `content`: Segment::content.
  void attach(int image, std::shared_ptr<const models::ImageEmbeddings> embeddings,
              std::optional<base::Sha256> content = {});
};

// The images of a conversation, in order. Borrows it.
std::vector<const Picture*> images_of(std::span<const Message> messages);

// Whether a conversation may be asked at all: kInvalidArgument for none, too many or too long
// messages, too many images, an end that is not the user's.
Status check_messages(std::span<const Message> messages);

// What never changes of a model's prompts. Immutable; any thread; borrows what it is made of.
class PromptBuilder {
 public:
  PromptBuilder(const text::PromptTemplate& chat_template, const text::Tokenizer& tokenizer,
                text::SpecialTokens specials, std::int32_t image_token)
      : template_(chat_template),
        tokenizer_(tokenizer),
        specials_(std::move(specials)),
        image_token_(image_token) {}

  // `plans`: of the images, in order; `thinking`: AskOptions. kInvalidArgument where the template
  // refuses the conversation.
  Result<Prompt> build(std::span<const Message> messages,
                       std::span<const std::shared_ptr<const models::ImagePlan>> plans,
                       std::optional<bool> thinking = {}) const;

 private:
  const text::PromptTemplate& template_;
  const text::Tokenizer& tokenizer_;
  text::SpecialTokens specials_;
  std::int32_t image_token_;
};

}  // namespace ocellus::vision
