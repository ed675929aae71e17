// A model for the engine's tests that has what LLaVA has not: positions on three axes, rows for
// inner layers, a state, images that attend both ways, and a clock that its layers move.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "models/family.h"

namespace ocellus::engine {

// Each layer folds the rows that it is given, inner ones included, into the sequence's state, in
// the order of the slots; the next token follows from the state after the last layer. So a row
// that is missing, twice or out of order changes the tokens after it.
class FakeLanguage final : public models::LanguageModel {
 public:
  static constexpr std::int64_t kVocabulary = 7, kHidden = 2, kLayers = 3;

  struct SeenRows {
    std::int64_t first_slot, rows;
    bool decode;
    std::vector<models::Position> positions;
    std::vector<compute::SlotRange> bidirectional;
  };

  models::LanguageFacts settings = {.vocab_size = kVocabulary,
                                    .hidden_size = kHidden,
                                    .layers = kLayers,
                                    .max_position = 1 << 20,
                                    .state_bytes = kLayers * sizeof(std::uint64_t)};
  std::uint64_t modulus = 5;             // of states: small ones soon repeat themselves
  std::chrono::nanoseconds row_time{0};  // that a layer takes for a row
  mutable std::chrono::steady_clock::time_point now{};
  mutable std::vector<SeenRows> seen;  // in the order of begin()

  const models::LanguageFacts& facts() const override { return settings; }
  compute::KvGeometry kv_geometry(tensor::DType dtype) const override {
    return {.layers = 1, .kv_heads = 1, .head_dim = 1, .dtype = dtype};
  }
  Result<std::size_t> kv_block_bytes(const compute::KvGeometry&) const override { return 64; }
  std::unique_ptr<Scratch> make_scratch() const override { return std::make_unique<Scratch>(); }

  Status embed(std::span<const std::int32_t> ids, compute::Matrix out) const override {
    for (std::int64_t i = 0; i < out.rows; ++i) {
      out.row(i)[0] = static_cast<float>(ids[static_cast<std::size_t>(i)]);
      out.row(i)[1] = 0;
    }
    return {};
  }
  Status begin(const models::Step& step, Scratch&) const override {
    for (const models::StepRows& rows : step.sequences) {
      seen.push_back({rows.cache.first_slot,
                      rows.cache.rows,
                      rows.cache.decode,
                      {rows.positions.begin(), rows.positions.end()},
                      {rows.cache.bidirectional.begin(), rows.cache.bidirectional.end()}});
    }
    return {};
  }
  Status run_layer(std::int64_t layer, const models::Step& step, Scratch&) const override {
    now += row_time * step.x.rows;
    for (const models::InnerRows& inner : step.inner) {
      if (inner.layer != layer) continue;
      for (std::int64_t i = 0; i < inner.rows.rows; ++i)
        step.x.row(inner.first_row + i)[1] += inner.rows.row(i)[0];
    }
    for (const models::StepRows& rows : step.sequences) {
      std::uint64_t state = load(rows, layer);
      for (std::int64_t i = 0; i < rows.cache.rows; ++i) {
        float* const x = step.x.row(rows.cache.first_row + i);
        state = (state * 3 + static_cast<std::uint64_t>(x[0] + x[1]) + 1) % modulus;
        x[0] = static_cast<float>(state);
      }
      if (!rows.state.empty())
        std::memcpy(rows.state.data() + layer * sizeof(state), &state, sizeof(state));
    }
    return {};
  }
  Status head(const models::Step& step, Scratch&, compute::Matrix logits) const override {
    for (std::int64_t i = 0; i < std::ssize(step.logit_rows); ++i) {
      const auto state =
          static_cast<std::int64_t>(step.x.row(step.logit_rows[static_cast<std::size_t>(i)])[0]);
      for (std::int64_t id = 0; id < kVocabulary; ++id)
        logits.row(i)[id] = id == state % (kVocabulary - 1) ? 1.0f : 0.0f;
    }
    return {};
  }

 private:
  static std::uint64_t load(const models::StepRows& rows, std::int64_t layer) {
    std::uint64_t state = 0;
    if (!rows.state.empty())
      std::memcpy(&state, rows.state.data() + layer * sizeof(state), sizeof(state));
    return state;
  }
};

class FakeModel final : public models::Model {
 public:
  FakeLanguage language_model;

  const models::ModelFacts& facts() const override { return facts_; }
  const models::LanguageModel& language() const override { return language_model; }
  Result<models::ImagePlan> plan_image(image::Size, models::ImageUse) const override {
    return models::ImagePlan();
  }
  Result<models::PreparedImage> prepare_image(const image::Image&,
                                              models::ImageUse) const override {
    return models::PreparedImage();
  }
  std::unique_ptr<models::ImageEncoder> make_encoder() const override { return nullptr; }

 private:
  models::ModelFacts facts_ = {.image_token = FakeLanguage::kVocabulary - 1};
};

}  // namespace ocellus::engine
