#include "formats/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>

#include "formats/gguf_test_builder.h"

namespace ocellus::formats {
namespace {

using ::testing::HasSubstr;

using Builder = GgufBuilder;

Builder whole() {
  Builder b;
  b.header(2, 6);
  b.entry("general.architecture", 8).text("llama");
  b.entry("a.u8", 0).put<std::uint8_t>(7);
  b.entry("a.i32", 5).put<std::int32_t>(-3);
  b.entry("a.f32", 6).put(0.5f);
  b.entry("a.texts", 9).put<std::uint32_t>(8).put<std::uint64_t>(2).text("x").text("yz");
  b.entry("a.numbers", 9)
      .put<std::uint32_t>(5)
      .put<std::uint64_t>(2)
      .put<std::int32_t>(-1)
      .put<std::int32_t>(9);
  b.tensor("w", {32, 2}, 8, 0).tensor("b", {3}, 0, 96);
  return b.align().zeros(68).align().zeros(12);
}

std::string refusal(const Builder& b) {
  const auto parsed = GgufFile::parse(b.bytes(), "m.gguf");
  if (parsed) return "accepted";
  EXPECT_THAT(parsed.error().message, HasSubstr("m.gguf"));
  return parsed.error().message;
}

TEST(Gguf, ReadsMetadataAndTensors) {
  const Builder b = whole();
  const auto file = GgufFile::parse(b.bytes(), "m.gguf");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(*file->text("general.architecture"), "llama");
  EXPECT_EQ(*file->integer("a.u8", 0, 10), 7);
  EXPECT_EQ(*file->integer("a.i32", -10, 10), -3);
  EXPECT_EQ(*file->number_or("a.f32", 0), 0.5);
  EXPECT_THAT(*file->texts("a.texts"), ::testing::ElementsAre("x", "yz"));
  EXPECT_THAT(*file->numbers("a.numbers"), ::testing::ElementsAre(-1, 9));
  const auto w = file->tensors().at("w").view("w");
  ASSERT_TRUE(w.has_value());
  EXPECT_EQ(w->dtype, tensor::DType::kQ8_0);
  EXPECT_EQ(w->shape, (tensor::Shape{2, 32}));
  EXPECT_EQ(w->data.size(), 68u);
  // Accessors name the key, what they expected and what they found.
  EXPECT_THAT(file->integer("a.u8", 8, 9).error().message,
              HasSubstr("a.u8: expected 8 to 9, found 7"));
  EXPECT_THAT(file->integer("none", 0, 1).error().message, HasSubstr("none is missing"));
  EXPECT_THAT(file->integer("a.f32", 0, 1).error().message, HasSubstr("expected an integer"));
  EXPECT_THAT(file->text("a.u8").error().message, HasSubstr("expected a text"));
  EXPECT_THAT(file->texts("a.numbers").error().message, HasSubstr("[2 of i32]"));
  EXPECT_THAT(file->numbers("a.texts").error().message, HasSubstr("[2 of string]"));
}

TEST(Gguf, RefusesEveryBrokenRule) {
  using B = Builder;
  const std::uint64_t huge = ~std::uint64_t{0};
  const std::vector<std::pair<const char*, std::function<void(B&)>>> cases = {
      {"expected GGUF", [](B& b) { b.put<std::uint32_t>(0x46554748).zeros(20); }},
      {"expected 2 or 3, found 1", [](B& b) { b.header(0, 0, 1); }},
      {"big-endian", [](B& b) { b.header(0, 0, 0x03000000); }},
      {"metadata entries do not fit", [&](B& b) { b.header(0, huge); }},
      {"tensors do not fit", [&](B& b) { b.header(huge, 0); }},
      {"cut short", [&](B& b) { b.header(0, 1).put(huge).zeros(20); }},
      {"its key: expected UTF-8 of 1 to 65535 bytes, found 0",
       [](B& b) { b.header(0, 1).entry("", 0).zeros(20); }},
      {"m.gguf: duplicate metadata key 'a'",
       [](B& b) {
         b.header(0, 2).entry("a", 0).put<std::uint8_t>(1).entry("a", 0).put<std::uint8_t>(1);
       }},
      {"value type: expected 0 to 12, found 13",
       [](B& b) { b.header(0, 1).entry("a", 13).zeros(8); }},
      {"expected 0 or 1, found 2", [](B& b) { b.header(0, 1).entry("a", 7).put<std::uint8_t>(2); }},
      {"cut short", [&](B& b) { b.header(0, 1).entry("a", 8).put(huge).zeros(9); }},
      {"cut short",
       [&](B& b) { b.header(0, 1).entry("a", 9).put<std::uint32_t>(8).put(huge).zeros(9); }},
      {"cut short",
       [&](B& b) {
         b.header(0, 1).entry("a", 9).put<std::uint32_t>(10).put(std::uint64_t{1} << 61).zeros(9);
       }},
      {"element type: expected 0 to 12, found 77",
       [](B& b) { b.header(0, 1).entry("a", 9).put<std::uint32_t>(77).put<std::uint64_t>(0); }},
      {"nested arrays",
       [](B& b) {
         b.header(0, 1).entry("a", 9);
         for (int i = 0; i < 9; ++i) b.put<std::uint32_t>(9).put<std::uint64_t>(1);
         b.zeros(40);
       }},
      {"general.alignment",
       [](B& b) { b.header(0, 1).entry("general.alignment", 4).put<std::uint32_t>(24); }},
      {"general.alignment",
       [](B& b) { b.header(0, 1).entry("general.alignment", 4).put<std::uint32_t>(0); }},
      {"general.alignment", [](B& b) { b.header(0, 1).entry("general.alignment", 8).text("32"); }},
      {"its name: expected UTF-8 of 1 to 63 bytes, found 64",
       [](B& b) { b.header(1, 0).tensor(std::string(64, 'n'), {1}, 0, 0).align().zeros(4); }},
      {"1 to 4 dimensions, found 0",
       [](B& b) { b.header(1, 0).tensor("t", {}, 0, 0).align().zeros(4); }},
      {"1 to 4 dimensions, found 5",
       [](B& b) {
         b.header(1, 0).tensor("t", {1, 1, 1, 1, 1}, 0, 0).align().zeros(4);
       }},
      {"dimension 1: invalid size 0",
       [](B& b) {
         b.header(1, 0).tensor("t", {1, 0}, 0, 0).align().zeros(4);
       }},
      {"dimension 1",
       [](B& b) {
         b.header(1, 0)
             .tensor("t", {std::uint64_t{1} << 33, std::uint64_t{1} << 33}, 0, 0)
             .align()
             .zeros(4);
       }},
      {"unknown type 4", [](B& b) { b.header(1, 0).tensor("t", {32}, 4, 0).align().zeros(64); }},
      {"a multiple of 256 values, found 32",
       [](B& b) { b.header(1, 0).tensor("t", {32}, 12, 0).align().zeros(200); }},
      {"expected 0", [](B& b) { b.header(1, 0).tensor("t", {1}, 0, 32).align().zeros(64); }},
      {"expected 32",
       [](B& b) {
         b.header(2, 0).tensor("t", {1}, 0, 0).tensor("u", {1}, 0, 0).align().zeros(64);
       }},
      {"duplicate tensor 't'",
       [](B& b) {
         b.header(2, 0).tensor("t", {1}, 0, 0).tensor("t", {1}, 0, 32).align().zeros(64);
       }},
      {"cut short", [](B& b) { b.header(1, 0).tensor("t", {9}, 0, 0).align().zeros(35); }},
  };
  for (const auto& [message, build] : cases) {
    Builder b;
    build(b);
    EXPECT_THAT(refusal(b), HasSubstr(message));
  }
}

TEST(Gguf, TypesThatModelsCannotUse) {
  Builder b;
  b.header(1, 0).tensor("t", {256}, 16, 0).align().zeros(66);
  const auto file = GgufFile::parse(b.bytes(), "m");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_THAT(file->tensors().at("t").view("t").error().message, HasSubstr("IQ2_XXS"));
}

TEST(Gguf, EveryTruncationIsAnError) {
  const std::vector<std::byte> bytes = whole().bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(GgufFile::parse(std::span(bytes).first(size), "m").has_value()) << size;
}

// Whatever is accepted lies inside the file.
TEST(Gguf, MutationsNeverEscape) {
  const std::vector<std::byte> original = whole().bytes();
  std::mt19937 random(5);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> bytes = original;
    for (unsigned n = 1 + random() % 4; n > 0; --n)
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    const auto file = GgufFile::parse(bytes, "m");
    if (!file) continue;
    for (const auto& [name, t] : file->tensors()) {
      ASSERT_GE(t.data.data(), bytes.data());
      ASSERT_LE(t.data.data() + t.data.size(), bytes.data() + bytes.size());
    }
    for (const auto& [key, value] : file->metadata()) {
      describe(value);
      (void)file->texts(key);
      (void)file->numbers(key);
    }
  }
}

}  // namespace
}  // namespace ocellus::formats
