#include "tensor/view.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/checked.h"

namespace ocellus::tensor {

Shape::Shape(std::initializer_list<std::int64_t> dims) {
  if (const auto shape = from({dims.begin(), dims.size()})) *this = *shape;
}

std::optional<Shape> Shape::from(std::span<const std::int64_t> dims) {
  if (dims.size() > kMaxRank || std::ranges::any_of(dims, [](auto d) { return d < 0; })) {
    return std::nullopt;
  }
  Shape shape;
  std::ranges::copy(dims, shape.dims_.begin());
  shape.rank_ = dims.size();
  return shape;
}

std::optional<std::int64_t> Shape::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims()) {
    const auto product = base::checked_mul(count, dim);
    if (!product) return std::nullopt;
    count = *product;
  }
  return count;
}

bool Shape::operator==(const Shape& other) const {
  return std::ranges::equal(dims(), other.dims());
}

std::string Shape::to_string() const { return fmt::format("[{}]", fmt::join(dims(), ", ")); }

}  // namespace ocellus::tensor
