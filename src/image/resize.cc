#include "image/resize.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/result.h"
#include "image/resample_kernel.h"

namespace ocellus::image {
namespace {

using base::make_error;

// Sums of products of 16-bit numbers are taken in blocks short enough for 32 bits:
// 2048 * 255 * 2047 < 2^31.
constexpr int kBlock = 2048;

std::int32_t dot(const std::int16_t* a, const std::int16_t* b, int n) {
  std::int32_t sum = 0;
  for (int i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// The exact weighted sum plus half; wraps around on the way where it must, and fits at the end.
std::int32_t weigh(const std::int16_t* samples, const Taps& taps, const Taps::Span& span) {
  auto sum = static_cast<std::uint32_t>(kHalf);
  for (int t = 0; t < span.count; t += kBlock) {
    const int n = std::min(kBlock, span.count - t);
    const auto high = static_cast<std::uint32_t>(dot(samples + t, &taps.high[span.weights + t], n));
    const auto low = static_cast<std::uint32_t>(dot(samples + t, &taps.low[span.weights + t], n));
    sum += (high << Taps::kLowBits) + low;
  }
  return static_cast<std::int32_t>(sum);
}

// Row y of the padded picture. Where a row is part picture, part border, it is put together in
// `scratch` ([width, 3]).
const std::uint8_t* padded_row(const PaddedImage& p, int y, std::vector<std::uint8_t>& scratch) {
  const int inside = y - p.top;
  const bool border = inside < 0 || inside >= p.image.height;
  if (!border && p.width == p.image.width) return p.image.row(inside);
  scratch.resize(std::size_t{3} * p.width);
  for (int x = 0; x < p.width; ++x) std::memcpy(&scratch[std::size_t{3} * x], p.fill.data(), 3);
  if (!border) {
    std::memcpy(&scratch[std::size_t{3} * p.left], p.image.row(inside),
                std::size_t{3} * p.image.width);
  }
  return scratch.data();
}

// Columns [window.x, window.x + window.width) of the rows [first, last) of the source, resized
// horizontally. Result: [last - first, window.width].
Image resize_rows(const PaddedImage& in, std::int64_t width, Filter filter, const Window& window,
                  int first, int last) {
  Image out = make_image(window.width, last - first);
  std::vector<std::uint8_t> scratch;
  if (width == in.width) {  // as Pillow: no pass where nothing changes
    for (int y = first; y < last; ++y) {
      std::memcpy(out.row(y - first), padded_row(in, y, scratch) + std::size_t{3} * window.x,
                  std::size_t{3} * window.width);
    }
    return out;
  }
  const Taps taps = make_taps(in.width, width, filter, window.x, window.width);
  const int begin = taps.first_source();
  const int samples = taps.last_source() - begin;
  std::vector<std::int16_t> planes(std::size_t{3} * samples);
  std::int16_t* const plane[3] = {planes.data(), planes.data() + samples,
                                  planes.data() + std::size_t{2} * samples};
  const std::uint8_t* previous = nullptr;
  for (int y = first; y < last; ++y) {
    // Rows of plain border are all alike; the first one is worked out, the others copied.
    const bool border = y < in.top || y >= in.top + in.image.height;
    if (border && previous != nullptr) {
      std::memcpy(out.row(y - first), previous, std::size_t{3} * window.width);
      continue;
    }
    const std::uint8_t* row = padded_row(in, y, scratch) + std::size_t{3} * begin;
    for (int x = 0; x < samples; ++x) {
      for (int c = 0; c < 3; ++c) plane[c][x] = row[3 * x + c];
    }
    std::uint8_t* to = out.row(y - first);
    for (int x = 0; x < window.width; ++x) {
      const Taps::Span& span = taps.spans[static_cast<std::size_t>(x)];
      for (int c = 0; c < 3; ++c) {
        to[3 * x + c] = clip_sum(weigh(plane[c] + (span.first - begin), taps, span));
      }
    }
    if (border) previous = to;
  }
  return out;
}

// Resizes vertically: `in` holds the rows from taps.first_source() on.
Image resize_columns(const Image& in, const Taps& taps) {
  constexpr int kStrip = 1024;  // of samples: two sums of 4 bytes each stay in the first cache
  Image out = make_image(in.width, static_cast<int>(taps.spans.size()));
  std::uint32_t high[kStrip];
  std::uint32_t low[kStrip];
  const int samples = 3 * in.width;
  for (int y = 0; y < out.height; ++y) {
    const Taps::Span& span = taps.spans[static_cast<std::size_t>(y)];
    for (int x0 = 0; x0 < samples; x0 += kStrip) {
      const int n = std::min(kStrip, samples - x0);
      std::fill_n(high, n, 0u);
      std::fill_n(low, n, static_cast<std::uint32_t>(kHalf));
      for (int t = 0; t < span.count; ++t) {
        const std::uint8_t* row = in.row(span.first - taps.first_source() + t) + x0;
        const std::int16_t h = taps.high[span.weights + t];
        const std::int16_t l = taps.low[span.weights + t];
        for (int x = 0; x < n; ++x) {
          const auto sample = static_cast<std::int16_t>(row[x]);
          high[x] += static_cast<std::uint32_t>(sample * h);
          low[x] += static_cast<std::uint32_t>(sample * l);
        }
      }
      std::uint8_t* to = out.row(y) + x0;
      for (int x = 0; x < n; ++x) {
        to[x] = clip_sum(static_cast<std::int32_t>((high[x] << Taps::kLowBits) + low[x]));
      }
    }
  }
  return out;
}

Image resize_nearest(const PaddedImage& in, std::int64_t width, std::int64_t height,
                     const Window& window) {
  const auto columns = nearest_sources(in.width, width, window.x, window.width);
  const auto rows = nearest_sources(in.height, height, window.y, window.height);
  Image out = make_image(window.width, window.height);
  std::vector<std::uint8_t> scratch;
  for (int y = 0; y < window.height; ++y) {
    const std::uint8_t* from = padded_row(in, rows[static_cast<std::size_t>(y)], scratch);
    std::uint8_t* to = out.row(y);
    for (const int column : columns) {
      std::memcpy(to, from + std::size_t{3} * column, 3);
      to += 3;
    }
  }
  return out;
}

Image resample(const PaddedImage& image, std::int64_t width, std::int64_t height, Filter filter,
               const Window& window) {
  const bool vertical = height != image.height;
  if (filter == Filter::kNearest && (vertical || width != image.width)) {
    return resize_nearest(image, width, height, window);
  }
  if (!vertical) {
    return resize_rows(image, width, filter, window, window.y, window.y + window.height);
  }
  const Taps taps = make_taps(image.height, height, filter, window.y, window.height);
  const Image rows =
      resize_rows(image, width, filter, window, taps.first_source(), taps.last_source());
  return resize_columns(rows, taps);
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
    return make_error(ErrorCode::kBadImage, "resize: the picture is empty ({} x {}, {} bytes)",
                      inner.width, inner.height, inner.rgb.size());
  }
  if (image.left < 0 || image.top < 0 || image.width - image.left < inner.width ||
      image.height - image.top < inner.height) {
    return make_error(ErrorCode::kInvalidArgument, "resize: {} x {} does not fit into {} x {}",
                      inner.width, inner.height, image.width, image.height);
  }
  if (window.x < 0 || window.y < 0 || window.width < 1 || window.height < 1 ||
      std::int64_t{window.x} + window.width > width ||
      std::int64_t{window.y} + window.height > height) {
    return make_error(ErrorCode::kInvalidArgument,
                      "resize: window {} x {} at {}, {} is not inside {} x {}", window.width,
                      window.height, window.x, window.y, width, height);
  }
  try {
    return resample(image, width, height, filter, window);
  } catch (const std::bad_alloc&) {
    return make_error(ErrorCode::kOutOfMemory, "not enough memory to resize {} x {} to {} x {}",
                      image.width, image.height, width, height);
  }
}

}  // namespace ocellus::image
