#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/dtype.h"
#include "tensor/quantize.h"

// The search for a block of 256. Each sub-block of 16 or 32 values is fitted alone first: integers
// from a scale, the scale of least squares from the integers, and again, from several beginnings.
// The numbers of beginnings and rounds are where more of them lower the error of normal rows by
// less than a hundredth. Then the shared d and dmin are chosen, the small scales and mins are tried
// beside where they fall, and d and dmin are fitted once more to all 256 values; what does not
// lower the error is dropped.
namespace ocellus::tensor {
namespace {

constexpr int kValues = 256;
constexpr int kLanes = 16;  // sums in this many parts, so that the compiler may use vectors

struct Kind {
  int sub;                   // values of a sub-block
  int low, high;             // integers
  int min_scale, max_scale;  // of a sub-block's own scale
  bool mins;
};

constexpr Kind kind_of(DType type) noexcept {
  switch (type) {
    case DType::kQ2_K:
      return {16, 0, 3, 0, 15, true};
    case DType::kQ3_K:
      return {16, -4, 3, -32, 31, false};
    case DType::kQ4_K:
      return {32, 0, 15, 0, 63, true};
    case DType::kQ5_K:
      return {32, 0, 31, 0, 63, true};
    default:  // q6_k
      return {16, -32, 31, -128, 127, false};
  }
}

// To the nearest integer, ties to even, for |x| below 2^22; unlike std::nearbyint, in vectors.
float nearest(float x) noexcept {
  constexpr float kShift = 0x1.8p23f;
  return (x + kShift) - kShift;
}

float sum(const float* lanes) noexcept {
  float total = 0;
  for (int l = 0; l < kLanes; ++l) total += lanes[l];
  return total;
}

// x is about scale * q - min.
struct Fit {
  float scale = 0, min = 0;
  float error = std::numeric_limits<float>::infinity();
};

struct Sums {
  float q, qq, x, xq;
};

template <DType kType>
class Search {
 public:
  explicit Search(const float* x) : x_(x) {}

  bool run(QuantParts& parts) noexcept {
    float largest_scale = 0, largest_min = 0;
    for (int s = 0; s < kSubs; ++s) {
      fits_[s] = kKind.mins ? fit_affine(s) : fit_symmetric(s);
      if (std::fabs(fits_[s].scale) > std::fabs(largest_scale)) largest_scale = fits_[s].scale;
      largest_min = std::max(largest_min, fits_[s].min);
    }
    // Scales with a sign: the largest becomes the lowest integer, which reaches one further.
    const int reach = kKind.min_scale < 0 ? kKind.min_scale : kKind.max_scale;
    if (!choose(largest_scale / static_cast<float>(reach),
                largest_min / static_cast<float>(kKind.max_scale), 1, parts)) {
      return false;
    }
    for (int round = 0; round < kRefits; ++round) {
      if (!refit(parts)) break;
    }
    return true;
  }

 private:
  static constexpr Kind kKind = kind_of(kType);
  static constexpr int kSub = kKind.sub, kSubs = kValues / kSub;
  static constexpr int kRefits = 2;
  static constexpr float kBias = kType == DType::kQ3_K ? 4 : 0;  // as QuantParts has them

  // The integers of sub-block s under a scale and min, to q; their squared error.
  float assign(int s, float scale, float min, float* q) const noexcept {
    const float inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
    const float* const x = x_ + s * kSub;
    float lanes[kLanes] = {};
    for (int i = 0; i < kSub; i += kLanes) {
      for (int l = 0; l < kLanes; ++l) {
        // Clamped before it is rounded: nearest() has a range.
        float v = (x[i + l] + min) * inverse;
        v = v < static_cast<float>(kKind.high) ? v : static_cast<float>(kKind.high);
        v = v > static_cast<float>(kKind.low) ? v : static_cast<float>(kKind.low);
        v = nearest(v);
        q[i + l] = v;
        const float off = x[i + l] - (scale * v - min);
        lanes[l] += off * off;
      }
    }
    return sum(lanes);
  }

