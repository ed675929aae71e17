#include "benchmark/repeat.h"

#include "base/result.h"
#include "benchmark/photo.h"
#include "image/image.h"

namespace ocellus::benchmark {
namespace {

constexpr int kPhotoSide = 640;
constexpr std::size_t kKept = std::size_t{8} << 30;  // more than any picture takes
constexpr auto kInOneGo = std::chrono::hours(24);

}  // namespace

RepeatedPicture::RepeatedPicture(const models::Model& model, std::unique_ptr<engine::Engine> engine)
    : model_(&model), engine_(std::move(engine)), encoder_(model, kInOneGo) {}

Result<RepeatedPicture> RepeatedPicture::create(const models::Model& model) {
  OCELLUS_ASSIGN_OR_RETURN(
      auto engine,
      engine::Engine::create(model, {.context_tokens = model.language().facts().max_position,
                                     .prefix_cache_bytes = kKept,
                                     .slice = kInOneGo}));
  return RepeatedPicture(model, std::move(engine));
}

Status RepeatedPicture::first(std::int64_t tokens) {
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<std::byte> photo, make_photo(kPhotoSide, kPhotoSide));
  OCELLUS_ASSIGN_OR_RETURN(const image::Image picture, image::decode_image(photo));
  OCELLUS_ASSIGN_OR_RETURN(const models::PreparedImage prepared,
                           model_->prepare_image(picture, models::ImageUse::kAlone));
  OCELLUS_RETURN_IF_ERROR(encoder_.begin(prepared));
  OCELLUS_ASSIGN_OR_RETURN([[maybe_unused]] const bool done, encoder_.run());
  picture_ = std::make_shared<const models::ImageEmbeddings>(encoder_.take());
  return ask(tokens);
}

Status RepeatedPicture::again(std::int64_t tokens) { return ask(tokens); }

Status RepeatedPicture::ask(std::int64_t tokens) {
  engine::SequenceRequest request;
  request.prompt.push_back({.image = picture_, .rows = picture_->rows, .content = base::Sha256{1}});
  models::Segment& question = request.prompt.emplace_back();
  for (std::int64_t i = 0; i < tokens; ++i) {
    const auto id = static_cast<std::int64_t>(question_++) * 7919;
    question.tokens.push_back(
        static_cast<std::int32_t>(id % model_->language().facts().vocab_size));
  }
  request.max_new_tokens = 1;
  OCELLUS_RETURN_IF_ERROR(engine_->add(std::move(request)));
  while (!engine_->idle()) {
    for (const engine::SequenceEvent& event : engine_->step()) {
      if (event.error) return std::unexpected(*event.error);
      if (event.prefilled) shared_ = event.shared;
    }
  }
  return {};
}

}  // namespace ocellus::benchmark
