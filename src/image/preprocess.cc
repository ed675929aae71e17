#include "image/preprocess.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>

#include "base/result.h"
#include "image/memory.h"

namespace ocellus::image {
namespace {

using base::make_error;

// Far beyond any tower; keeps products of sides within 64 bits.
constexpr int kMaxEdge = 16'384;

struct Extent {  // a size that need not fit in memory
  std::int64_t height = 0;
  std::int64_t width = 0;
};

Status check_edge(std::string_view name, std::int64_t value) {
  if (value >= 1 && value <= kMaxEdge) return {};
  return make_error(ErrorCode::kInvalidArgument, "{}: expected 1 to {}, found {}", name, kMaxEdge,
                    value);
}

// transformers' get_size_with_aspect_ratio: the shorter side as asked, unless the longer one would
// pass its cap; Python's round(), which goes to the even neighbour, on the way.
Extent capped_size(Extent in, int shortest, int longest) {
  const auto shorter = static_cast<double>(std::min(in.height, in.width));
  const auto longer = static_cast<double>(std::max(in.height, in.width));
  double raw = shortest;
  std::int64_t size = shortest;
  if (longer / shorter * shortest > longest) {
    raw = longest * shorter / longer;
    size = static_cast<std::int64_t>(std::nearbyint(raw));
  }
  if ((in.height <= in.width && in.height == size) || (in.width <= in.height && in.width == size)) {
    return in;
  }
  const auto height = static_cast<double>(in.height);
  const auto width = static_cast<double>(in.width);
  if (in.width < in.height) return {static_cast<std::int64_t>(raw * height / width), size};
  return {size, static_cast<std::int64_t>(raw * width / height)};
}

Result<Extent> extent_after_resize(Extent in, const PreprocessSettings& settings) {
  if (!settings.do_resize) return in;
  if (settings.resize_to) {
    OCELLUS_RETURN_IF_ERROR(check_edge("size.height", settings.resize_to->height));
    OCELLUS_RETURN_IF_ERROR(check_edge("size.width", settings.resize_to->width));
    return Extent{settings.resize_to->height, settings.resize_to->width};
  }
  OCELLUS_RETURN_IF_ERROR(check_edge("size.shortest_edge", settings.shortest_edge));
  if (settings.longest_edge) {
    OCELLUS_RETURN_IF_ERROR(check_edge("size.longest_edge", *settings.longest_edge));
    Extent out = capped_size(in, settings.shortest_edge, *settings.longest_edge);
    // Python would fail on a side of 0; one pixel is the nearest thing that works.
    return Extent{std::max<std::int64_t>(out.height, 1), std::max<std::int64_t>(out.width, 1)};
  }
  const bool upright = in.width <= in.height;
  const std::int64_t shorter = upright ? in.width : in.height;
  const std::int64_t longer = upright ? in.height : in.width;
  // Exact in 64 bits, and so is int(size * long / short) of the reference's correctly rounded
  // division: the quotient is far below 2^53.
  const std::int64_t side = settings.shortest_edge * longer / shorter;
  return upright ? Extent{side, settings.shortest_edge} : Extent{settings.shortest_edge, side};
}

// Where the crop lies in the resized picture along one side, and where that part lies in the
// result: the reference's arithmetic, with its zero padding where the picture is smaller.
struct Cut {
  std::int64_t source = 0;  // first sample taken
  int count = 0;            // how many
  int target = 0;           // where they go
};

Cut center_cut(std::int64_t length, int crop) {
  // Floor division, as Python's //, also when negative.
  const std::int64_t difference = length - crop;
  const std::int64_t start = difference >= 0 ? difference / 2 : -((-difference + 1) / 2);
  if (difference >= 0) return {start, crop, 0};
  // Smaller: padded at the front by ceil((crop - length) / 2), which is -start: nothing is cut.
  return {0, static_cast<int>(length), static_cast<int>(-start)};
}

// The 8-bit picture that the tower sees.
Result<Image> make_picture(const PaddedImage& source, Extent resized,
                           const PreprocessSettings& settings) {
  if (!settings.do_center_crop) {
    if (resized.height * resized.width > settings.max_output_pixels) {
      return make_error(
          ErrorCode::kBadImage,
          "picture of {} x {}: expected at most {} pixels after resizing, found {} x {}",
          source.width, source.height, settings.max_output_pixels, resized.width, resized.height);
    }
    const Window whole{0, 0, static_cast<int>(resized.width), static_cast<int>(resized.height)};
    return resize_window(source, resized.width, resized.height, settings.filter, whole);
  }
  OCELLUS_RETURN_IF_ERROR(check_edge("crop_size.height", settings.crop.height));
  OCELLUS_RETURN_IF_ERROR(check_edge("crop_size.width", settings.crop.width));
  if (std::int64_t{settings.crop.height} * settings.crop.width > settings.max_output_pixels) {
    return make_error(ErrorCode::kInvalidArgument,
                      "crop_size: expected at most {} pixels, found {} x {}",
                      settings.max_output_pixels, settings.crop.width, settings.crop.height);
  }
  const Cut down = center_cut(resized.height, settings.crop.height);
  const Cut across = center_cut(resized.width, settings.crop.width);
  const Window window{static_cast<int>(across.source), static_cast<int>(down.source), across.count,
                      down.count};
  OCELLUS_ASSIGN_OR_RETURN(
      Image part, resize_window(source, resized.width, resized.height, settings.filter, window));
  if (part.width == settings.crop.width && part.height == settings.crop.height) return part;
  Image out = make_image(settings.crop.width, settings.crop.height);
  for (int y = 0; y < part.height; ++y) {
    std::memcpy(out.row(down.target + y) + std::size_t{3} * across.target, part.row(y),
                std::size_t{3} * part.width);
  }
  return out;
}

PaddedImage as_source(const Image& image, const PreprocessSettings& settings) {
  PaddedImage source{image, image.width, image.height, 0, 0, {}};
  if (!settings.pad_to_square) return source;
  source.width = source.height = std::max(image.width, image.height);
  source.left = (source.width - image.width) / 2;
  source.top = (source.height - image.height) / 2;
  for (std::size_t c = 0; c < 3; ++c) {
    // int() of the reference; clamped because an 8-bit picture can hold no other.
    source.fill[c] = static_cast<std::uint8_t>(std::clamp(settings.mean[c] * 255, 0.0, 255.0));
  }
  return source;
}

Status check_numbers(const PreprocessSettings& settings) {
  if (settings.do_rescale && !std::isfinite(settings.rescale_factor)) {
    return make_error(ErrorCode::kInvalidArgument,
                      "rescale_factor: expected a finite number, found {}",
                      settings.rescale_factor);
  }
  for (std::size_t c = 0; c < 3; ++c) {
    const double mean = settings.mean[c];
    const double std = settings.std[c];
    if (!std::isfinite(mean) || !std::isfinite(std) || (settings.do_normalize && !(std > 0))) {
      return make_error(ErrorCode::kInvalidArgument,
                        "image_mean and image_std of channel {}: expected finite numbers and a "
                        "positive deviation, found {} and {}",
                        c, mean, std);
    }
  }
  return {};
}

// What each of the 256 samples of a channel becomes. The types are the reference's: the product in
// double, then float; mean and deviation as floats.
std::array<float, 256> make_table(const PreprocessSettings& settings, std::size_t channel) {
  std::array<float, 256> table{};
  const auto mean = static_cast<float>(settings.mean[channel]);
  const auto std = static_cast<float>(settings.std[channel]);
  for (std::size_t v = 0; v < table.size(); ++v) {
    auto value = static_cast<float>(v);
    if (settings.do_rescale) {
      value = static_cast<float>(static_cast<double>(v) * settings.rescale_factor);
    }
    if (settings.do_normalize) value = (value - mean) / std;
    table[v] = value;
  }
  return table;
}

}  // namespace

Result<Size> resized_size(Size size, const PreprocessSettings& settings) {
  if (size.height < 1 || size.width < 1) {
    return make_error(ErrorCode::kInvalidArgument,
                      "picture: expected sides of at least 1, found {} x {}", size.width,
                      size.height);
  }
  OCELLUS_ASSIGN_OR_RETURN(const Extent out,
                           extent_after_resize({size.height, size.width}, settings));
  if (out.height > INT32_MAX || out.width > INT32_MAX) {
    return make_error(ErrorCode::kInvalidArgument,
                      "picture of {} x {}: the longer side would not fit in 31 bits after resizing",
                      size.width, size.height);
  }
  return Size{static_cast<int>(out.height), static_cast<int>(out.width)};
}

Result<PixelValues> rescale_and_normalize(Image image, const PreprocessSettings& settings) {
  OCELLUS_RETURN_IF_ERROR(check_numbers(settings));
  try {
    PixelValues values;
    values.height = image.height;
    values.width = image.width;
    const std::size_t area = std::size_t(image.width) * std::size_t(image.height);
    values.data.resize(PixelValues::kChannels * area);
    for (std::size_t c = 0; c < PixelValues::kChannels; ++c) {
      const std::array<float, 256> table = make_table(settings, c);
      float* plane = values.data.data() + c * area;
      const std::uint8_t* from = image.rgb.data() + c;
      for (std::size_t i = 0; i < area; ++i) plane[i] = table[from[3 * i]];
    }
    values.resized = std::move(image);
    return values;
  } catch (const std::bad_alloc&) {
    return out_of_memory("not enough memory for the values of {} x {} pixels", image.width,
                         image.height);
  }
}

Result<Image> resize_and_crop(const Image& image, const PreprocessSettings& settings) {
  if (image.width < 1 || image.height < 1) {
    return make_error(ErrorCode::kBadImage, "picture: expected sides of at least 1, found {} x {}",
                      image.width, image.height);
  }
  OCELLUS_RETURN_IF_ERROR(check_numbers(settings));
  const PaddedImage source = as_source(image, settings);
  OCELLUS_ASSIGN_OR_RETURN(const Extent resized,
                           extent_after_resize({source.height, source.width}, settings));
  if (resized.height > INT32_MAX || resized.width > INT32_MAX) {
    return make_error(ErrorCode::kBadImage,
                      "picture of {} x {}: the longer side would not fit in 31 bits after resizing",
                      image.width, image.height);
  }
  try {
    return make_picture(source, resized, settings);
  } catch (const std::bad_alloc&) {
    return out_of_memory("not enough memory for a picture of {} x {}", settings.crop.width,
                         settings.crop.height);
  }
}

Result<PixelValues> preprocess(const Image& image, const PreprocessSettings& settings) {
  OCELLUS_ASSIGN_OR_RETURN(Image picture, resize_and_crop(image, settings));
  return rescale_and_normalize(std::move(picture), settings);
}

}  // namespace ocellus::image
