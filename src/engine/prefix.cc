// Prompts that begin alike: what one has computed, the others take over.
#include <algorithm>

#include "engine/engine.h"

namespace ocellus::engine {

// A state is not a block of the cache: what follows a shared prefix could not go on from it.
bool Engine::shares_prefixes() const {
  return options_.kv_cache && options_.prefix_cache_bytes > 0 &&
         model_->language().facts().state_bytes == 0;
}

// Blocks after what the sequence has, where somebody else has computed them by now.
void Engine::share_prefix(Sequence& sequence) {
  const std::int64_t block = pool_.geometry().block_tokens;
  const auto have = static_cast<std::size_t>(sequence.computed / block);
  // The last row is computed in any case: a token is chosen from it.
  const std::size_t most = std::min(
      sequence.keys.size(), static_cast<std::size_t>((sequence.prompt_length() - 1) / block));
  if (sequence.request.keep_prompt_logits || sequence.computed % block != 0 ||
      sequence.cache.size() != have || most <= have) {
    return;
  }
  std::size_t now =
      have + sequence.cache.share(std::span(sequence.keys).subspan(have, most - have));
  // An image that must be computed in one step is shared whole or not at all.
  const auto splits_image = [&](std::size_t blocks) {
    const std::int64_t slot = static_cast<std::int64_t>(blocks) * block;
    bool splits = false;
    sequence.for_each_image(
        slot, 1, [&](const models::Segment&, std::int64_t first, std::int64_t, std::int64_t) {
          splits = first < slot;
        });
    return splits;
  };
  if (model_->language().facts().images_attend_both_ways) {
    while (now > have && splits_image(now)) --now;
    sequence.cache.truncate(now);
  }
  sequence.computed = static_cast<std::int64_t>(now) * block;
  sequence.shared += static_cast<std::int64_t>(now - have) * block;
  sequence.published = std::max(sequence.published, now);
}

void Engine::publish_prefix(Sequence& sequence) {
  const auto full = static_cast<std::size_t>(sequence.computed / pool_.geometry().block_tokens);
  for (; sequence.published < std::min(full, sequence.keys.size()); ++sequence.published)
    sequence.cache.publish(sequence.published, sequence.keys[sequence.published]);
}

}  // namespace ocellus::engine
