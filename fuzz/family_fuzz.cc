// What families make of a checkpoint's settings and of pictures of any size: errors, or plans whose
// tiles and rows stay within what the model says of itself. Height and width, two bytes each, the
// limits, one each, then config.json and, after a zero, the image processor's file.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "models/families.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ocellus;
  constexpr std::size_t kNumbers = 6;
  constexpr int kMaxSide = 16384;
  if (size < kNumbers) return 0;
  const image::Size picture{1 + (data[0] << 8 | data[1]) % kMaxSide,
                            1 + (data[2] << 8 | data[3]) % kMaxSide};
  const models::PictureOptions limits{.max_tiles = data[4] % 16,
                                      .max_rows = std::int64_t{data[5]} * 16};
  const std::string_view text(reinterpret_cast<const char*>(data) + kNumbers, size - kNumbers);
  const std::size_t end = text.find('\0');
  models::Checkpoint checkpoint;
  checkpoint.texts.emplace("config.json", text.substr(0, end));
  if (end != std::string_view::npos)
    checkpoint.texts.emplace("preprocessor_config.json", text.substr(end + 1));
  const auto model = models::describe_model(checkpoint);
  if (!model) return 0;
  for (const models::PictureOptions& options : {models::PictureOptions(), limits}) {
    const auto facts = (*model)->image_facts(picture, options);
    if (!facts) continue;
    const std::int64_t most = (*model)->summary().image_rows;
    constexpr std::int64_t kMaxTiles = 256;
    if (facts->rows < 1 || facts->rows > most || facts->whole_rows > facts->rows ||
        std::int64_t{facts->tiles.height} * facts->tiles.width > kMaxTiles)
      std::abort();
    // A picture 200 times as long as wide may keep its shape.
    constexpr std::int64_t kThinRows = 200;
    if (options.max_rows > 0 && facts->rows > std::max(options.max_rows, kThinRows)) std::abort();
  }
  return 0;
}
