// Weights in somebody else's memory, and the bytes that kWeightLayout stands for.
#include "compute/cpu/gemm/packed_weight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/sha256.h"
#include "compute/cpu/testing/backends.h"

namespace ocellus::compute::cpu {
namespace {

using testing::backend_of;
using ::testing::HasSubstr;
using testing::Rows;
using testing::same;
using testing::Source;

const WeightFormat kForms[] = {
    DType::kF32,  DType::kF16,  DType::kBF16, {DType::kBF16, Arithmetic::kReducedPrecision},
    DType::kQ8,   DType::kQ4,   DType::kQ8_0, DType::kQ6_K,
    DType::kQ5_K, DType::kQ5_1, DType::kQ5_0, DType::kQ4_K,
    DType::kQ4_1, DType::kQ4_0, DType::kQ3_K, DType::kQ2_K};

std::string name_of(const WeightFormat& format) {
  return std::string(tensor::dtype_name(format.dtype)) +
         (format.arithmetic == Arithmetic::kReducedPrecision ? " fast" : "");
}

// A copy that can be looked at and freed by a test.
struct Memory {
  explicit Memory(std::span<const std::byte> bytes) {
    buffer = base::AlignedBuffer::make(bytes.size() + base::AlignedBuffer::kAlignment)
                 .value_or(base::AlignedBuffer());
    std::ranges::copy(bytes, buffer.data());
    size = bytes.size();
  }
  std::span<const std::byte> bytes() const { return buffer.bytes().first(size); }
  base::AlignedBuffer buffer;
  std::size_t size = 0;
};

TEST(PackedWeight, InMappedMemoryMultipliesAndReadsAsBefore) {
  for (const Isa isa : {Isa::kScalar, Isa::kAuto}) {
    const auto backend = backend_of(isa, 2);
    const auto workspace = backend->make_workspace();
    for (const WeightFormat& format : kForms) {
      SCOPED_TRACE(name_of(format));
      const Source source(70, 512, DType::kF32, 1);
      const auto made = backend->make_weight(source.view, format);
      ASSERT_TRUE(made.has_value());
      const PackedWeightView image = (*made)->packed_view();
      EXPECT_EQ(image.format.dtype, format.dtype);
      EXPECT_EQ(image.bytes.size(), (*made)->bytes());
      auto memory = std::make_shared<Memory>(image.bytes);
      PackedWeightView copy = image;
      copy.bytes = memory->bytes();
      const std::weak_ptr<Memory> watched = memory;
      auto mapped = backend->map_weight(copy, std::move(memory));
      ASSERT_TRUE(mapped.has_value()) << mapped.error().message;
      EXPECT_EQ((*mapped)->packed_view().bytes.data(), copy.bytes.data());  // no copy
      EXPECT_EQ((*mapped)->out(), 70);
      EXPECT_EQ((*mapped)->in(), 512);
      EXPECT_EQ((*mapped)->dtype(), format.dtype);
      const Rows x(9, 512, 2);
      Rows expected(9, 70, 3), y(9, 70, 4);
      ASSERT_TRUE(backend->linear(**made, x.view(), {}, expected.matrix(), *workspace, 2));
      ASSERT_TRUE(backend->linear(**mapped, x.view(), {}, y.matrix(), *workspace, 2));
      for (std::int64_t r = 0; r < 9; ++r) EXPECT_TRUE(same(y.row(r), expected.row(r)));
      const std::vector<std::int32_t> ids = {69, 0, 33};
      Rows rows(3, 512, 5), mapped_rows(3, 512, 6);
      ASSERT_TRUE(backend->embed(**made, ids, rows.matrix()));
      ASSERT_TRUE(backend->embed(**mapped, ids, mapped_rows.matrix()));
      for (std::int64_t r = 0; r < 3; ++r) EXPECT_TRUE(same(mapped_rows.row(r), rows.row(r)));
      // The memory stays exactly as long as the weight.
      EXPECT_FALSE(watched.expired());
      mapped->reset();
      EXPECT_TRUE(watched.expired());
    }
  }
}

TEST(PackedWeight, WhatDoesNotFitIsAnError) {
  const auto backend = backend_of(Isa::kAuto, 1);
  const Source source(70, 512, DType::kF32, 1);
  const auto message = [&](const PackedWeightView& image) {
    const auto weight = backend->map_weight(image, nullptr);
    return weight ? std::string("accepted") : weight.error().message;
  };
  for (const WeightFormat& format : kForms) {
    SCOPED_TRACE(name_of(format));
    const auto made = backend->make_weight(source.view, format);
    ASSERT_TRUE(made.has_value());
    const PackedWeightView image = (*made)->packed_view();
    EXPECT_EQ(message(image), "accepted");
    PackedWeightView wrong = image;
    wrong.bytes = image.bytes.first(image.bytes.size() - 1);
    EXPECT_THAT(message(wrong), HasSubstr("found " + std::to_string(wrong.bytes.size())));
    wrong.bytes = {};
    EXPECT_THAT(message(wrong), HasSubstr("found 0"));
    for (const std::int64_t out : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{64},
                                   std::int64_t{97}, INT64_MAX, INT64_MIN}) {
      wrong = image;
      wrong.out = out;
      EXPECT_NE(message(wrong), "accepted") << out;
    }
    for (const std::int64_t in : {std::int64_t{0}, std::int64_t{-512}, std::int64_t{256},
                                  std::int64_t{1} << 62, INT64_MAX, INT64_MIN}) {
      wrong = image;
      wrong.in = in;
      EXPECT_NE(message(wrong), "accepted") << in;
    }
    const Memory memory(image.bytes);
    wrong = image;
    wrong.bytes = memory.buffer.bytes().subspan(1, image.bytes.size());
    EXPECT_THAT(message(wrong), HasSubstr("multiple of 64"));
    if (format.dtype != DType::kBF16) {
      wrong = image;
      wrong.format.arithmetic = Arithmetic::kReducedPrecision;
      EXPECT_NE(message(wrong), "accepted");
    }
    for (const DType type : {DType::kI64, DType::kI32, DType::kU8}) {
      wrong = image;
      wrong.format.dtype = type;
      EXPECT_THAT(message(wrong), HasSubstr("is not a type of packed weights"));
    }
  }
  PackedWeightView part = (*backend->make_weight(source.view, DType::kQ4_K))->packed_view();
  part.in = 300;
  EXPECT_THAT(message(part), HasSubstr("300 values are not whole blocks of q4_k"));
}

TEST(PackedWeight, OfBf16PairsNeedAMachineThatMultipliesThem) {
  const auto without = backend_of(Isa::kScalar, 1), with = backend_of(Isa::kAuto, 1);
  ASSERT_FALSE(without->multiplies_bf16());
  if (!with->multiplies_bf16()) GTEST_SKIP() << "this machine does not multiply bf16";
  const Source source(70, 64, DType::kBF16, 1);
  const auto made = with->make_weight(source.view, {DType::kBF16, Arithmetic::kReducedPrecision});
  ASSERT_TRUE(made.has_value());
  const auto mapped = without->map_weight((*made)->packed_view(), nullptr);
  ASSERT_FALSE(mapped.has_value());
  EXPECT_EQ(mapped.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(mapped.error().message, HasSubstr("multiply bf16"));
}

// Files that people keep hold these bytes. Whoever changes them gives kWeightLayout another version
// and then the new digests.
TEST(PackedWeight, TheBytesAreThoseOfTheNamedVersion) {
  ASSERT_EQ(kWeightLayout, "cpu panels of 32, version 1");
  const std::map<std::string, std::string> expected = {
      {"bf16 fast", "893ffddde36c9292"}, {"f32", "41a16f3eef2479ab"},  {"f16", "cd180c718dfd7fa7"},
      {"bf16", "5cbd8f7b17f252a6"},      {"q8", "572c90d5aff42fbc"},   {"q4", "852779804d52e4fd"},
      {"q8_0", "cfe48b49cc616df9"},      {"q6_k", "aff6a74cc6773e3d"}, {"q5_k", "999442f3a447e44b"},
      {"q5_1", "f3f349fa5f4082d0"},      {"q5_0", "a6d5a827bfe04ffa"}, {"q4_k", "6c2a2021f0143a59"},
      {"q4_1", "da1c4907415bf00a"},      {"q4_0", "c81278a947616398"}, {"q3_k", "cfb253715f09be47"},
      {"q2_k", "74e7bac1d807a601"},
  };
  const auto backend = backend_of(Isa::kAuto, 2);
  // 40 and not 64 rows, 297 values where blocks may end anywhere: every kind of padding.
  for (const WeightFormat& format : kForms) {
    const bool own = format.dtype == DType::kQ8 || format.dtype == DType::kQ4;
    const Source source(40, tensor::is_quantized(format.dtype) && !own ? 512 : 297, DType::kF32, 7);
    const auto made = backend->make_weight(source.view, format);
    ASSERT_TRUE(made.has_value());
    if (format.arithmetic == Arithmetic::kReducedPrecision && !backend->multiplies_bf16()) continue;
    const std::string digest =
        base::to_hex(base::sha256((*made)->packed_view().bytes)).substr(0, 16);
    const auto known = expected.find(name_of(format));
    EXPECT_EQ(known == expected.end() ? "none" : known->second, digest) << name_of(format);
  }
}

}  // namespace
}  // namespace ocellus::compute::cpu
