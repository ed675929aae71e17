// The largest sizes of a model. Larger ones are refused before anything is computed from them.
#pragma once

#include <cstdint>

namespace ocellus::formats {

inline constexpr std::int64_t kMaxLayers = 1024;
inline constexpr std::int64_t kMaxHeads = 1024;
inline constexpr std::int64_t kMaxHidden = 65536;
inline constexpr std::int64_t kMaxVocabulary = std::int64_t{1} << 21;
inline constexpr std::int64_t kMaxPosition = std::int64_t{1} << 31;
inline constexpr std::int64_t kMaxImageSide = 4096;  // pixels of a tower's input

}  // namespace ocellus::formats
