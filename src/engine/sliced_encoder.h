// Tower and projector in slices of time, between the tokens of running answers.
#pragma once

#include <chrono>
#include <memory>

#include "engine/slice_clock.h"
#include "models/family.h"
#include "ocellus/error.h"

namespace ocellus::engine {

// One image at a time. One thread; the model must outlive it, an image until it is taken or
// dropped.
class SlicedEncoder {
 public:
  SlicedEncoder(const models::Model& model, std::chrono::nanoseconds slice,
                SliceClock::Now clock = {})
      : encoder_(model.make_encoder()), clock_(slice, std::move(clock)) {}

  // kOutOfMemory.
  Status begin(const models::PreparedImage& image);
  bool active() const { return active_; }
  // As many layers as the slice has time for, one at least. True: the image is done, take() it.
  // After an error the image is dropped.
  Result<bool> run();
  models::ImageEmbeddings take();
  void drop() { active_ = false; }

 private:
  std::unique_ptr<models::ImageEncoder> encoder_;
  SliceClock clock_;
  bool active_ = false;
};

}  // namespace ocellus::engine
