// ocellus quantize: what is written is what was read, rounded as asked, and nothing else.
#include "convert/quantize.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <random>

#include "base/mapped_file.h"
#include "compute/cpu/cpu_backend.h"
#include "convert/gguf_export.h"
#include "formats/gguf.h"
#include "formats/gguf_writer.h"
#include "models/families.h"
#include "models/tokenizer.h"
#include "tensor/quant.h"
#include "vision/loaded_model.h"
#include "vision/test_golden.h"

namespace ocellus::convert {
namespace {

using tensor::DType;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;
using vision::testing::content;
using vision::testing::golden;
using vision::testing::message;

class QuantizeTest : public vision::testing::FolderTest {};

Result<QuantizeSummary> quantize(const fs::path& source, const fs::path& target, DType weights,
                                 DType tower = DType::kF32, int threads = 2) {
  return quantize_model({.source = source,
                         .mmproj = {},
                         .target = target,
                         .weights = weights,
                         .tower_weights = tower,
                         .threads = threads,
                         .progress = {},
                         .stop = {}});
}

Result<vision::Trace> answer(const fs::path& path) {
  return vision::testing::answer(
      {.path = path, .weights = WeightType::kF32, .tower_weights = WeightType::kF32});
}

Result<std::unique_ptr<const text::Tokenizer>> tokenizer_of(const models::Checkpoint& c) {
  const auto description = models::describe_model(c);
  if (!description) return std::unexpected(description.error());
  return models::make_tokenizer(c, (*description)->tokens().image);
}

// A parsed file with the mapping that it borrows.
struct Opened {
  base::MappedFile mapped;
  formats::GgufFile file;
};

Opened open(const fs::path& path) {
  auto mapped = base::MappedFile::open(path);
  auto file = formats::GgufFile::parse(mapped->bytes(), path.string());
  return {*std::move(mapped), *std::move(file)};
}

std::vector<float> values(const tensor::TensorView& view) {
  std::vector<float> expanded(static_cast<std::size_t>(*view.shape.elements()));
  tensor::dequantize(view.dtype, view.data.data(), *view.shape.elements(), expanded.data());
  return expanded;
}

// Each family of tower, language model and tokenizer, every scaling of positions, biases, several
// and single features: the pair computes what the directory computes, bit for bit.
TEST_F(QuantizeTest, InF32NothingChanges) {
  for (const char* name :
       {"clip_llama", "mistral_gqa", "bf16_shards", "mistral_window", "f16_tied_bpe", "linear_rope",
        "config_minimal", "siglip_llama", "qwen2_chatml", "spm_only"}) {
    SCOPED_TRACE(name);
    const fs::path target = folder_ / (std::string(name) + ".gguf");
    const auto written = quantize(golden() / name / "model", target, DType::kF32);
    ASSERT_TRUE(written.has_value()) << written.error().message;
    EXPECT_EQ(written->language.bytes, fs::file_size(target));
    EXPECT_EQ(written->tower.path, folder_ / ("mmproj-" + std::string(name) + ".gguf"));
    EXPECT_EQ(written->tower.bytes, fs::file_size(written->tower.path));
    const auto directory = answer(golden() / name / "model");
    const auto pair = answer(target);
    ASSERT_TRUE(directory.has_value()) << directory.error().message;
    ASSERT_TRUE(pair.has_value()) << pair.error().message;
    vision::testing::expect_same(*pair, *directory);
  }
}

// Texts of every kind, with control tokens in them, to the same ids by either way.
TEST_F(QuantizeTest, VocabulariesStayThemselves) {
  const std::string texts[] = {"",
                               " ",
                               "Hello, world!",
                               "  two  spaces\n\n\ttab",
                               "h\u00E9llo \u6F22\u5B57 \U0001F600",
                               "<s> x</s>y  <unk>z",
                               "don't 12345 1,000.5 ++i",
                               "the quick brown fox jumps over the lazy dog"};
  for (const fs::path& model : {golden() / "clip_llama/model", golden() / "bf16_shards/model",
                                golden() / "mistral_window/model", golden() / "f16_tied_bpe/model",
                                golden() / "qwen2_chatml/model", golden() / "spm_only/model",
                                golden() / "../../models/demo"}) {
    SCOPED_TRACE(model);
    const auto directory = models::load_checkpoint(model);
    ASSERT_TRUE(directory.has_value());
    const fs::path target = folder_ / "m.gguf";
    fs::remove(target);
    fs::remove(folder_ / "mmproj-m.gguf");
    ASSERT_TRUE(quantize(model, target, DType::kF16).has_value());
    const auto pair = models::load_checkpoint(target);
    ASSERT_TRUE(pair.has_value()) << pair.error().message;
    EXPECT_EQ(pair->chat_template, directory->chat_template);
    const auto before = tokenizer_of(*directory), after = tokenizer_of(*pair);
    ASSERT_TRUE(before.has_value() && after.has_value());
    for (const std::string& text : texts) {
      for (const bool trusted : {false, true}) {
        const auto ids = (*before)->encode(text, trusted, true);
        EXPECT_EQ((*after)->encode(text, trusted, true), ids) << text;
        EXPECT_EQ((*after)->decode(ids, true), (*before)->decode(ids, true)) << text;
      }
    }
  }
}

// Squashed to a square, as CLIP's family does not do by itself; padded.
TEST_F(QuantizeTest, PicturesAreTreatedAlike) {
  for (const bool pad : {false, true}) {
    const fs::path model = folder_ / "demo";
    fs::remove_all(model);
    fs::copy(golden() / "../../models/demo", model);
    if (pad) {
      std::ofstream(model / "preprocessor_config.json")
          << R"({"image_processor_type": "LlavaImageProcessor", "do_pad": true, "resample": 3,
                 "size": {"shortest_edge": 96}, "crop_size": {"height": 96, "width": 96}})";
    }
    const fs::path target = folder_ / (pad ? "pad.gguf" : "exact.gguf");
    ASSERT_TRUE(quantize(model, target, DType::kF32).has_value());
    const auto directory = models::load_checkpoint(model), pair = models::load_checkpoint(target);
    ASSERT_TRUE(directory.has_value() && pair.has_value());
    for (const auto& [width, height] : {std::pair(200, 100), std::pair(90, 300)}) {
      image::Image picture;
      picture.width = width;
      picture.height = height;
      picture.rgb.resize(static_cast<std::size_t>(3 * width * height));
      for (std::size_t i = 0; i < picture.rgb.size(); ++i)
        picture.rgb[i] = static_cast<std::uint8_t>(i * 7 + i / 255);
      const auto pixels = [&](const models::Checkpoint& c) {
        const auto description = *models::describe_model(c);
        const image::Size size{height, width};
        EXPECT_EQ(description->image_facts(size, {})->fit, pad ? "pad" : "exact");
        const auto backend = *compute::cpu::make_cpu_backend({.threads = 1});
        const auto loaded = *description->load(*backend, {});
        return loaded->prepare_image(picture, models::ImageUse::kAlone)->inputs.front().values;
      };
      EXPECT_EQ(pixels(*pair), pixels(*directory));
    }
  }
}

