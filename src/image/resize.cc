#include "image/resize.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/result.h"
#include "image/memory.h"
#include "image/resample_passes.h"

namespace ocellus::image {
namespace {

using base::make_error;

// Whether row y of the padded picture is all border.
bool is_border(const PaddedImage& p, int y) { return y < p.top || y >= p.top + p.image.height; }

std::vector<std::uint8_t> fill_row(const PaddedImage& p, int width) {
  std::vector<std::uint8_t> row(std::size_t{3} * width);
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = p.fill[i % 3];
  return row;
}

// Columns [x, x + width) of row y of the padded picture, to `out`.
void copy_columns(const PaddedImage& p, int y, int x, int width, std::uint8_t* out) {
  for (int i = 0; i < width; ++i) std::memcpy(out + std::ptrdiff_t{3} * i, p.fill.data(), 3);
  if (is_border(p, y)) return;
  const int begin = std::max(x, p.left);
  const int end = std::min(x + width, p.left + p.image.width);
  if (begin >= end) return;
  std::memcpy(out + std::ptrdiff_t{3} * (begin - x),
              p.image.row(y - p.top) + std::ptrdiff_t{3} * (begin - p.left),
              std::size_t{3} * (end - begin));
}

// The horizontal pass over the rows [first, last) of the source, for the window's columns.
// Result: [last - first, window.width].
Image resize_across(const PaddedImage& in, std::int64_t width, Filter filter, const Window& window,
                    int first, int last) {
  Image out = make_image(window.width, last - first);
  if (width == in.width) {  // as Pillow: no pass where nothing changes
    for (int y = first; y < last; ++y) {
      copy_columns(in, y, window.x, window.width, out.row(y - first));
    }
    return out;
  }
  const Taps taps = make_taps(in.width, width, filter, window.x, window.width);
  const int begin = taps.first_source();
  PlanarRow row(begin, taps.last_source() - begin, in.fill);
  // Rows of plain border are all alike: the row as it was filled gives them.
  std::vector<std::uint8_t> border(std::size_t{3} * window.width);
  row.resample(taps, border.data());
  for (int y = first; y < last; ++y) {
    if (is_border(in, y)) {
      std::copy(border.begin(), border.end(), out.row(y - first));
    } else {
      row.set(in.left, in.image.row(y - in.top), in.image.width);
      row.resample(taps, out.row(y - first));
    }
  }
  return out;
}

// The vertical pass over columns [first, last) of the source, for the window's rows.
// Result: [window.height, last - first].
Image resize_down(const PaddedImage& in, const Taps& taps, int first, int last) {
  Image out = make_image(last - first, static_cast<int>(taps.spans.size()));
  // Left and right of the picture all columns are alike, so one is worked out.
  Image side = make_image(1, out.height);
  resample_rows(
      taps, 3, [&](int) { return in.fill.data(); }, [&](int y) { return side.row(y); });
  const int begin = std::max(first, in.left);
  const int end = std::min(last, in.left + in.image.width);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      if (x + first < begin || x + first >= end) {
        std::memcpy(out.row(y) + std::ptrdiff_t{3} * x, side.row(y), 3);
      }
    }
  }
  if (begin >= end) return out;
  const std::vector<std::uint8_t> border = fill_row(in, end - begin);
  const auto source = [&](int y) {
    return is_border(in, y) ? border.data()
                            : in.image.row(y - in.top) + std::ptrdiff_t{3} * (begin - in.left);
  };
  const auto target = [&](int y) { return out.row(y) + std::ptrdiff_t{3} * (begin - first); };
  resample_rows(taps, 3 * (end - begin), source, target);
  return out;
}

Image resize_nearest(const PaddedImage& in, std::int64_t width, std::int64_t height,
                     const Window& window) {
  const auto columns = nearest_sources(in.width, width, window.x, window.width);
  const auto rows = nearest_sources(in.height, height, window.y, window.height);
  Image out = make_image(window.width, window.height);
  for (int y = 0; y < window.height; ++y) {
    const int source = rows[static_cast<std::size_t>(y)];
    std::uint8_t* to = out.row(y);
    for (const int column : columns) {
      copy_columns(in, source, column, 1, to);
      to += 3;
    }
  }
  return out;
}

