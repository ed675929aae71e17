// For the engine's tests: golden models with their requests, and how answers are run and compared.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>

#include "compute/cpu/cpu_backend.h"
#include "engine/engine.h"
#include "formats/safetensors.h"
#include "models/checkpoint.h"
#include "models/families.h"

namespace ocellus::engine {

using compute::cpu::CpuOptions;
using compute::cpu::Isa;
using models::ImageEmbeddings;

// One golden model on one backend, and its cases as requests.
struct Model {
  explicit Model(const std::string& name, const CpuOptions& cpu = {.threads = 2},
                 tensor::DType weights = tensor::DType::kF32) {
    const char* const source = std::getenv("OCELLUS_SOURCE_DIR");
    if (source == nullptr) return;
    const auto folder = std::filesystem::path(source) / "tests/golden" / name;
    auto loaded = models::load_checkpoint(folder / "model");
    auto made = compute::cpu::make_cpu_backend(cpu);
    if (!loaded || !made) return;
    backend = *std::move(made);
    models::LoadOptions options;
    options.weights = weights;
    options.tower_weights = tensor::DType::kF32;
    auto llava = models::load_model(*loaded, *backend, options);
    if (!llava) return;
    model = *std::move(llava);
    const auto file = base::MappedFile::open(folder / "expected.safetensors");
    const auto expected = formats::parse_safetensors(file->bytes(), "expected.safetensors");
    for (const auto& [key, entry] : *expected) {
      if (!key.ends_with("/input_ids")) continue;
      const std::string id = key.substr(0, key.find('/'));
      std::vector<std::int32_t> ids;
      for (const std::int64_t token : values<std::int64_t>(*expected, key))
        ids.push_back(static_cast<std::int32_t>(token));
      auto image = std::make_shared<ImageEmbeddings>();
      image->data = values<float>(*expected, id + "/image_embeddings");
      image->cols = model->language().facts().hidden_size;
      image->rows = std::ssize(image->data) / image->cols;
      SequenceRequest request;
      request.prompt = segments(ids, model->facts().image_token, image);
      request.keep_logits = true;
      std::vector<std::int32_t> answer;
      for (const std::int64_t token : values<std::int64_t>(*expected, id + "/tokens"))
        answer.push_back(static_cast<std::int32_t>(token));
      request.max_new_tokens = std::ssize(answer);
      requests.push_back(std::move(request));
      answers.push_back(std::move(answer));
    }
  }

  // A prompt whose placeholders are one image's.
  static std::vector<models::Segment> segments(const std::vector<std::int32_t>& ids,
                                               std::int32_t placeholder,
                                               std::shared_ptr<const ImageEmbeddings> image) {
    const auto first = std::ranges::find(ids, placeholder);
    const auto last =
        std::find_if(first, ids.end(), [&](std::int32_t id) { return id != placeholder; });
    std::vector<models::Segment> prompt;
    prompt.push_back({.tokens = {ids.begin(), first}});
    prompt.push_back({.image = std::move(image), .rows = last - first});
    prompt.push_back({.tokens = {last, ids.end()}});
    return prompt;
  }

  template <typename T>
  static std::vector<T> values(const formats::SafetensorsDirectory& file, const std::string& name) {
    const auto& data = file.find(name)->second.data;
    std::vector<T> result(data.size() / sizeof(T));
    std::memcpy(result.data(), data.data(), data.size());
    return result;
  }

  std::shared_ptr<const compute::Backend> backend;
  std::unique_ptr<models::Model> model;
  std::vector<SequenceRequest> requests;
  std::vector<std::vector<std::int32_t>> answers;
};

inline models::Segment text(std::vector<std::int32_t> tokens) {
  return {.tokens = std::move(tokens)};
}

inline models::Segment rows_of(std::shared_ptr<const ImageEmbeddings> image) {
  const std::int64_t rows = image->rows;
  return {.image = std::move(image), .rows = rows};
}

inline std::int64_t length_of(const SequenceRequest& request) {
  std::int64_t length = 0;
  for (const models::Segment& segment : request.prompt) length += segment.size();
  return length;
}

struct Answer {
  std::vector<std::int32_t> tokens;
  std::vector<float> logits;
  std::optional<SequenceEnd> end;
  std::optional<Error> error;
};

inline void note(std::map<std::int64_t, Answer>& answers,
                 const std::vector<SequenceEvent>& events) {
  for (const SequenceEvent& event : events) {
    Answer& answer = answers[event.sequence];
    if (event.token) answer.tokens.push_back(*event.token);
    answer.logits.insert(answer.logits.end(), event.logits.begin(), event.logits.end());
    if (event.end) answer.end = event.end;
    if (event.error) answer.error = event.error;
  }
}

// All requests together, from the start; answers in their order.
inline std::vector<Answer> run(const models::Model& model, const EngineOptions& options,
                               const std::vector<SequenceRequest>& requests) {
  const auto engine = Engine::create(model, options);
  EXPECT_TRUE(engine.has_value()) << engine.error().message;
  std::vector<std::int64_t> ids;
  for (const SequenceRequest& request : requests) {
    const auto id = (*engine)->add(request);
    EXPECT_TRUE(id.has_value()) << id.error().message;
    ids.push_back(id.value_or(0));
  }
  std::map<std::int64_t, Answer> found;
  while (!(*engine)->idle()) note(found, (*engine)->step());
  std::vector<Answer> answers;
  for (const std::int64_t id : ids) answers.push_back(found[id]);
  return answers;
}

inline void expect_same(const Answer& found, const Answer& expected) {
  EXPECT_EQ(found.error.has_value(), false);
  EXPECT_EQ(found.tokens, expected.tokens);
  EXPECT_EQ(found.end, expected.end);
  ASSERT_EQ(found.logits.size(), expected.logits.size());
  EXPECT_EQ(
      std::memcmp(found.logits.data(), expected.logits.data(), found.logits.size() * sizeof(float)),
      0)
      << "the logits differ";
}

}  // namespace ocellus::engine
