// One image of a request on its way: bytes, pixels, embeddings.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/sha256.h"
#include "compute/pool.h"
#include "fetch/source.h"
#include "models/family.h"
#include "ocellus/picture.h"
#include "runtime/spawn.h"
#include "vision/image_cache.h"
#include "vision/result_channel.h"

namespace ocellus::vision {

// How far an image has to go: to know its place in the prompt, or to be encoded.
enum class ImageGoal : std::uint8_t { kPlan, kEncode };

// What is wanted of an image.
struct ImageWish {
  ImageGoal goal = ImageGoal::kEncode;
  models::ImageUse use = models::ImageUse::kAlone;
};

// What all images of a worker share.
struct ImageTools {
  std::shared_ptr<const models::Model> model;
  std::shared_ptr<compute::Jobs> jobs;
  std::function<void()> wake;  // ends the worker's wait
  // A picture in tiles is up to a hundred megabytes of values before it is encoded: so many of all
  // requests are decoded ahead of the tower. Each holds one of these.
  static constexpr long kMaxDecoded = 4;
  std::shared_ptr<const int> decoded = std::make_shared<const int>(0);
  ImageCache cache = ImageCache();
};

// The worker's thread only; what others do for it (reading on the runtime, decoding in a job) owns
// what it uses, so that it may go at any time.
class ImageLoad {
 public:
  using Bytes = std::vector<std::byte>;

  ImageLoad(ImageWish wish, runtime::Task<Bytes> fetch) : wish_(wish), fetch_(std::move(fetch)) {}
  ImageLoad(ImageWish wish, Bytes bytes)
      : wish_(wish), bytes_(std::make_shared<const Bytes>(std::move(bytes))), fetched_(true) {}

  // Goes on as far as it can without waiting. Errors of reading and decoding; they end the request.
  Status advance(ImageTools& tools);

  bool fetched() const { return fetched_; }
  bool planned() const { return plan_ != nullptr; }
  bool decoded() const { return prepared_ != nullptr || encoded(); }
  bool encoded() const { return embeddings_ != nullptr; }
  // Pixels for the tower, and nobody has encoded them yet.
  bool wants_encoding() const { return prepared_ != nullptr && !encoded(); }
  // Decoding has to wait for others: it is tried again.
  bool wants_job() const { return wants_job_; }

  const std::shared_ptr<const models::ImagePlan>& plan() const { return plan_; }
  const models::PreparedImage& prepared() const { return *prepared_; }
  const std::shared_ptr<const models::ImageEmbeddings>& embeddings() const { return embeddings_; }
  // Of all that the embeddings follow from: the bytes, and how the image is used.
  const base::Sha256& digest() const { return digest_; }
  // The tower's work is done, by whoever did it.
  void encoded_as(EncodedImage image);

 private:
  Status look_up(ImageTools& tools);
  Status decode(ImageTools& tools);

  ImageWish wish_;
  runtime::Task<Bytes> fetch_;
  std::shared_ptr<const Bytes> bytes_;  // until it is decoded
  bool fetched_ = false;
  base::Sha256 digest_{};
  bool known_ = false;  // the digest is there, the cache was asked
  bool wants_job_ = false;
  std::shared_ptr<const int> slot_;  // of ImageTools::decoded, from decoding to encoding
  std::shared_ptr<ResultChannel<models::PreparedImage>> decoding_;
  std::shared_ptr<const models::ImagePlan> plan_;
  std::shared_ptr<const models::PreparedImage> prepared_;
  std::shared_ptr<const models::ImageEmbeddings> embeddings_;
};

}  // namespace ocellus::vision