// Pillow's rule since 13.0: the vertical pass comes first where it takes away more than twice as
// many rows as the horizontal one takes away columns. (Before, the horizontal one always came
// first. The result between the passes is rounded, so the order shows in single levels.)
bool vertical_first(const PaddedImage& in, std::int64_t width, std::int64_t height) {
  const std::int64_t fewer_rows = in.height - height;
  return fewer_rows > 0 && fewer_rows > 2 * (in.width - width);
}

Image resample(const PaddedImage& in, std::int64_t width, std::int64_t height, Filter filter,
               const Window& window) {
  const bool horizontal = width != in.width;
  const bool vertical = height != in.height;
  if (filter == Filter::kNearest && (vertical || horizontal)) {
    return resize_nearest(in, width, height, window);
  }
  if (!vertical) {
    return resize_across(in, width, filter, window, window.y, window.y + window.height);
  }
  const Taps down = make_taps(in.height, height, filter, window.y, window.height);
  if (!horizontal) return resize_down(in, down, window.x, window.x + window.width);
  if (vertical_first(in, width, height)) {
    const Taps across = make_taps(in.width, width, filter, window.x, window.width);
    const int first = across.first_source();
    const int last = across.last_source();
    const Image flat = resize_down(in, down, first, last);
    PlanarRow row(first, last - first, in.fill);
    Image out = make_image(window.width, window.height);
    for (int y = 0; y < window.height; ++y) {
      row.set(first, flat.row(y), flat.width);
      row.resample(across, out.row(y));
    }
    return out;
  }
  const int first = down.first_source();
  const Image narrow = resize_across(in, width, filter, window, first, down.last_source());
  Image out = make_image(window.width, window.height);
  resample_rows(
      down, 3 * window.width, [&](int y) { return narrow.row(y - first); },
      [&](int y) { return out.row(y); });
  return out;
}

}  // namespace

std::optional<Filter> parse_filter(std::int64_t number) noexcept {
  if (number < 0 || number > 5) return std::nullopt;
  return static_cast<Filter>(number);
}

std::string_view filter_name(Filter filter) noexcept {
  switch (filter) {
    case Filter::kNearest:
      return "nearest";
    case Filter::kLanczos:
      return "lanczos";
    case Filter::kBilinear:
      return "bilinear";
    case Filter::kBicubic:
      return "bicubic";
    case Filter::kBox:
      return "box";
    case Filter::kHamming:
      return "hamming";
  }
  return "?";
}

Result<Image> resize(const Image& image, int width, int height, Filter filter) {
  const PaddedImage whole{image, image.width, image.height, 0, 0, {}};
  return resize_window(whole, width, height, filter, {0, 0, width, height});
}

Result<Image> resize_window(const PaddedImage& image, std::int64_t width, std::int64_t height,
                            Filter filter, const Window& window) {
  const Image& inner = image.image;
  if (inner.width < 1 || inner.height < 1 ||
      inner.rgb.size() != std::size_t{3} * inner.width * inner.height) {
    return make_error(ErrorCode::kBadImage,
                      "resize: expected a picture, found {} x {} with {} bytes", inner.width,
                      inner.height, inner.rgb.size());
  }
  if (image.left < 0 || image.top < 0 || image.width - image.left < inner.width ||
      image.height - image.top < inner.height) {
    return make_error(ErrorCode::kInvalidArgument,
                      "resize: picture of {} x {}: expected inside {} x {}", inner.width,
                      inner.height, image.width, image.height);
  }
  if (window.x < 0 || window.y < 0 || window.width < 1 || window.height < 1 ||
      std::int64_t{window.x} + window.width > width ||
      std::int64_t{window.y} + window.height > height) {
    return make_error(ErrorCode::kInvalidArgument,
                      "resize: window {} x {} at {}, {}: expected inside {} x {}", window.width,
                      window.height, window.x, window.y, width, height);
  }
  try {
    return resample(image, width, height, filter, window);
  } catch (const std::bad_alloc&) {
    return out_of_memory("not enough memory to resize {} x {} to {} x {}", image.width,
                         image.height, width, height);
  }
}

}  // namespace ocellus::image
