// Images seen before, by the content of the file: a second question needs no tower.
#pragma once

#include <list>
#include <memory>
#include <unordered_map>

#include "base/sha256.h"
#include "models/prepared_image.h"

namespace ocellus::vision {

struct EncodedImage {
  std::shared_ptr<const models::ImagePlan> plan;
  std::shared_ptr<const models::ImageEmbeddings> embeddings;
};

// Least recently used goes first; bounded in bytes. One thread. All images of a cache went through
// the same settings, so the digest of the encoded bytes says everything.
class ImageCache {
 public:
  static constexpr std::size_t kDefaultBytes = std::size_t{64} << 20;

  explicit ImageCache(std::size_t max_bytes = kDefaultBytes) : max_bytes_(max_bytes) {}

  // Null when it is not there.
  const EncodedImage* find(const base::Sha256& digest);
  void insert(const base::Sha256& digest, EncodedImage image);
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    base::Sha256 digest;
    EncodedImage image;
  };
  struct Hash {
    std::size_t operator()(const base::Sha256& digest) const noexcept;
  };

  std::size_t max_bytes_, bytes_ = 0;
  std::list<Entry> entries_;  // most recent first
  std::unordered_map<base::Sha256, std::list<Entry>::iterator, Hash> by_digest_;
};

}  // namespace ocellus::vision
