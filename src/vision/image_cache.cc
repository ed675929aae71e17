#include "vision/image_cache.h"

#include <cstring>

namespace ocellus::vision {

std::size_t ImageCache::Hash::operator()(const base::Sha256& digest) const noexcept {
  std::size_t hash;
  std::memcpy(&hash, digest.data(), sizeof(hash));
  return hash;
}

const EncodedImage* ImageCache::find(const base::Sha256& digest) {
  const auto found = by_digest_.find(digest);
  if (found == by_digest_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &found->second->image;
}

void ImageCache::insert(const base::Sha256& digest, EncodedImage image) {
  if (by_digest_.contains(digest)) return;
  entries_.push_front({digest, std::move(image)});
  by_digest_.emplace(digest, entries_.begin());
  bytes_ += entries_.front().image.embeddings->bytes();
  while (bytes_ > max_bytes_ && entries_.size() > 1) {
    bytes_ -= entries_.back().image.embeddings->bytes();
    by_digest_.erase(entries_.back().digest);
    entries_.pop_back();
  }
}

}  // namespace ocellus::vision