  Sums sums(int s, const float* q) const noexcept {
    const float* const x = x_ + s * kSub;
    float lq[kLanes] = {}, lqq[kLanes] = {}, lx[kLanes] = {}, lxq[kLanes] = {};
    for (int i = 0; i < kSub; i += kLanes) {
      for (int l = 0; l < kLanes; ++l) {
        lq[l] += q[i + l];
        lqq[l] += q[i + l] * q[i + l];
        lx[l] += x[i + l];
        lxq[l] += x[i + l] * q[i + l];
      }
    }
    return {sum(lq), sum(lqq), sum(lx), sum(lxq)};
  }

  // From scale and min, the best that two rounds of integers and least squares find.
  void improve(int s, float scale, float min, Fit& best) const noexcept {
    float q[kSub];
    for (int round = 0; round < 2; ++round) {
      const float error = assign(s, scale, min, q);
      if (error < best.error) best = {scale, min, error};
      const Sums t = sums(s, q);
      if (t.qq == 0.0f) return;
      const float determinant = static_cast<float>(kSub) * t.qq - t.q * t.q;
      if (kKind.mins && determinant > 0.0f) {
        scale = (static_cast<float>(kSub) * t.xq - t.x * t.q) / determinant;
        min = (scale * t.q - t.x) / static_cast<float>(kSub);
      }
      if (!kKind.mins || determinant <= 0.0f || min < 0.0f) {
        scale = t.xq / t.qq;
        min = 0;
      }
      if (kKind.mins && scale <= 0.0f) return;
    }
    const float error = assign(s, scale, min, q);
    if (error < best.error) best = {scale, min, error};
  }

  Fit fit_affine(int s) const noexcept {
    const float* const x = x_ + s * kSub;
    const auto [low, high] = std::minmax_element(x, x + kSub);
    const float floor = std::min(*low, 0.0f), range = *high - floor;
    Fit best;
    if (!(range > 0.0f)) {  // all the same, and not above zero: the min alone holds it
      best = {0, -floor, 0};
      return best;
    }
    constexpr float kLevels = static_cast<float>(kKind.high);
    // Narrower ranges that cut the outermost values cost less than their share of the steps.
    constexpr int kBegins = 6;
    for (int k = 0; k < kBegins; ++k) {
      const float share = 1.0f - static_cast<float>(k) * kShare / static_cast<float>(kBegins);
      const float scale = range * share / kLevels;
      const float cut = range * (1.0f - share) / 2;
      improve(s, scale, std::max(0.0f, -floor - cut), best);
    }
    return best;
  }

  // How much of the range the beginnings leave out at most, the more the fewer steps there are.
  static constexpr float kShare = kType == DType::kQ2_K   ? 0.5f
                                  : kType == DType::kQ4_K ? 0.3f
                                                          : 0.2f;

  Fit fit_symmetric(int s) const noexcept {
    const float* const x = x_ + s * kSub;
    float extreme = 0;
    for (int i = 0; i < kSub; ++i)
      if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
    Fit best;
    if (extreme == 0.0f) {
      best.error = 0;
      return best;
    }
    constexpr int kBegins = 7;
    for (int k = 0; k < kBegins; ++k) {
      // The extreme value at the lowest integer, or somewhat inside or outside.
      const float at = static_cast<float>(kKind.low) * (1.0f + kSpread * static_cast<float>(k - 2));
      improve(s, extreme / at, 0, best);
    }
    return best;
  }
  static constexpr float kSpread = kType == DType::kQ3_K ? 0.06f : 0.01f;

  // Rounds d and dmin to f16 and finds each sub-block's integers under them, with small scales and
  // mins up to `beside` away from where its own fit falls. False, and parts
  // untouched, where f16 cannot hold them.
  bool choose(float d, float dmin, int beside, QuantParts& parts) noexcept {
    QuantParts found;
    found.d = f32_to_f16(d);
    found.dmin = f32_to_f16(dmin);
    d = f16_to_f32(found.d);
    dmin = f16_to_f32(found.dmin);
    if (!std::isfinite(d) || !std::isfinite(dmin)) return false;
    float total = 0;
    for (int s = 0; s < kSubs; ++s) total += choose_sub_block(s, d, dmin, beside, found);
    if (!(total < error_)) return total == error_;
    error_ = total;
    parts = found;
    return true;
  }