TEST_F(QuantizeTest, WhatTheFormatCannotSayIsAnError) {
  EXPECT_THAT(
      message(quantize(golden() / "multi_feature_full/model", folder_ / "m.gguf", DType::kF32)),
      HasSubstr("projector_hidden_act has no GGUF key"));
  EXPECT_THAT(names(), IsEmpty());
}

// A language model whose rows are whole blocks of 256, and a tower whose rows are not.
void write_wide_pair(const fs::path& language, const fs::path& tower) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 0.1f);
  const auto write = [&](formats::GgufWriter& w, const fs::path& path,
                         std::vector<std::pair<std::string, tensor::Shape>> tensors) {
    for (const auto& [name, shape] : tensors) w.add_tensor(name, DType::kF32, shape);
    std::ofstream out(path, std::ios::binary);
    const auto written = w.write(
        [&](std::span<const std::byte> bytes) -> Status {
          out.write(reinterpret_cast<const char*>(bytes.data()),
                    static_cast<std::streamsize>(bytes.size()));
          return {};
        },
        [&](std::size_t i, const formats::GgufWriter::Sink& sink) {
          std::vector<float> data(static_cast<std::size_t>(*tensors[i].second.elements()));
          for (float& x : data) x = normal(random);
          return sink(std::as_bytes(std::span(data)));
        });
    ASSERT_TRUE(written.has_value()) << written.error().message;
  };
  formats::GgufWriter l;
  l.put_text("general.architecture", "llama");
  l.put_text("general.name", "wide");
  l.put_u32("general.file_type", 0);
  l.put_text("somebody.elses", "entry");
  for (const auto& [key, value] :
       {std::pair{"context_length", 512u}, std::pair{"embedding_length", 256u},
        std::pair{"block_count", 1u}, std::pair{"feed_forward_length", 512u},
        std::pair{"attention.head_count", 4u}})
    l.put_u32(std::string("llama.") + key, value);
  std::vector<std::string> pieces = {"<unk>", "<s>", "</s>"};
  std::vector<std::int32_t> types = {2, 3, 3};
  for (int byte = 0; byte < 256; ++byte) {
    pieces.push_back(fmt::format("<0x{:02X}>", byte));
    types.push_back(6);
  }
  l.put_text("tokenizer.ggml.model", "llama");
  l.put_texts("tokenizer.ggml.tokens", std::vector<std::string_view>(pieces.begin(), pieces.end()));
  l.put_f32s("tokenizer.ggml.scores", std::vector<float>(pieces.size(), 0.0f));
  l.put_i32s("tokenizer.ggml.token_type", types);
  const auto rows = static_cast<std::int64_t>(pieces.size());
  write(l, language,
        {{"token_embd.weight", {rows, 256}},
         {"output_norm.weight", {256}},
         {"output.weight", {rows, 256}},
         {"blk.0.attn_norm.weight", {256}},
         {"blk.0.attn_q.weight", {256, 256}},
         {"blk.0.attn_k.weight", {256, 256}},
         {"blk.0.attn_v.weight", {256, 256}},
         {"blk.0.attn_output.weight", {256, 256}},
         {"blk.0.ffn_norm.weight", {256}},
         {"blk.0.ffn_gate.weight", {512, 256}},
         {"blk.0.ffn_up.weight", {512, 256}},
         {"blk.0.ffn_down.weight", {256, 512}}});
  formats::GgufWriter t;
  t.put_text("general.architecture", "clip");
  for (const auto& [key, value] :
       {std::pair{"image_size", 28u}, std::pair{"patch_size", 14u},
        std::pair{"embedding_length", 48u}, std::pair{"feed_forward_length", 96u},
        std::pair{"block_count", 1u}, std::pair{"attention.head_count", 2u}})
    t.put_u32(std::string("clip.vision.") + key, value);
  std::vector<std::pair<std::string, tensor::Shape>> tensors = {
      {"v.class_embd", {48}},
      {"v.patch_embd.weight", {48, 3, 14, 14}},
      {"v.position_embd.weight", {5, 48}},
      {"v.pre_ln.weight", {48}},
      {"v.pre_ln.bias", {48}},
      {"mm.0.weight", {256, 48}},
      {"mm.0.bias", {256}},
      {"mm.2.weight", {256, 256}},
      {"mm.2.bias", {256}}};
  for (const char* part : {"attn_q", "attn_k", "attn_v", "attn_out", "ffn_up", "ffn_down"}) {
    const std::int64_t out = std::string_view(part) == "ffn_up" ? 96 : 48,
                       in = std::string_view(part) == "ffn_down" ? 96 : 48;
    tensors.push_back({fmt::format("v.blk.0.{}.weight", part), {out, in}});
    tensors.push_back({fmt::format("v.blk.0.{}.bias", part), {out}});
  }
  for (const char* part : {"ln1", "ln2"}) {
    tensors.push_back({fmt::format("v.blk.0.{}.weight", part), {48}});
    tensors.push_back({fmt::format("v.blk.0.{}.bias", part), {48}});
  }
  write(t, tower, tensors);
}

