// Every golden model through the steps of the worker, stage by stage against what transformers
// computed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/mapped_file.h"
#include "base/read_file.h"
#include "formats/safetensors.h"
#include "json/json.h"
#include "vision/prompt_builder.h"
#include "vision/test_golden.h"

namespace ocellus::vision {
namespace {

namespace bj = boost::json;

using testing::golden;

std::string text_of(const bj::object& object, const char* key) {
  const bj::value* value = object.if_contains(key);
  return value == nullptr || !value->is_string()
             ? ""
             : std::string(value->get_string().data(), value->get_string().size());
}

template <typename T>
std::vector<T> values(const formats::SafetensorsDirectory& file, const std::string& name) {
  const auto found = file.find(name);
  EXPECT_NE(found, file.end()) << name;
  if (found == file.end()) return {};
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

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, EveryStageEqualsTheReference) {
  const auto folder = golden() / GetParam();
  const auto file = base::MappedFile::open(folder / "expected.safetensors");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  const auto expected = formats::parse_safetensors(file->bytes(), "expected.safetensors");
  ASSERT_TRUE(expected.has_value()) << expected.error().message;
  const auto cases =
      json::parse(base::read_file(folder / "cases.json", 1 << 20).value_or(""), "cases.json");
  ASSERT_TRUE(cases.has_value()) << cases.error().message;
  for (const bj::value& value : cases->as_array()) {
    const bj::object& entry = value.as_object();
    const std::string id = text_of(entry, "id");
    SCOPED_TRACE(GetParam() + "/" + id);
    ModelOptions model{
        .path = folder / "model", .weights = WeightType::kF32, .tower_weights = WeightType::kF32};
    model.preprocess = text_of(entry, "preprocess") == "pad" ? Preprocess::kPad : Preprocess::kCrop;
    const auto picture = Picture::from_path(golden() / "images" / text_of(entry, "image"));
    std::vector<Message> messages;
    if (const std::string system = text_of(entry, "system"); !system.empty())
      messages.push_back(Message::system(system));
    // The picture stands in the first message of the user.
    const auto ask = [&](std::string question) {
      const bool first = images_of(messages).empty();
      messages.push_back(first ? Message::user(picture, std::move(question))
                               : Message::user(std::move(question)));
    };
    if (const bj::value* turns = entry.if_contains("turns");
        turns != nullptr && turns->is_array()) {
      for (const bj::value& turn : turns->get_array()) {
        ask(text_of(turn.as_object(), "question"));
        messages.push_back(Message::assistant(text_of(turn.as_object(), "answer")));
      }
    }
    ask(text_of(entry, "question"));
    const auto found =
        trace(model, {.threads = 2}, messages, {.max_new_tokens = 32, .temperature = 0.0f});
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_EQ(found->pixel_values, values<float>(*expected, id + "/pixel_values"));
    expect_close(found->tower_features, values<float>(*expected, id + "/tower_features"), 1e-5,
                 "tower_features");
    expect_close(found->image_embeddings, values<float>(*expected, id + "/image_embeddings"), 1e-5,
                 "image_embeddings");
    EXPECT_EQ(found->input_ids, values<std::int64_t>(*expected, id + "/input_ids"));
    expect_close(found->logits, values<float>(*expected, id + "/logits"), 1e-4, "logits");
    EXPECT_EQ(found->tokens, values<std::int64_t>(*expected, id + "/tokens"));
  }
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  if (std::getenv("OCELLUS_SOURCE_DIR") == nullptr) return names;
  for (const auto& entry : std::filesystem::directory_iterator(golden())) {
    if (std::filesystem::exists(entry.path() / "expected.safetensors"))
      names.push_back(entry.path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Models, Golden, ::testing::ValuesIn(model_names()),
                         [](const auto& model) { return model.param; });
// Named models come from the folder; run without it, the list is empty and that is said here
// instead of passing silently.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Golden);

TEST(GoldenData, IsThere) { EXPECT_GE(model_names().size(), 11u); }

}  // namespace
}  // namespace ocellus::vision
