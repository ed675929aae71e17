#include "formats/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace ocellus::formats {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

Bytes file_of(std::string_view header, std::size_t data) {
  Bytes bytes(8 + header.size() + data);
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

// The error's message, or "" when the file is accepted.
std::string refusal(std::string_view header, std::size_t data) {
  const Bytes bytes = file_of(header, data);
  const auto parsed = parse_safetensors(bytes, "m.safetensors");
  if (parsed) return "";
  EXPECT_EQ(parsed.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(parsed.error().message, HasSubstr("m.safetensors"));
  return parsed.error().message;
}

TEST(Safetensors, AcceptsWhatTheFormatAllows) {
  EXPECT_EQ(refusal(R"({})", 0), "");
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", 24), "");
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}   )", 2), "");
  EXPECT_EQ(refusal(R"({"a":{"dtype":"F32","shape":[0,7],"data_offsets":[0,0]}})", 0), "");
  EXPECT_EQ(
      refusal(
          R"({"__metadata__":{"format":"pt"},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
          1),
      "");
  // In any order of names, and at odd addresses.
  EXPECT_EQ(
      refusal(
          R"({"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
          5),
      "");
  for (const char* type : {"BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"}) {
    const std::string header =
        std::string(R"({"a":{"dtype":")") + type + R"(","shape":[3],"data_offsets":[0,3]}})";
    EXPECT_EQ(refusal(header, 3), "") << type;
  }
  for (const char* type : {"I64", "U64", "F64"}) {
    const std::string header =
        std::string(R"({"a":{"dtype":")") + type + R"(","shape":[3],"data_offsets":[0,24]}})";
    EXPECT_EQ(refusal(header, 24), "") << type;
  }
}

TEST(Safetensors, RefusesEveryBrokenRule) {
  struct Case {
    const char* header;
    std::size_t data;
    const char* message;
  };
  const Case cases[] = {
      {R"([])", 0, "{"},
      {R"( {})", 0, "{"},
      {R"({"a":1})", 0, "a"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       8, "a"},
      {R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "dtype"},
      {R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4, "F33"},
      {R"({"a":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}})", 4, "f32"},
      {R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4, "dtype"},
      {R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4, "shape"},
      {R"({"a":{"dtype":"F32","shape":[1]}})", 4, "data_offsets"},
      {R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4, "shape"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "a"},
      {R"({"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}})", 4, "a"},
      {R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, "a"},
      {R"({"a":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}})", 0, "-0"},
      {R"({"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}})", 4, "a"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}})", 4, "a"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "a"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "a"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", 8, "a"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8, "a"},  // begins late
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5, "5"},  // trailing byte
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 3, "a"},  // short
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       3, "b"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
       3, "b"},
      {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, "a"},
      {R"({"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,0]}})", 0, "a"},
      {R"({"a":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,0]}})", 0, "a"},
      {R"({"__metadata__":{"a":1}})", 0, "__metadata__"},
      {R"({"__metadata__":[]})", 0, "__metadata__"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} x)", 4, "m.safetensors"},
      {"{\"\xff\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "UTF-8"},
  };
  for (const Case& c : cases)
    EXPECT_THAT(refusal(c.header, c.data), HasSubstr(c.message)) << c.header;
  const std::string name(513, 'n');
  EXPECT_THAT(refusal(R"({")" + name + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0),
              HasSubstr("512"));
}

TEST(Safetensors, HeaderLengthIsChecked) {
  for (const std::uint64_t length :
       {std::uint64_t{3}, std::uint64_t{100'000'001}, ~std::uint64_t{0}, ~std::uint64_t{7}}) {
    Bytes bytes = file_of("{}", 0);
    std::memcpy(bytes.data(), &length, 8);
    EXPECT_FALSE(parse_safetensors(bytes, "m").has_value()) << length;
  }
  for (std::size_t size = 0; size < 8; ++size)
    EXPECT_FALSE(parse_safetensors(Bytes(size), "m").has_value());
}

Bytes small_file() {
  const float values[] = {1, 2, 3, 4, 5, 6};
  const std::uint16_t halves[] = {0x3C00, 0x4000};
  const NamedTensor tensors[] = {{"w", "F32", {2, 3}, std::as_bytes(std::span(values))},
                                 {"h.x", "F16", {2}, std::as_bytes(std::span(halves))}};
  return write_safetensors(tensors);
}

TEST(Safetensors, RoundTrip) {
  const Bytes bytes = small_file();
  const auto parsed = parse_safetensors(bytes, "m");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  ASSERT_EQ(parsed->size(), 2u);
  const SafetensorsEntry& w = parsed->at("w");
  EXPECT_EQ(w.dtype, "F32");
  EXPECT_EQ(w.data.size(), 24u);
  float last = 0;
  std::memcpy(&last, w.data.data() + 20, 4);
  EXPECT_EQ(last, 6);
  EXPECT_TRUE(parsed->at("h.x").view("h.x").has_value());
}

TEST(Safetensors, TypesThatModelsCannotUse) {
  const Bytes bytes = file_of(R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", 1);
  const auto parsed = parse_safetensors(bytes, "m");
  ASSERT_TRUE(parsed.has_value());
  const auto view = parsed->at("a").view("a");
  ASSERT_FALSE(view.has_value());
  EXPECT_EQ(view.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(view.error().message, HasSubstr("F8_E4M3"));
}

TEST(Safetensors, EveryTruncationIsAnError) {
  const Bytes bytes = small_file();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(parse_safetensors(std::span(bytes).first(size), "m").has_value()) << size;
}

// Whatever is accepted lies inside the file.
TEST(Safetensors, MutationsNeverEscape) {
  const Bytes original = small_file();
  std::mt19937 random(7);
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes = original;
    for (unsigned n = 1 + random() % 4; n > 0; --n)
      bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    const auto parsed = parse_safetensors(bytes, "m");
    if (!parsed) continue;
    ++accepted;
    for (const auto& [name, entry] : *parsed) {
      EXPECT_GE(entry.data.data(), bytes.data());
      EXPECT_LE(entry.data.data() + entry.data.size(), bytes.data() + bytes.size());
    }
  }
  EXPECT_GT(accepted, 0);
}

TEST(SafetensorsIndex, NamesStayInTheFolder) {
  const auto index = parse_safetensors_index(
      R"({"metadata":{"total_size":1},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}})",
      "i");
  ASSERT_TRUE(index.has_value()) << index.error().message;
  EXPECT_EQ(index->at("b"), "m-2.safetensors");
  for (const char* name : {"../x", "/x", "a/b", "..", ".", "", "a\\u0000b"}) {
    const std::string text = std::string(R"({"weight_map":{"a":")") + name + "\"}}";
    EXPECT_FALSE(parse_safetensors_index(text, "i").has_value()) << name;
  }
  for (const char* text : {"{}", "[]", R"({"weight_map":[]})", R"({"weight_map":{"a":1}})",
                           "{"}) {
    EXPECT_FALSE(parse_safetensors_index(text, "i").has_value()) << text;
  }
}

}  // namespace
}  // namespace ocellus::formats
