// Which files a model is made of, by what is in them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "formats/gguf_writer.h"
#include "formats/safetensors.h"
#include "models/checkpoint.h"
#include "models/hub_cache.h"
#include "models/parts/decoder_config.h"

namespace ocellus::models {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

fs::path golden() {
  const char* const source = std::getenv("OCELLUS_SOURCE_DIR");
  return fs::path(source == nullptr ? "." : source) / "tests" / "golden";
}

class Locating : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "ocellus-locating-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path put(const fs::path& name, std::string_view content) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }
  // A file of the golden pair under another name.
  fs::path put_gguf(const char* file, const fs::path& name) const {
    fs::create_directories((folder_ / name).parent_path());
    fs::copy_file(golden() / "gguf" / "clip_llama" / file, folder_ / name);
    return folder_ / name;
  }
  fs::path put_checkpoint(const fs::path& name) const {
    fs::create_directories((folder_ / name).parent_path());
    fs::copy(golden() / "clip_llama" / "model", folder_ / name, fs::copy_options::recursive);
    return folder_ / name;
  }
  static std::string error_of(const fs::path& path, const fs::path& mmproj = {}) {
    const auto found = load_checkpoint(path, mmproj);
    return found ? "" : found.error().message;
  }

  fs::path folder_;
};

TEST_F(Locating, GgufNeedsNoEnding) {
  const fs::path language = put_gguf("lm.gguf", "sha256-aa"),
                 tower = put_gguf("mmproj.gguf", "sha256-bb");
  EXPECT_EQ(error_of(language, tower), "");
  EXPECT_THAT(error_of(language), HasSubstr("a language model alone: give its tower"));
  EXPECT_THAT(error_of(tower), AllOf(HasSubstr("is a tower"), HasSubstr("--mmproj")));
}

TEST_F(Locating, TheOnlyTowerBesideGoesWithoutSaying) {
  const fs::path language = put_gguf("lm.gguf", "model-f32.gguf");
  put_gguf("mmproj.gguf", "vision-tower.gguf");
  EXPECT_EQ(error_of(language), "");
  EXPECT_EQ(error_of(folder_), "");
  put_gguf("mmproj.gguf", "another.gguf");
  EXPECT_THAT(error_of(language), HasSubstr("with 2 towers beside it"));
  EXPECT_THAT(error_of(folder_), HasSubstr("found 1 and 2"));
}

TEST_F(Locating, OllamaManifestsNameBlobs) {
  const std::string model = "sha256:" + std::string(64, 'a'),
                    projector = "sha256:" + std::string(64, 'b');
  put_gguf("lm.gguf", "blobs/sha256-" + std::string(64, 'a'));
  const fs::path blob = folder_ / "blobs" / ("sha256-" + std::string(64, 'a'));
  put_gguf("mmproj.gguf", "blobs/sha256-" + std::string(64, 'b'));
  const std::string text =
      R"({"schemaVersion":2,"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":")" +
      model + R"("},{"mediaType":"application/vnd.ollama.image.projector","digest":")" + projector +
      R"("}]})";
  const fs::path tag = put("manifests/registry.ollama.ai/library/llava/latest", text);
  EXPECT_EQ(error_of(tag), "");
  EXPECT_EQ(error_of(tag.parent_path()), "");
  EXPECT_EQ(error_of(blob), "");  // the manifest says which tower is its
  const fs::path alone = put("manifests/registry.ollama.ai/library/llama/latest",
                             R"({"schemaVersion":2,"layers":[{"mediaType":
      "application/vnd.ollama.image.model","digest":")" +
                                 model + "\"}]}");
  EXPECT_THAT(error_of(alone), HasSubstr("found none of type application/vnd.ollama.image.proj"));
  fs::remove(folder_ / "blobs" / ("sha256-" + std::string(64, 'b')));
  EXPECT_THAT(error_of(tag), HasSubstr("pull the model again"));
}

