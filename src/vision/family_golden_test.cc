// The golden models whose pictures become tiles, from files to tokens, against what transformers
// computed.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/mapped_file.h"
#include "base/sha256.h"
#include "formats/safetensors.h"
#include "json/json.h"
#include "vision/test_golden.h"

namespace ocellus::vision {
namespace {

namespace bj = boost::json;

std::filesystem::path families() { return testing::golden() / "families"; }

std::string text_of(const bj::value& value) {
  return {value.as_string().data(), value.as_string().size()};
}

std::int64_t integer_of(const bj::object& object, const char* key) {
  const bj::value* const value = object.if_contains(key);
  return value == nullptr ? 0 : value->to_number<std::int64_t>();
}

// As make_families.py writes them.
std::vector<Message> messages_of(const bj::array& given) {
  std::vector<Message> messages;
  for (const bj::value& entry : given) {
    Message message;
    message.role = text_of(entry.at("role")) == "assistant" ? Role::kAssistant : Role::kUser;
    for (const bj::value& part : entry.at("content").as_array()) {
      if (text_of(part.at("type")) == "image") {
        const auto picture = families() / "pictures" / text_of(part.at("image"));
        message.parts.emplace_back(Picture::from_path(picture));
      } else {
        message.parts.emplace_back(text_of(part.at("text")));
      }
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

// All inputs of a picture and, where the reference fills them up to the most of any, zeros.
std::string pixel_hash(const Trace& t, const bj::array& shape) {
  if (t.pixel_shape == models::PixelShape::kPatches)
    return base::to_hex(base::sha256(std::as_bytes(std::span(t.pixel_values))));
  std::vector<float> pixels;
  std::size_t each = 1, most = 0, from = 0;
  for (const std::int64_t size : t.pixel_shapes.front()) each *= static_cast<std::size_t>(size);
  if (t.pixel_shape == models::PixelShape::kPicturesOfInputs)
    most = shape.at(1).to_number<std::size_t>();
  for (const std::int64_t inputs : t.image_inputs) {
    const std::size_t size = each * static_cast<std::size_t>(inputs);
    pixels.insert(pixels.end(), t.pixel_values.begin() + static_cast<std::ptrdiff_t>(from),
                  t.pixel_values.begin() + static_cast<std::ptrdiff_t>(from + size));
    from += size;
    if (most * each > size) pixels.resize(pixels.size() + most * each - size);
  }
  return base::to_hex(base::sha256(std::as_bytes(std::span(pixels))));
}

template <typename T>
std::vector<T> values(const formats::SafetensorsDirectory& file, const std::string& name) {
  const auto found = file.find(name);
  if (found == file.end()) {
    ADD_FAILURE() << name;
    return {};
  }
  std::vector<T> result(found->second.data.size() / sizeof(T));
  std::memcpy(result.data(), found->second.data.data(), found->second.data.size());
  return result;
}

// Largest difference as a share of the largest magnitude.
void expect_close(const std::vector<float>& found, const std::vector<float>& expected,
                  double tolerance, const char* stage) {
  ASSERT_EQ(found.size(), expected.size()) << stage;
  double difference = 0, magnitude = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    difference = std::max(
        difference, std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i])));
    magnitude = std::max(magnitude, std::abs(static_cast<double>(expected[i])));
  }
  EXPECT_LE(difference, tolerance * magnitude) << stage;
}

class FamilyGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(FamilyGolden, EveryStageEqualsTheReference) {
  const auto folder = families() / GetParam();
  const auto file = base::MappedFile::open(folder / "expected.safetensors");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  const auto expected = formats::parse_safetensors(file->bytes(), "expected.safetensors");
  ASSERT_TRUE(expected.has_value()) << expected.error().message;
  const auto cases = json::parse(testing::content(folder / "cases.json"), "cases.json");
  ASSERT_TRUE(cases.has_value()) << cases.error().message;
  for (const bj::value& entry : cases->as_array()) {
    const std::string id = text_of(entry.at("id"));
    SCOPED_TRACE(GetParam() + "/" + id);
    ModelOptions model{
        .path = folder / "model", .weights = WeightType::kF32, .tower_weights = WeightType::kF32};
    if (const bj::value* limits = entry.as_object().if_contains("limits")) {
      model.max_tiles = integer_of(limits->get_object(), "max_tiles");
      model.image_tokens = integer_of(limits->get_object(), "image_tokens");
    }
    const auto found = trace(model, {.threads = 2}, messages_of(entry.at("messages").as_array()),
                             {.max_new_tokens = 12, .temperature = 0.0f});
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_EQ(pixel_hash(*found, entry.at("pixel_shape").as_array()),
              text_of(entry.at("pixel_sha256")));
    if (expected->contains(id + "/image_sizes")) {
      EXPECT_EQ(found->image_sizes, values<std::int64_t>(*expected, id + "/image_sizes"));
    }
    if (expected->contains(id + "/image_grid_thw")) {
      EXPECT_EQ(found->image_grids, values<std::int64_t>(*expected, id + "/image_grid_thw"));
    }
    expect_close(found->image_embeddings, values<float>(*expected, id + "/image_embeddings"), 1e-5,
                 "image_embeddings");
    EXPECT_EQ(found->input_ids, values<std::int64_t>(*expected, id + "/input_ids"));
    expect_close(found->logits, values<float>(*expected, id + "/logits"), 1e-4, "logits");
    EXPECT_EQ(found->tokens, values<std::int64_t>(*expected, id + "/tokens"));
  }
}

// InternVL in the layout of its authors: one tensor for queries, keys and values, other names, and
// the vocabulary in two files.
TEST(InternVlOwnLayout, AnswersTheSame) {
  const auto in_f32 = [](const char* name) {
    return ModelOptions{
        .path = families() / name, .weights = WeightType::kF32, .tower_weights = WeightType::kF32};
  };
  const auto found = testing::answer(in_f32("internvl_own")),
             expected = testing::answer(in_f32("internvl/model"));
  ASSERT_TRUE(found.has_value()) << found.error().message;
  ASSERT_TRUE(expected.has_value()) << expected.error().message;
  testing::expect_same(*found, *expected);
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  if (std::getenv("OCELLUS_SOURCE_DIR") == nullptr) return names;
  for (const auto& entry : std::filesystem::directory_iterator(families())) {
    if (std::filesystem::exists(entry.path() / "expected.safetensors"))
      names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Models, FamilyGolden, ::testing::ValuesIn(model_names()),
                         [](const auto& model) { return model.param; });
// Named models come from the folder; run without it, the list is empty and that is said here
// instead of passing silently.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(FamilyGolden);

TEST(FamilyGoldenData, IsThere) { EXPECT_GE(model_names().size(), 1u); }

}  // namespace
}  // namespace ocellus::vision
