// What the tests of whole models share: the golden models, one question about one picture with all
// its stages, and a folder for files.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/read_file.h"
#include "vision/trace.h"

namespace ocellus::vision::testing {

inline std::filesystem::path golden() {
  return std::filesystem::path(std::getenv("OCELLUS_SOURCE_DIR")) / "tests/golden";
}

inline std::string content(const std::filesystem::path& path) {
  return *base::read_file(path, 100 << 20);
}

// Control tokens and spaces in the question: what vocabularies treat differently.
inline Result<Trace> answer(const ModelOptions& model, int threads = 2) {
  const auto picture = Picture::from_path(golden() / "../../examples/pictures/scene.png");
  return trace(model, {.threads = threads},
               {Message::user(picture, "What is the <image> </s>  on the left?")},
               {.max_new_tokens = 8, .temperature = 0.0f});
}

inline void expect_same(const Trace& found, const Trace& expected) {
  EXPECT_EQ(found.pixel_values, expected.pixel_values);
  EXPECT_EQ(found.tower_features, expected.tower_features);
  EXPECT_EQ(found.image_embeddings, expected.image_embeddings);
  EXPECT_EQ(found.input_ids, expected.input_ids);
  EXPECT_EQ(found.logits, expected.logits);
  EXPECT_EQ(found.tokens, expected.tokens);
}

template <typename T>
std::string message(const Result<T>& result) {
  return result ? std::string("accepted") : result.error().message;
}

// A fresh folder for each test, removed after it.
class FolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "ocellus-vision.XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Of the files in it, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      found.push_back(entry.path().filename().string());
    std::ranges::sort(found);
    return found;
  }

  std::filesystem::path folder_;
};

}  // namespace ocellus::vision::testing
