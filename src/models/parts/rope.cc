#include "models/parts/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ocellus::models {
namespace {

// Llama 3.1: long wavelengths are stretched by `factor`, short ones kept, those between blended.
float scale_llama3(float frequency, const RopeConfig& c) {
  const auto original = static_cast<double>(c.original_max_position);
  const double low_wavelength = original / c.low_freq_factor;
  const double high_wavelength = original / c.high_freq_factor;
  const double wavelength = 2 * std::numbers::pi / frequency;
  if (wavelength < high_wavelength) return frequency;
  if (wavelength > low_wavelength) return static_cast<float>(frequency / c.factor);
  const double smooth =
      (original / wavelength - c.low_freq_factor) / (c.high_freq_factor - c.low_freq_factor);
  return static_cast<float>((1 - smooth) * (frequency / c.factor) + smooth * frequency);
}

// Before any scaling: theta^(-2i / dim).
float plain_frequency(const RopeConfig& config, std::int64_t i, std::int64_t dim) {
  const float exponent = static_cast<float>(i) / static_cast<float>(dim);
  return static_cast<float>(1.0 / std::pow(config.theta, static_cast<double>(exponent)));
}

// By which of its numbers each frequency turns a position.
std::vector<std::uint8_t> axes_of(const RopeConfig& config, std::size_t half) {
  std::vector<std::uint8_t> axes(half, 0);
  if (config.sections.size() != 3) return axes;
  std::size_t next = 0;
  for (std::uint8_t axis = 0; axis < 3; ++axis) {
    const auto count = static_cast<std::size_t>(config.sections[axis]);
    if (config.interleaved) {
      for (std::size_t i = axis; axis > 0 && i < std::min(half, 3 * count); i += 3) axes[i] = axis;
    } else {
      for (const std::size_t end = std::min(half, next + count); next < end; ++next)
        axes[next] = axis;
    }
  }
  return axes;
}

}  // namespace

std::vector<float> rope_divisors(const RopeConfig& config) {
  if (config.scaling != RopeConfig::Scaling::kLlama3) return {};
  std::vector<float> divisors;
  const std::int64_t dim = config.rotated_dims;
  for (std::int64_t i = 0; i + 1 < dim; i += 2) {
    const float plain = plain_frequency(config, i, dim), scaled = scale_llama3(plain, config);
    // The quotient's neighbours too: one of them may give the very frequency back.
    float divisor = plain / scaled;
    for (const float near : {divisor, std::nextafterf(divisor, 0), std::nextafterf(divisor, 1e30f)})
      if (plain / near == scaled) divisor = near;
    divisors.push_back(divisor);
  }
  return divisors;
}

Rope::Rope(const RopeConfig& config, std::span<const float> divisors) {
  const std::int64_t dim = config.rotated_dims;
  for (std::int64_t i = 0; i + 1 < dim; i += 2) {
    float frequency = plain_frequency(config, i, dim);
    if (config.scaling == RopeConfig::Scaling::kLinear)
      frequency = static_cast<float>(frequency / config.factor);
    if (config.scaling == RopeConfig::Scaling::kLlama3) frequency = scale_llama3(frequency, config);
    const std::size_t at = frequencies_.size();
    if (at < divisors.size()) frequency /= divisors[at];
    frequencies_.push_back(frequency);
  }
  axes_ = axes_of(config, frequencies_.size());
}

void Rope::fill(const Position& position, float* cos, float* sin) const {
  for (std::size_t i = 0; i < frequencies_.size(); ++i) {
    const float angle = static_cast<float>(position[axes_[i]]) * frequencies_[i];
    cos[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
    sin[i] = static_cast<float>(std::sin(static_cast<double>(angle)));
  }
}

}  // namespace ocellus::models
