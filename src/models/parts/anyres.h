// "Any resolution": a picture is seen whole, and again, larger, in a grid of tiles whose shape is
// the best of a list for it. The geometry, which is arithmetic only.
// Papers: arXiv:2310.03744 (LLaVA-1.5-HD), 2408.03326 (OneVision). Reference: transformers 5,
// image_processing_utils.py (select_best_resolution, get_patch_output_size) and
// models/llava_{next,onevision}/ (unpad_image, pack_image_features).
#pragma once

#include <cstdint>
#include <vector>

#include "formats/config_reader.h"
#include "image/preprocess.h"
#include "models/load_options.h"
#include "ocellus/error.h"

namespace ocellus::models {

struct AnyresConfig {
  std::vector<image::Size> grids;  // pixels of all tiles together; in order of preference
  std::int64_t tile = 0;           // pixels of a tile's side: what the tower takes
  std::int64_t patches = 0;        // rows that a tile's side has
  // Tiles' worth of rows above which they are averaged down; 0: never.
  std::int64_t averaged_above = 0;
  bool single_in_conversation = false;  // one of several pictures is seen whole only

  std::int64_t whole_rows() const { return patches * patches; }
  // Of any picture.
  std::int64_t max_rows() const;
};

// What becomes of one picture.
struct AnyresLayout {
  image::Size fitted;                  // pixels: the picture in the grid, centred on black
  std::int64_t top = 0, left = 0;      // rows of patches that are border, and columns
  std::int64_t height = 0, width = 0;  // rows and columns that are picture: 0 of a very thin one
  std::int64_t rows = 0, columns = 0;  // of them after averaging

  // Every row of patches ends in the vector that stands for a line's end.
  std::int64_t tile_rows() const { return rows * (columns + 1); }
};

// The best grid for a picture, and what becomes of the picture in it.
image::Size best_grid(const AnyresConfig& config, image::Size picture);
AnyresLayout anyres_layout(const AnyresConfig& config, image::Size picture, image::Size grid);

// image_grid_pinpoints; empty where it is absent. Errors go to the reader.
std::vector<image::Size> read_grids(formats::ConfigReader& r);
// Of a list as GGUF files have it: heights and widths in turn.
std::vector<image::Size> grids_of(const std::vector<double>& flat);

// Whether the grids are whole tiles and few enough. kBadModel naming `where`.
Status check_grids(const AnyresConfig& config, const std::string& where);

// The grids that are within the caller's limits. kInvalidArgument where none is.
Result<AnyresConfig> limited(const AnyresConfig& config, const PictureOptions& options);

}  // namespace ocellus::models