// Writes the golden language model as gguf-split does: all keys in the first part.
void split(const fs::path& folder, int parts, std::uint32_t claimed_parts) {
  const fs::path path = golden() / "gguf" / "clip_llama" / "lm.gguf";
  const auto mapped = base::MappedFile::open(path);
  const auto file = formats::GgufFile::parse(mapped->bytes(), path.string());
  std::vector<std::pair<std::string, formats::GgufTensor>> all(file->tensors().begin(),
                                                               file->tensors().end());
  for (int part = 0; part < parts; ++part) {
    formats::GgufWriter writer;
    if (part == 0)
      for (const formats::GgufEntry& entry : file->entries()) writer.put(entry);
    writer.put_u32("split.no", static_cast<std::uint32_t>(part));
    writer.put_u32("split.count", claimed_parts);
    writer.put_i32("split.tensors.count", static_cast<std::int32_t>(all.size()));
    std::vector<std::span<const std::byte>> data;
    for (std::size_t i = static_cast<std::size_t>(part); i < all.size(); i += std::size_t(parts)) {
      const auto view = all[i].second.view(all[i].first);
      writer.add_tensor(all[i].first, view->dtype, view->shape);
      data.push_back(view->data);
    }
    std::ofstream out(folder / fmt::format("lm-{:05}-of-{:05}.gguf", part + 1, parts),
                      std::ios::binary);
    const auto put = [&](std::span<const std::byte> bytes) -> Status {
      out.write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
      return {};
    };
    ASSERT_TRUE(writer.write(put, [&](std::size_t i, const auto& sink) { return sink(data[i]); }));
  }
}

TEST_F(Locating, AllPartsOfASplitModelAreLoaded) {
  split(folder_, 3, 3);
  const fs::path tower = put_gguf("mmproj.gguf", "mmproj.gguf");
  const auto whole = load_checkpoint(golden() / "gguf" / "clip_llama" / "lm.gguf", tower);
  ASSERT_TRUE(whole.has_value()) << whole.error().message;
  for (const fs::path& path :
       {folder_ / "lm-00001-of-00003.gguf", folder_ / "lm-00003-of-00003.gguf", folder_}) {
    const auto found = load_checkpoint(path);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    ASSERT_EQ(found->tensors.size(), whole->tensors.size());
    for (const auto& [name, tensor] : whole->tensors)
      EXPECT_TRUE(std::ranges::equal(tensor.data, found->tensors.at(name).data)) << name;
  }
  fs::remove(folder_ / "lm-00002-of-00003.gguf");
  const auto missing = load_checkpoint(folder_ / "lm-00001-of-00003.gguf");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::kModelNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("part 2 of 3 is missing"));
}

TEST_F(Locating, PartsThatDoNotBelongTogetherAreNamed) {
  split(folder_, 2, 3);
  put_gguf("mmproj.gguf", "mmproj.gguf");
  EXPECT_THAT(error_of(folder_), HasSubstr("expected part 1 of 2, found part 1 of 3"));
}

TEST_F(Locating, ARepositoryOfTheHubsCacheLeadsToItsSnapshot) {
  put_checkpoint("hub/models--org--llava/snapshots/abc");
  const fs::path repository = folder_ / "hub" / "models--org--llava";
  EXPECT_EQ(error_of(repository), "");  // the only one
  put_checkpoint("hub/models--org--llava/snapshots/def");
  EXPECT_THAT(error_of(repository), HasSubstr("found 2"));
  put("hub/models--org--llava/refs/main", "def\n");
  EXPECT_EQ(*find_model(repository), repository / "snapshots" / "def");
  put("hub/models--org--llava/refs/main", "../../..");
  EXPECT_THAT(error_of(repository), HasSubstr("refs/main"));
}

TEST_F(Locating, AnIdIsLookedForInTheCache) {
  ::setenv("HF_HUB_CACHE", (folder_ / "hub").c_str(), 1);
  put_checkpoint("hub/models--org--llava/snapshots/abc");
  EXPECT_EQ(error_of("org/llava"), "");
  const auto absent = load_checkpoint("org/other");
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error().code, ErrorCode::kModelNotFound);
  EXPECT_THAT(absent.error().message, AllOf(HasSubstr((folder_ / "hub").string()),
                                            HasSubstr("huggingface-cli download org/other")));
  ::unsetenv("HF_HUB_CACHE");
  EXPECT_FALSE(is_hub_id("/org/llava"));
  EXPECT_FALSE(is_hub_id("../llava"));
  EXPECT_FALSE(is_hub_id("a/b/c"));
}

TEST_F(Locating, WhatLiesInsteadOfWeightsIsNamed) {
  const struct {
    std::string content, says;
  } kFiles[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git-lfs pointer"},
      {"<!DOCTYPE html><html></html>", "a web page"},
      {"{\"error\":\"Repository not found\"}", "error message"},
      {std::string("PK\x03\x04\x00\x00\x08\x08", 8), "PyTorch pickle"},
      {"\x80\x02\x8a\nl\xfc\x9c\x46\xf9", "PyTorch pickle"},
      {"", "empty file"},
      {std::string(600, '\0'), "zeros"},
  };
  const fs::path model = put_checkpoint("m");
  for (const auto& file : kFiles) {
    put("m/model.safetensors", file.content);
    EXPECT_THAT(error_of(model), AllOf(HasSubstr("model.safetensors"), HasSubstr(file.says)));
    EXPECT_THAT(error_of(put("alone", file.content)), HasSubstr(file.says));
  }
  put("m/model.safetensors", "x");
  fs::remove(model / "model.safetensors");
  EXPECT_THAT(error_of(model), HasSubstr("found neither"));
  put("m/pytorch_model.bin", "x");
  EXPECT_THAT(error_of(model), HasSubstr("PyTorch pickles (.bin)"));
  put("m/adapter_model.safetensors", "x");
  EXPECT_THAT(error_of(model), HasSubstr("LoRA adapter"));
}