// Every type: each tensor holds its values rounded once, in the type that the rules give it.
TEST_F(QuantizeTest, EveryTypeRoundsEachTensorOnce) {
  write_wide_pair(folder_ / "wide.gguf", folder_ / "mmproj-wide.gguf");
  const Opened source = open(folder_ / "wide.gguf");
  struct Case {
    DType asked, layer, embedding;
  };
  for (const Case& c :
       {Case{DType::kF32, DType::kF32, DType::kF32}, Case{DType::kF16, DType::kF16, DType::kF16},
        Case{DType::kBF16, DType::kBF16, DType::kBF16},
        Case{DType::kQ8_0, DType::kQ8_0, DType::kQ8_0},
        Case{DType::kQ5_1, DType::kQ5_1, DType::kQ6_K},
        Case{DType::kQ5_0, DType::kQ5_0, DType::kQ6_K},
        Case{DType::kQ4_1, DType::kQ4_1, DType::kQ6_K},
        Case{DType::kQ4_0, DType::kQ4_0, DType::kQ6_K},
        Case{DType::kQ6_K, DType::kQ6_K, DType::kQ6_K},
        Case{DType::kQ5_K, DType::kQ5_K, DType::kQ6_K},
        Case{DType::kQ4_K, DType::kQ4_K, DType::kQ6_K},
        Case{DType::kQ3_K, DType::kQ3_K, DType::kQ6_K},
        Case{DType::kQ2_K, DType::kQ2_K, DType::kQ6_K}}) {
    const std::string type(tensor::dtype_name(c.asked));
    SCOPED_TRACE(type);
    const fs::path target = folder_ / (type + ".gguf");
    const auto written = quantize(folder_ / "wide.gguf", target, c.asked, DType::kQ8_0);
    ASSERT_TRUE(written.has_value()) << written.error().message;
    const Opened result = open(target);
    EXPECT_EQ(*result.file.text("somebody.elses"), "entry");
    EXPECT_EQ(*result.file.text("general.name"), "wide");
    ASSERT_EQ(result.file.tensors().size(), source.file.tensors().size());
    for (const auto& [name, tensor] : result.file.tensors()) {
      SCOPED_TRACE(name);
      const auto original = *source.file.tensors().at(name).view(name);
      const auto rounded = *tensor.view(name);
      ASSERT_EQ(rounded.shape, original.shape);
      const bool embedding = name == "token_embd.weight" || name == "output.weight";
      const DType expected = rounded.shape.rank() == 1 ? DType::kF32
                             : embedding               ? c.embedding
                                                       : c.layer;
      EXPECT_EQ(rounded.dtype, expected);
      const std::vector<float> exact = values(original);
      std::vector<std::byte> blocks(rounded.data.size());
      tensor::quantize(expected, exact.data(), static_cast<std::int64_t>(exact.size()),
                       blocks.data());
      EXPECT_TRUE(std::ranges::equal(blocks, rounded.data));
    }
    // The tower's rows of 48 and 14 values are no whole blocks.
    const Opened mmproj = open(folder_ / ("mmproj-" + type + ".gguf"));
    EXPECT_EQ(mmproj.file.tensors().at("v.blk.0.attn_q.weight").type, "F16");
    EXPECT_EQ(mmproj.file.tensors().at("v.blk.0.ffn_down.weight").type, "Q8_0");
    EXPECT_EQ(mmproj.file.tensors().at("v.patch_embd.weight").type, "F16");
    EXPECT_EQ(mmproj.file.tensors().at("v.position_embd.weight").type, "F32");
    EXPECT_EQ(mmproj.file.tensors().at("mm.2.weight").type, "F16");
    EXPECT_TRUE(answer(target).has_value());
  }
  EXPECT_EQ(*open(folder_ / "q4_k.gguf").file.integer("general.file_type", 0, 100), 14);
}

