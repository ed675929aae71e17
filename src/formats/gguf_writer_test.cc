#include "formats/gguf_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/result.h"

namespace ocellus::formats {
namespace {

using tensor::DType;
using tensor::Shape;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Bytes = std::vector<std::byte>;

// Everything that the writer gives, in memory.
Result<Bytes> written(const GgufWriter& writer, const GgufWriter::Source& source) {
  Bytes bytes;
  OCELLUS_RETURN_IF_ERROR(writer.write(
      [&](std::span<const std::byte> more) -> Status {
        bytes.insert(bytes.end(), more.begin(), more.end());
        return {};
      },
      source));
  return bytes;
}

// Tensor i is filled with i + 1, given a few bytes at a time.
GgufWriter::Source counting(std::vector<std::size_t> sizes) {
  return [sizes = std::move(sizes)](std::size_t i, const GgufWriter::Sink& sink) -> Status {
    const Bytes bytes(sizes[i], static_cast<std::byte>(i + 1));
    for (std::size_t at = 0; at < bytes.size(); at += 7) {
      OCELLUS_RETURN_IF_ERROR(
          sink(std::span(bytes).subspan(at, std::min<std::size_t>(7, bytes.size() - at))));
    }
    return {};
  };
}

std::string mistake(const std::function<void(GgufWriter&)>& describe) {
  GgufWriter writer;
  describe(writer);
  const auto result =
      written(writer, [](std::size_t, const GgufWriter::Sink&) -> Status { return {}; });
  if (result) return "accepted";
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  return result.error().message;
}

TEST(GgufWriter, ReadsBackAsItWasDescribed) {
  GgufWriter writer;
  const std::string_view words[] = {"", "a", "\xE2\x96\x81the"};
  const std::int32_t integers[] = {std::numeric_limits<std::int32_t>::min(), 0, 7};
  const float floats[] = {-0.5f, 3e38f};
  writer.put_text("general.architecture", "llama");
  writer.put_u32("u32", 0xFFFFFFFFu);
  writer.put_u64("u64", 1ull << 62);
  writer.put_i32("i32", -5);
  writer.put_f32("f32", 1e-5f);
  writer.put_bool("yes", true);
  writer.put_texts("words", words);
  writer.put_i32s("integers", integers);
  writer.put_f32s("floats", floats);
  writer.put_texts("none", {});
  writer.add_tensor("w", DType::kQ8_0, Shape{2, 32});
  writer.add_tensor("odd", DType::kF16, Shape{3});
  writer.add_tensor("deep", DType::kF32, Shape{2, 3, 4, 5});
  writer.add_tensor("k", DType::kQ4_K, Shape{1, 256});
  const auto bytes = written(writer, counting({68, 6, 480, 144}));
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  EXPECT_EQ(bytes->size(), writer.file_bytes());
  EXPECT_EQ(bytes->size() % 32, 0u);

  const auto file = GgufFile::parse(*bytes, "m.gguf");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_EQ(file->version(), 3u);
  EXPECT_EQ(file->entries().size(), 10u);
  EXPECT_EQ(file->entries().front().key, "general.architecture");
  EXPECT_EQ(*file->text("general.architecture"), "llama");
  EXPECT_EQ(*file->integer("u32", 0, 0xFFFFFFFF), 0xFFFFFFFF);
  EXPECT_EQ(*file->integer("u64", 0, std::numeric_limits<std::int64_t>::max()), 1ll << 62);
  EXPECT_EQ(*file->integer("i32", -5, -5), -5);
  EXPECT_EQ(*file->number_or("f32", 0), static_cast<double>(1e-5f));
  EXPECT_TRUE(*file->boolean_or("yes", false));
  EXPECT_THAT(*file->texts("words"), ElementsAre("", "a", "\xE2\x96\x81the"));
  EXPECT_THAT(*file->numbers("integers"), ElementsAre(-2147483648.0, 0, 7));
  EXPECT_THAT(*file->numbers("floats"), ElementsAre(-0.5, static_cast<double>(3e38f)));
  EXPECT_THAT(*file->texts("none"), ElementsAre());

  const auto view = [&](const char* name) { return *file->tensors().at(name).view(name); };
  EXPECT_EQ(view("w").dtype, DType::kQ8_0);
  EXPECT_EQ(view("w").shape, (Shape{2, 32}));
  EXPECT_EQ(view("odd").shape, (Shape{3}));
  EXPECT_EQ(view("deep").shape, (Shape{2, 3, 4, 5}));
  std::byte fill{1};
  for (const char* name : {"w", "odd", "deep", "k"}) {
    const auto data = view(name).data;
    EXPECT_TRUE(std::ranges::all_of(data, [&](std::byte b) { return b == fill; })) << name;
    EXPECT_EQ((data.data() - bytes->data()) % 32, 0) << name;
    fill = static_cast<std::byte>(std::to_integer<int>(fill) + 1);
  }
}

// Every type of value goes from one file to another with the bytes that it had.
TEST(GgufWriter, CopiesEntriesAsTheyStand) {
  GgufWriter first;
  const std::string_view words[] = {"x", "yz"};
  first.put_u32("a", 1);
  first.put_u64("b", 2);
  first.put_bool("c", false);
  first.put_texts("d", words);
  first.put_f32("e", NAN);
  const auto bytes = written(first, counting({}));
  ASSERT_TRUE(bytes.has_value());
  const auto file = GgufFile::parse(*bytes, "m");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  GgufWriter second;
  for (const GgufEntry& entry : file->entries()) second.put(entry);
  const std::uint32_t eight = 8;
  second.put({"general.alignment", GgufType::kU32, std::as_bytes(std::span(&eight, 1))});
  EXPECT_EQ(*written(second, counting({})), *bytes);
}

TEST(GgufWriter, DescribesAnEmptyFile) {
  const auto bytes = written(GgufWriter(), counting({}));
  ASSERT_TRUE(bytes.has_value());
  EXPECT_TRUE(GgufFile::parse(*bytes, "m").has_value());
}

TEST(GgufWriter, NamesTheFirstMistake) {
  using W = GgufWriter;
  const std::string long_name(64, 'n');
  EXPECT_THAT(mistake([](W& w) { w.put_u32("", 1); }),
              HasSubstr("a key: expected UTF-8 of 1 to 65535 bytes, found 0"));
  EXPECT_THAT(mistake([](W& w) { w.put_u32("\xFF", 1); }), HasSubstr("UTF-8"));
  EXPECT_THAT(mistake([](W& w) { w.put_u32(std::string(65'536, 'k'), 1); }),
              HasSubstr("found 65536"));
  EXPECT_EQ(mistake([](W& w) { w.put_u32(std::string(65'535, 'k'), 1); }), "accepted");
  EXPECT_THAT(mistake([](W& w) {
                w.put_u32("a", 1);
                w.put_f32("a", 1);
                w.put_u32("", 1);
              }),
              HasSubstr("duplicate metadata key 'a'"));
  EXPECT_THAT(mistake([](W& w) { w.put_u32("general.alignment", 64); }), HasSubstr("32"));
  EXPECT_THAT(mistake([&](W& w) { w.add_tensor(long_name, DType::kF32, Shape{1}); }),
              HasSubstr("expected UTF-8 of 1 to 63 bytes, found 64"));
  EXPECT_THAT(mistake([](W& w) { w.add_tensor("t", DType::kF32, Shape{}); }),
              HasSubstr("1 to 4 dimensions"));
  EXPECT_THAT(mistake([](W& w) {
                w.add_tensor("t", DType::kF32, Shape{1, 1, 1, 1, 1});
              }),
              HasSubstr("1 to 4 dimensions"));
  EXPECT_THAT(mistake([](W& w) {
                w.add_tensor("t", DType::kF32, Shape{2, 0});
              }),
              HasSubstr("none of them 0"));
  EXPECT_THAT(mistake([](W& w) {
                w.add_tensor("t", DType::kF32, Shape{1ll << 40, 1ll << 40});
              }),
              HasSubstr("tensor t"));
  EXPECT_THAT(mistake([](W& w) { w.add_tensor("t", DType::kF32, Shape{1ll << 62}); }),
              HasSubstr("too large for one file"));
  EXPECT_THAT(mistake([](W& w) {
                w.add_tensor("t", DType::kQ4_K, Shape{256, 32});
              }),
              HasSubstr("Q4_K: expected rows of a multiple of 256 values, found 32"));
  EXPECT_THAT(mistake([](W& w) { w.add_tensor("t", DType::kU8, Shape{1}); }), HasSubstr("u8"));
  EXPECT_THAT(mistake([](W& w) {
                w.add_tensor("t", DType::kF32, Shape{1});
                w.add_tensor("t", DType::kF32, Shape{1});
              }),
              HasSubstr("duplicate tensor 't'"));
}

TEST(GgufWriter, HoldsItsSourceToTheDescription) {
  GgufWriter writer;
  writer.add_tensor("t", DType::kF32, Shape{4});
  EXPECT_THAT(written(writer, counting({15})).error().message,
              HasSubstr("tensor t: expected 16 bytes, found 15"));
  EXPECT_THAT(written(writer, counting({17})).error().message,
              HasSubstr("tensor t: expected 16 bytes, found more"));
  const Error own{ErrorCode::kBadModel, "no such tensor"};
  const auto failing = [&](std::size_t, const GgufWriter::Sink&) -> Status {
    return std::unexpected(own);
  };
  EXPECT_EQ(written(writer, failing).error(), own);
}

// An error of the sink comes back whether or not the source passes it on, and nothing follows it.
TEST(GgufWriter, EndsWithTheFirstErrorOfItsSink) {
  GgufWriter writer;
  writer.add_tensor("t", DType::kF32, Shape{4});
  writer.add_tensor("u", DType::kF32, Shape{4});
  const Error full{ErrorCode::kIo, "disk full"};
  for (int last = 0; last < 4; ++last) {
    int calls = 0;
    const auto out = [&](std::span<const std::byte>) -> Status {
      if (calls++ < last) return {};
      return std::unexpected(full);
    };
    const auto deaf = [](std::size_t, const GgufWriter::Sink& sink) -> Status {
      const std::byte bytes[8] = {};
      (void)sink(bytes);
      (void)sink(bytes);
      return {};
    };
    const Status status = writer.write(out, deaf);
    ASSERT_FALSE(status.has_value()) << last;
    EXPECT_EQ(status.error(), full);
    EXPECT_EQ(calls, last + 1);
  }
}

}  // namespace
}  // namespace ocellus::formats