// Eight bytes of a header's length may look like the beginning of something else.
TEST_F(Locating, ASafetensorsLengthIsNotTakenForAPickle) {
  const fs::path model = put_checkpoint("m");
  std::string header = R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})";
  header.resize(640, ' ');
  put("m/model.safetensors", std::string("\x80\x02\0\0\0\0\0\0", 8) + header);
  EXPECT_EQ(error_of(model), "");
}

TEST_F(Locating, WeightsQuantisedByOtherToolsAreRefusedByName) {
  const fs::path model = put_checkpoint("m");
  std::ifstream file(model / "config.json");
  const std::string config((std::istreambuf_iterator<char>(file)), {});
  for (const auto& [settings, says] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"("quantization_config": {"quant_method": "awq", "bits": 4},)", "quantised by awq"},
           {R"("quantization_config": {"load_in_4bit": true},)", "bitsandbytes"},
           {R"("quantization": {"group_size": 64, "bits": 4},)", "MLX"},
           {R"("quantization_config": {"quant_method": "compressed-tensors"},)",
            "compressed-tensors"}}) {
    put("m/config.json", "{" + std::string(settings) + config.substr(config.find('{') + 1));
    const auto found = load_checkpoint(model);
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().code, ErrorCode::kUnsupported);
    EXPECT_THAT(found.error().message, AllOf(HasSubstr(says), HasSubstr("as it was published")));
  }
  put("m/config.json", config);
  put("m/model.safetensors",
      std::string("\x80\0\0\0\0\0\0\0", 8) +
          std::string(R"({"l.q_proj.qweight":{"dtype":"I32","shape":[0],"data_offsets":[0,0]}})")
              .append(200, ' ')
              .substr(0, 128));
  EXPECT_THAT(error_of(model), HasSubstr("l.q_proj.qweight: expected plain weights"));
}

// As DistributedDataParallel, torch.compile and PEFT leave them.
TEST_F(Locating, WrappingsOfTrainingToolsAreSeenThrough) {
  const auto plain = load_checkpoint(golden() / "clip_llama" / "model");
  ASSERT_TRUE(plain.has_value());
  const fs::path model = put_checkpoint("m");
  const auto write = [&](const char* prefix, bool twice) {
    std::vector<formats::NamedTensor> tensors;
    const auto add = [&](const std::string& name, const StoredTensor& t) {
      const auto dims = t.shape.dims();
      tensors.push_back({name, t.type, {dims.begin(), dims.end()}, t.data});
    };
    for (const auto& [name, tensor] : plain->tensors) add(prefix + name, tensor);
    if (twice) add(plain->tensors.begin()->first, plain->tensors.begin()->second);
    const auto bytes = formats::write_safetensors(tensors);
    put("m/model.safetensors", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  };
  for (const char* prefix : {"module.", "_orig_mod.", "module._orig_mod.", "base_model.model."}) {
    write(prefix, false);
    const auto found = load_checkpoint(model);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    EXPECT_EQ(found->tensors.size(), plain->tensors.size());
    for (const auto& [name, tensor] : plain->tensors)
      EXPECT_TRUE(std::ranges::equal(tensor.data, found->tensors.at(name).data)) << name;
  }
  write("module.", true);
  EXPECT_THAT(error_of(model), HasSubstr("are spellings of one"));
}

TEST(OwnHead, CountsUnlessItIsTheEmbeddings) {
  const std::vector<std::byte> a(8, std::byte{1}), b(8, std::byte{2});
  const auto tensor = [](const std::vector<std::byte>& bytes) {
    return StoredTensor{.name = "", .type = "F32", .dtype = {}, .shape = {2}, .data = bytes};
  };
  EXPECT_FALSE(has_own_head({}));
  EXPECT_FALSE(has_own_head({{"model.embed_tokens.weight", tensor(a)}}));
  EXPECT_FALSE(
      has_own_head({{"model.embed_tokens.weight", tensor(a)}, {"lm_head.weight", tensor(a)}}));
  EXPECT_TRUE(
      has_own_head({{"model.embed_tokens.weight", tensor(a)}, {"lm_head.weight", tensor(b)}}));
}

}  // namespace
}  // namespace ocellus::models