TEST_F(QuantizeTest, RowsThatAreNoWholeBlocksTakeTheNextType) {
  const auto layer = [](DType wanted, std::int64_t row) {
    return exported_type(models::TensorRole::kLayerMatrix, DType::kF16, {8, row}, wanted);
  };
  EXPECT_EQ(layer(DType::kQ2_K, 288), DType::kQ4_0);
  EXPECT_EQ(layer(DType::kQ3_K, 288), DType::kQ4_0);
  EXPECT_EQ(layer(DType::kQ4_K, 288), DType::kQ5_0);
  EXPECT_EQ(layer(DType::kQ5_K, 288), DType::kQ5_1);
  EXPECT_EQ(layer(DType::kQ6_K, 288), DType::kQ8_0);
  for (const DType type : {DType::kQ4_0, DType::kQ8_0, DType::kQ2_K, DType::kQ6_K})
    EXPECT_EQ(layer(type, 289), DType::kF16);
  EXPECT_EQ(exported_type(models::TensorRole::kTokenEmbedding, DType::kF16, {8, 288}, DType::kQ4_0),
            DType::kQ8_0);
}

TEST_F(QuantizeTest, AsManyThreadsAsYouLike) {
  for (const int threads : {1, 2, 5}) {
    const fs::path target = folder_ / fmt::format("{}.gguf", threads);
    ASSERT_TRUE(quantize(golden() / "mistral_gqa/model", target, DType::kQ8_0, DType::kF16, threads)
                    .has_value());
  }
  EXPECT_EQ(content(folder_ / "1.gguf"), content(folder_ / "2.gguf"));
  EXPECT_EQ(content(folder_ / "1.gguf"), content(folder_ / "5.gguf"));
  EXPECT_EQ(content(folder_ / "mmproj-1.gguf"), content(folder_ / "mmproj-5.gguf"));
}

