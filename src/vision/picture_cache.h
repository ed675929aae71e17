// Embeddings of pictures seen before, by the content of the file: a second question needs no tower.
#pragma once

#include <list>
#include <memory>
#include <unordered_map>

#include "base/sha256.h"
#include "engine/session.h"

namespace ocellus::vision {

// Least recently used goes first; bounded in bytes. One thread. All pictures of a cache went
// through the same settings, so the digest of the encoded bytes says everything.
class PictureCache {
 public:
  static constexpr std::size_t kDefaultBytes = std::size_t{64} << 20;

  explicit PictureCache(std::size_t max_bytes = kDefaultBytes) : max_bytes_(max_bytes) {}

  // Null when it is not there.
  std::shared_ptr<const engine::ImageEmbeddings> find(const base::Sha256& digest);
  void insert(const base::Sha256& digest,
              std::shared_ptr<const engine::ImageEmbeddings> embeddings);
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    base::Sha256 digest;
    std::shared_ptr<const engine::ImageEmbeddings> embeddings;
  };
  struct Hash {
    std::size_t operator()(const base::Sha256& digest) const noexcept;
  };
  static std::size_t size_of(const Entry& entry) {
    return entry.embeddings->data.size() * sizeof(float);
  }

  std::size_t max_bytes_, bytes_ = 0;
  std::list<Entry> entries_;  // most recent first
  std::unordered_map<base::Sha256, std::list<Entry>::iterator, Hash> by_digest_;
};

}  // namespace ocellus::vision
