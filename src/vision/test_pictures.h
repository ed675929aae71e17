// What the tests of the public API share: the demo model and its pictures.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/mapped_file.h"
#include "ocellus/ocellus.h"

namespace ocellus::vision::testing {

inline std::filesystem::path source() { return std::getenv("OCELLUS_SOURCE_DIR"); }
inline std::filesystem::path demo() { return source() / "models/demo"; }
inline std::filesystem::path file(const char* name) {
  return source() / "examples/pictures" / name;
}
inline Picture picture(const char* name = "scene.png") { return Picture::from_path(file(name)); }

inline Model open_demo(ModelOptions options = {}) {
  if (options.path.empty()) options.path = demo();
  auto registry = Registry::create({.threads = 2});
  EXPECT_TRUE(registry.has_value());
  auto model = registry->open(options);
  EXPECT_TRUE(model.has_value()) << model.error().message;
  return *model;
}

// The whole answer; "error: ..." where there is none.
inline std::string text_of(Result<AnswerStream> stream) {
  if (!stream) return "error: " + stream.error().message;
  const auto answer = stream->wait();
  return answer ? answer->text : "error: " + answer.error().message;
}

inline const AskOptions kGreedy{.temperature = 0.0f};

}  // namespace ocellus::vision::testing