// A file that others wrote, its rows in pairs for rotation already: again in F32 it has the same
// tensors, entry for entry.
TEST_F(QuantizeTest, AGgufPairStaysItself) {
  for (const char* name : {"clip_llama", "mistral_gqa", "qwen2_chatml"}) {
    SCOPED_TRACE(name);
    const fs::path from = golden() / "gguf" / name, to = folder_ / (std::string(name) + ".gguf");
    const auto written = quantize(from, to, DType::kF32);
    ASSERT_TRUE(written.has_value()) << written.error().message;
    const auto pair = answer(from);
    const auto again = answer(to);
    ASSERT_TRUE(pair.has_value() && again.has_value());
    EXPECT_EQ(pair->input_ids, again->input_ids);
    EXPECT_EQ(pair->image_embeddings, again->image_embeddings);
    EXPECT_EQ(pair->logits, again->logits);
    const Opened before = open(from / "lm.gguf"), after = open(to);
    for (const formats::GgufEntry& entry : before.file.entries()) {
      const auto same =
          std::ranges::find(after.file.entries(), entry.key, &formats::GgufEntry::key);
      ASSERT_NE(same, after.file.entries().end()) << entry.key;
      EXPECT_TRUE(std::ranges::equal(same->value, entry.value)) << entry.key;
    }
  }
}

