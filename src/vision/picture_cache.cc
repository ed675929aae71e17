#include "vision/picture_cache.h"

#include <cstring>

namespace ocellus::vision {

std::size_t PictureCache::Hash::operator()(const base::Sha256& digest) const noexcept {
  std::size_t hash;
  std::memcpy(&hash, digest.data(), sizeof(hash));
  return hash;
}

std::shared_ptr<const engine::ImageEmbeddings> PictureCache::find(const base::Sha256& digest) {
  const auto found = by_digest_.find(digest);
  if (found == by_digest_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->embeddings;
}

void PictureCache::insert(const base::Sha256& digest,
                          std::shared_ptr<const engine::ImageEmbeddings> embeddings) {
  if (by_digest_.contains(digest)) return;
  entries_.push_front({digest, std::move(embeddings)});
  by_digest_.emplace(digest, entries_.begin());
  bytes_ += size_of(entries_.front());
  while (bytes_ > max_bytes_ && entries_.size() > 1) {
    bytes_ -= size_of(entries_.back());
    by_digest_.erase(entries_.back().digest);
    entries_.pop_back();
  }
}

}  // namespace ocellus::vision
