#include "engine/sliced_encoder.h"

#include "base/result.h"

namespace ocellus::engine {

Status SlicedEncoder::begin(const models::PreparedImage& image) {
  OCELLUS_RETURN_IF_ERROR(encoder_->begin(image));
  active_ = true;
  return {};
}

Result<bool> SlicedEncoder::run() {
  clock_.begin();
  do {
    const auto before = clock_.now();
    if (const Status status = encoder_->advance(); !status) {
      active_ = false;
      return std::unexpected(status.error());
    }
    clock_.measured(1, clock_.now() - before);
  } while (!encoder_->done() && clock_.has_time_for(1));
  return encoder_->done();
}

models::ImageEmbeddings SlicedEncoder::take() {
  active_ = false;
  return encoder_->take();
}

}  // namespace ocellus::engine