  float choose_sub_block(int s, float d, float dmin, int beside, QuantParts& found) noexcept {
    const int scale = d == 0.0f ? 0 : rounded(fits_[s].scale / d, kKind.min_scale);
    const int min = dmin == 0.0f ? 0 : rounded(fits_[s].min / dmin, 0);
    float best = std::numeric_limits<float>::infinity();
    float q[kSub], best_q[kSub] = {};
    const int beside_min = kKind.mins ? beside : 0;
    for (int sc = std::max(scale - beside, kKind.min_scale);
         sc <= std::min(scale + beside, kKind.max_scale); ++sc) {
      for (int m = std::max(min - beside_min, 0); m <= std::min(min + beside_min, kKind.max_scale);
           ++m) {
        const float error = assign(s, d * static_cast<float>(sc), dmin * static_cast<float>(m), q);
        if (error >= best) continue;
        best = error;
        std::copy(q, q + kSub, best_q);
        found.scales[s] = static_cast<std::int8_t>(sc);
        found.mins[s] = static_cast<std::int8_t>(m);
      }
    }
    for (int i = 0; i < kSub; ++i)
      found.q[s * kSub + i] = static_cast<std::int8_t>(best_q[i] + kBias);
    return best;
  }

  static int rounded(float value, int min) noexcept {
    return static_cast<int>(
        nearest(std::clamp(value, static_cast<float>(min), static_cast<float>(kKind.max_scale))));
  }

  // d and dmin of least squares for the integers there are. False when nothing got better.
  bool refit(QuantParts& parts) noexcept {
    float aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
    float q[kSub];
    for (int s = 0; s < kSubs; ++s) {
      for (int i = 0; i < kSub; ++i) q[i] = static_cast<float>(parts.q[s * kSub + i]) - kBias;
      const Sums t = sums(s, q);
      const float scale = parts.scales[s], min = parts.mins[s];
      aa += scale * scale * t.qq;
      ab += scale * min * t.q;
      bb += min * min * static_cast<float>(kSub);
      xa += scale * t.xq;
      xb += min * t.x;
    }
    const float before = error_;
    const float determinant = aa * bb - ab * ab;
    float d = aa > 0.0f ? xa / aa : 0.0f, dmin = 0;
    if (kKind.mins && determinant > 0.0f) {
      d = (xa * bb - ab * xb) / determinant;
      dmin = (ab * xa - aa * xb) / determinant;
    }
    if (kKind.mins && (d < 0.0f || dmin < 0.0f)) return false;
    return choose(d, dmin, 0, parts) && error_ < before;
  }

  const float* x_;
  Fit fits_[kSubs];
  float error_ = std::numeric_limits<float>::infinity();
};

float extreme_of(const float* x) noexcept {
  float extreme = 0;
  for (int i = 0; i < kValues; ++i) extreme = std::max(extreme, std::fabs(x[i]));
  return extreme;
}

template <DType kType>
bool search(const float* x, QuantParts& parts) noexcept {
  // Squares of larger values leave f32; no scale in f16 reaches a quarter of it.
  if (extreme_of(x) > 1e15f) return false;
  return Search<kType>(x).run(parts);
}

}  // namespace

bool quantize_q2_k(const float* x, QuantParts& parts) noexcept {
  return search<DType::kQ2_K>(x, parts);
}
bool quantize_q3_k(const float* x, QuantParts& parts) noexcept {
  return search<DType::kQ3_K>(x, parts);
}
bool quantize_q4_k(const float* x, QuantParts& parts) noexcept {
  return search<DType::kQ4_K>(x, parts);
}
bool quantize_q5_k(const float* x, QuantParts& parts) noexcept {
  return search<DType::kQ5_K>(x, parts);
}
bool quantize_q6_k(const float* x, QuantParts& parts) noexcept {
  return search<DType::kQ6_K>(x, parts);
}

}  // namespace ocellus::tensor
