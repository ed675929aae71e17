#include "vision/image_load.h"

#include <cstring>

#include "base/result.h"
#include "image/image.h"

namespace ocellus::vision {
namespace {

Result<models::PreparedImage> prepare(const models::Model& model,
                                      std::span<const std::byte> encoded, models::ImageUse use) {
  OCELLUS_ASSIGN_OR_RETURN(const image::Image picture, image::decode_image(encoded));
  return model.prepare_image(picture, use);
}

base::Sha256 digest_of(std::span<const std::byte> bytes, models::ImageUse use) {
  const base::Sha256 digest = base::sha256(bytes);
  if (use == models::ImageUse::kAlone) return digest;
  std::vector<std::byte> both(digest.size() + 1);
  std::memcpy(both.data(), digest.data(), digest.size());
  both.back() = static_cast<std::byte>(use);
  return base::sha256(both);
}

}  // namespace

Status ImageLoad::advance(ImageTools& tools) {
  if (!fetched_) {
    if (!fetch_.ready()) return {};
    OCELLUS_ASSIGN_OR_RETURN(Bytes bytes, fetch_.take());
    bytes_ = std::make_shared<const Bytes>(std::move(bytes));
    fetched_ = true;
  }
  if (!known_) OCELLUS_RETURN_IF_ERROR(look_up(tools));
  if (wish_.goal == ImageGoal::kPlan || prepared_ || encoded()) return {};
  if (!decoding_) return decode(tools);
  auto result = decoding_->try_take();
  if (!result) return {};
  if (!*result) return std::unexpected(std::move(*result).error());
  prepared_ = std::make_shared<const models::PreparedImage>(**std::move(result));
  if (prepared_->plan.rows() == plan_->rows()) return {};
  return base::make_error(ErrorCode::kBadImage,
                          "picture: expected the size that its header says, found another");
}

// The plan comes from the file's header alone: a prompt that is too long costs no decoding.
Status ImageLoad::look_up(ImageTools& tools) {
  digest_ = digest_of(*bytes_, wish_.use);
  known_ = true;
  if (const EncodedImage* cached = tools.cache.find(digest_)) {
    encoded_as(*cached);
  } else {
    OCELLUS_ASSIGN_OR_RETURN(const image::ImageInfo info, image::read_image_info(*bytes_));
    OCELLUS_ASSIGN_OR_RETURN(
        models::ImagePlan plan,
        tools.model->plan_image({info.oriented_height(), info.oriented_width()}, wish_.use));
    plan_ = std::make_shared<const models::ImagePlan>(std::move(plan));
  }
  return {};
}

Status ImageLoad::decode(ImageTools& tools) {
  wants_job_ = tools.decoded.use_count() > ImageTools::kMaxDecoded;
  if (wants_job_) return {};
  auto channel = std::make_shared<ResultChannel<models::PreparedImage>>();
  const Status queued = tools.jobs->submit(
      [channel, bytes = bytes_, model = tools.model, use = wish_.use, wake = tools.wake] {
        auto prepared = prepare(*model, *bytes, use);
        if (prepared) {
          channel->finish(*std::move(prepared));
        } else {
          channel->fail(std::move(prepared).error());
        }
        wake();
      },
      [channel, wake = tools.wake](Error error) {
        channel->fail(std::move(error));
        wake();
      });
  wants_job_ = !queued && queued.error().code == ErrorCode::kUnavailable;  // full: later
  if (queued) {
    decoding_ = std::move(channel);
    slot_ = tools.decoded;
    bytes_ = nullptr;
  }
  return wants_job_ ? Status() : queued;
}

void ImageLoad::encoded_as(EncodedImage image) {
  plan_ = std::move(image.plan);
  embeddings_ = std::move(image.embeddings);
  prepared_ = nullptr;
  slot_ = nullptr;
}

}  // namespace ocellus::vision