TEST_F(QuantizeTest, StoppedItLeavesNothing) {
  const fs::path source = golden() / "clip_llama/model";
  for (const int steps : {0, 1, 30, 70}) {
    int left = steps;
    const auto result = quantize_model({.source = source,
                                        .mmproj = {},
                                        .target = folder_ / "m.gguf",
                                        .weights = DType::kF16,
                                        .tower_weights = DType::kF16,
                                        .threads = 1,
                                        .progress = {},
                                        .stop = [&] { return left-- == 0; }});
    ASSERT_FALSE(result.has_value()) << steps;
    EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
    EXPECT_THAT(names(), IsEmpty()) << steps;
  }
  // And what stands there stays.
  std::ofstream(folder_ / "m.gguf") << "mine";
  const auto result = quantize_model({.source = source,
                                      .mmproj = {},
                                      .target = folder_ / "m.gguf",
                                      .weights = DType::kF16,
                                      .replace = true,
                                      .threads = 1,
                                      .progress = {},
                                      .stop = [left = 70]() mutable { return left-- == 0; }});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(content(folder_ / "m.gguf"), "mine");
}

TEST_F(QuantizeTest, NothingIsOverwrittenUnasked) {
  const fs::path source = golden() / "clip_llama/model", target = folder_ / "m.gguf";
  ASSERT_TRUE(quantize(source, target, DType::kF16).has_value());
  EXPECT_THAT(message(quantize(source, target, DType::kF16)), HasSubstr("m.gguf: exists already"));
  fs::remove(target);
  EXPECT_THAT(message(quantize(source, target, DType::kF16)),
              HasSubstr("mmproj-m.gguf: exists already"));
  QuantizeOptions options{.source = source,
                          .mmproj = {},
                          .target = target,
                          .weights = DType::kF16,
                          .replace = true,
                          .progress = {},
                          .stop = {}};
  EXPECT_TRUE(quantize_model(options).has_value());
  // Never what is read, by whatever name.
  fs::create_symlink(target, folder_ / "link.gguf");
  options.source = target;
  EXPECT_THAT(message(quantize_model(options)), HasSubstr("is being read"));
  options.target = folder_ / "link.gguf";
  EXPECT_THAT(message(quantize_model(options)), HasSubstr("found a symbolic link"));
  EXPECT_THAT(message(quantize(source, folder_ / "m.safetensors", DType::kF16)),
              HasSubstr("ends in .gguf"));
  EXPECT_THAT(message(quantize(source, folder_ / "no/such/m.gguf", DType::kF16)),
              HasSubstr("no/such"));
}

TEST_F(QuantizeTest, ValuesThatTheTypeCannotHoldAreErrors) {
  write_wide_pair(folder_ / "wide.gguf", folder_ / "mmproj-wide.gguf");
  const Opened source = open(folder_ / "wide.gguf");
  const auto data = source.file.tensors().at("blk.0.ffn_up.weight").data;
  const auto offset = data.data() - source.mapped.bytes().data();
  const auto put = [&](float value) {
    std::fstream file(folder_ / "wide.gguf", std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(offset + 4 * 300);
    file.write(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  put(70000.0f);
  for (const DType type : {DType::kF16, DType::kQ8_0, DType::kQ4_K}) {
    EXPECT_THAT(message(quantize(folder_ / "wide.gguf", folder_ / "m.gguf", type)),
                HasSubstr("found 70000: try bf16"));
  }
  for (const float value : {NAN, INFINITY, -INFINITY}) {
    put(value);
    EXPECT_THAT(message(quantize(folder_ / "wide.gguf", folder_ / "m.gguf", DType::kBF16)),
                HasSubstr("tensor blk.0.ffn_up.weight: expected finite values"));
  }
  put(70000.0f);
  EXPECT_TRUE(quantize(folder_ / "wide.gguf", folder_ / "m.gguf", DType::kBF16).has_value());
}

}  // namespace
}  // namespace ocellus::convert
