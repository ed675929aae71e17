// ocellus pack: a packed model is its source, bit for bit, and loading it reads next to nothing.
#include "convert/pack.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/mapped_file.h"
#include "compute/cpu/cpu_backend.h"
#include "convert/quantize.h"
#include "formats/packed_model.h"
#include "image/image.h"
#include "models/packed_checkpoint.h"
#include "vision/loaded_model.h"
#include "vision/test_golden.h"

namespace ocellus::convert {
namespace {

using tensor::DType;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;
using vision::testing::answer;
using vision::testing::content;
using vision::testing::golden;
using vision::testing::message;

class PackTest : public vision::testing::FolderTest {};

PackOptions pack_options(const fs::path& source, const fs::path& target) {
  return {.source = source, .mmproj = {}, .target = target, .load = {}, .threads = 2};
}

Result<PackSummary> pack(const fs::path& source, const fs::path& target,
                         std::optional<DType> weights = {}, std::optional<DType> tower = {}) {
  PackOptions options = pack_options(source, target);
  options.load.weights = weights;
  options.load.tower_weights = tower;
  return pack_model(options);
}

void write(const fs::path& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
}

Result<std::unique_ptr<vision::LoadedModel>> load(const fs::path& path) {
  const auto backend = compute::cpu::make_cpu_backend({.threads = 2});
  return vision::LoadedModel::load({.path = path}, *backend, nullptr);
}

void expect_same(const ModelOptions& source, const fs::path& packed) {
  for (const int threads : {1, 2}) {
    const auto wanted = answer(source, threads);
    const auto found = answer({.path = packed}, threads);
    ASSERT_TRUE(wanted.has_value()) << wanted.error().message;
    ASSERT_TRUE(found.has_value()) << found.error().message;
    vision::testing::expect_same(*found, *wanted);
  }
}

struct Held {
  WeightType weights, tower;
  std::optional<DType> dtype, tower_dtype;
};

constexpr WeightType kAuto = WeightType::kAuto;
const Held kHeld[] = {{kAuto, kAuto, {}, {}},
                      {WeightType::kF32, WeightType::kF32, DType::kF32, DType::kF32},
                      {WeightType::kF16, WeightType::kF16, DType::kF16, DType::kF16},
                      {WeightType::kBF16, WeightType::kBF16, DType::kBF16, DType::kBF16},
                      {WeightType::kQ8, kAuto, DType::kQ8, {}},
                      {WeightType::kQ4, kAuto, DType::kQ4, {}},
                      {WeightType::kQ4_K, WeightType::kQ8_0, DType::kQ4_K, DType::kQ8_0}};

// Every way of holding weights: what the source computes when it is loaded that way.
TEST_F(PackTest, ComputesWhatItsSourceComputes) {
  for (const Held& held : kHeld) {
    const fs::path source = golden() / "clip_llama/model", target = folder_ / "m.ocellus";
    SCOPED_TRACE(held.dtype ? tensor::dtype_name(*held.dtype) : "auto");
    PackOptions options = pack_options(source, target);
    options.load.weights = held.dtype;
    options.load.tower_weights = held.tower_dtype;
    options.replace = true;
    const auto written = pack_model(options);
    ASSERT_TRUE(written.has_value()) << written.error().message;
    EXPECT_EQ(written->bytes, fs::file_size(target));
    expect_same({.path = source, .weights = held.weights, .tower_weights = held.tower}, target);
    EXPECT_TRUE(models::verify_packed_model(target, nullptr, nullptr).has_value());
  }
}

// Every family of tower, language model, tokenizer and template, and stored types; GGUF pairs too.
TEST_F(PackTest, EveryKindOfSource) {
  for (const char* name :
       {"mistral_gqa/model", "bf16_shards/model", "mistral_window/model", "f16_tied_bpe/model",
        "linear_rope/model", "config_minimal/model", "siglip_llama/model", "qwen2_chatml/model",
        "spm_only/model", "multi_feature_full/model", "gguf/clip_llama", "gguf/mistral_gqa",
        "gguf/qwen2_chatml"}) {
    SCOPED_TRACE(name);
    PackOptions options = pack_options(golden() / name, folder_ / "m");  // any name will do
    options.replace = true;
    const auto written = pack_model(options);
    ASSERT_TRUE(written.has_value()) << written.error().message;
    expect_same({.path = golden() / name}, folder_ / "m");
  }
}

// Rope divisors are values, and in a GGUF file they are a tensor.
TEST_F(PackTest, KeepsWhatAGgufFileSaysInTensors) {
  const auto divisors_of = [](const fs::path& path) {
    const auto checkpoint = models::load_checkpoint(path);
    const auto tensor = checkpoint->tensors.at("rope_freqs.weight").data;
    return std::vector<std::byte>(tensor.begin(), tensor.end());
  };
  ASSERT_TRUE(quantize_model({.source = golden() / "f16_tied_bpe/model",
                              .mmproj = {},
                              .target = folder_ / "m.gguf",
                              .weights = DType::kF32,
                              .tower_weights = DType::kF32,
                              .progress = {},
                              .stop = {}})
                  .has_value());
  ASSERT_TRUE(pack(folder_ / "m.gguf", folder_ / "m.ocellus").has_value());
  EXPECT_FALSE(divisors_of(folder_ / "m.gguf").empty());
  EXPECT_EQ(divisors_of(folder_ / "m.ocellus"), divisors_of(folder_ / "m.gguf"));
  expect_same({.path = folder_ / "m.gguf"}, folder_ / "m.ocellus");
}

// Somebody copies another model over the file while it answers.
TEST_F(PackTest, AFileThatIsCutShortInUseEndsTheAnswerAndNotTheProcess) {
  const fs::path target = folder_ / "m.ocellus", copy = folder_ / "copy";
  ASSERT_TRUE(pack(golden() / "clip_llama/model", target).has_value());
  fs::copy_file(target, copy);
  auto registry = Registry::create();
  ASSERT_TRUE(registry.has_value());
  auto model = registry->open({.path = target, .temperature = 0.0f});
  ASSERT_TRUE(model.has_value());
  const auto ask = [&]() -> Result<std::string> {
    auto stream = model->ask(Picture::from_path(golden() / "../../examples/pictures/scene.png"),
                             "What is on the left?", {.max_new_tokens = 8});
    if (!stream) return std::unexpected(stream.error());
    std::string text;
    while (true) {
      auto piece = stream->next();
      if (!piece) return std::unexpected(piece.error());
      if (!*piece) return text;
      text += (*piece)->text;
    }
  };
  const auto before = ask();
  ASSERT_TRUE(before.has_value()) << before.error().message;
  fs::resize_file(target, 4096);
  const auto lost = ask();
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, ErrorCode::kBadModel);
  EXPECT_THAT(lost.error().message, HasSubstr("m.ocellus: was cut short"));
  const auto still = ask();  // by a new worker, which finds the file as it is
  ASSERT_FALSE(still.has_value());
  EXPECT_EQ(still.error().code, ErrorCode::kBadModel);
  fs::copy_file(copy, target, fs::copy_options::overwrite_existing);
  const auto after = ask();
  ASSERT_TRUE(after.has_value()) << after.error().message;
  EXPECT_EQ(*after, *before);
}

TEST_F(PackTest, AsManyThreadsAsYouLike) {
  for (const int threads : {1, 2, 5}) {
    PackOptions options =
        pack_options(golden() / "gguf/mistral_gqa", folder_ / std::to_string(threads));
    options.threads = threads;
    ASSERT_TRUE(pack_model(options).has_value());
  }
  EXPECT_EQ(content(folder_ / "1"), content(folder_ / "2"));
  EXPECT_EQ(content(folder_ / "1"), content(folder_ / "5"));
}

TEST_F(PackTest, NothingIsOverwrittenUnasked) {
  const fs::path source = golden() / "clip_llama/model", target = folder_ / "m.ocellus";
  ASSERT_TRUE(pack(source, target).has_value());
  EXPECT_THAT(message(pack(source, target)), HasSubstr("exists already; --force"));
  EXPECT_THAT(message(pack(source, folder_)), HasSubstr("found a directory"));
  EXPECT_THAT(message(pack(source, folder_ / "no/such")), HasSubstr("/no: No such"));
  EXPECT_THAT(message(pack(target, folder_ / "again")), HasSubstr("is packed already"));
  EXPECT_THAT(message(quantize_model({.source = target,
                                      .mmproj = {},
                                      .target = folder_ / "m.gguf",
                                      .progress = {},
                                      .stop = {}})),
              HasSubstr("is packed: expected what it was packed from"));
  EXPECT_THAT(message(pack(folder_ / "none", folder_ / "again")), HasSubstr("none"));
  EXPECT_THAT(names(), ElementsAre("m.ocellus"));
}

TEST_F(PackTest, StoppedItLeavesNothing) {
  for (const int steps : {0, 1, 20}) {
    PackOptions options = pack_options(golden() / "clip_llama/model", folder_ / "m.ocellus");
    int left = steps;
    options.load.stop = [&left] { return left-- == 0; };
    const auto result = pack_model(options);
    ASSERT_FALSE(result.has_value()) << steps;
    EXPECT_EQ(result.error().code, ErrorCode::kCancelled);
    EXPECT_THAT(names(), IsEmpty());
  }
}

TEST_F(PackTest, OtherTypesAndTowersAreRefused) {
  const fs::path target = folder_ / "m.ocellus";
  ASSERT_TRUE(pack(golden() / "clip_llama/model", target).has_value());
  EXPECT_THAT(message(answer({.path = target, .weights = WeightType::kQ8}, 1)),
              HasSubstr("m.ocellus: is packed: its weights are held as they are"));
  EXPECT_THAT(message(answer({.path = target, .tower_weights = WeightType::kF32}, 1)),
              HasSubstr("m.ocellus: is packed: its weights are held as they are"));
  EXPECT_THAT(
      message(answer({.path = target, .mmproj = golden() / "gguf/clip_llama/mmproj.gguf"}, 1)),
      HasSubstr("no --mmproj"));
}

// A packed file taken apart, to be changed and sealed again.
struct Parts {
  explicit Parts(const fs::path& path)
      : mapped(*base::MappedFile::open(path)),
        directory(*formats::parse_packed_model(mapped.bytes(), path.string())) {}

  std::uint64_t matrices_end() const {
    const formats::PackedMatrix& last = directory.matrices.back();
    return formats::packed_page_end(last.offset + last.bytes);
  }
  // With the matrices that the file has.
  void write_to(const fs::path& path) const {
    const std::vector<std::byte> tail = formats::packed_directory_bytes(directory);
    std::vector<std::byte> file = formats::packed_header_bytes(matrices_end(), tail);
    const auto matrices = mapped.bytes().subspan(
        formats::kPackedPage, static_cast<std::size_t>(matrices_end()) - formats::kPackedPage);
    file.insert(file.end(), matrices.begin(), matrices.end());
    file.insert(file.end(), tail.begin(), tail.end());
    write(path, file);
  }

  base::MappedFile mapped;
  formats::PackedDirectory directory;
};

// Version 1 held GGUF settings as whole files.
TEST_F(PackTest, OlderVersionsAreRefused) {
  ASSERT_TRUE(pack(golden() / "gguf/clip_llama", folder_ / "m").has_value());
  std::string bytes = content(folder_ / "m");
  bytes[8] = 1;
  write(folder_ / "old", std::as_bytes(std::span(bytes)));
  const auto loaded = load(folder_ / "old");
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(
      loaded.error().message,
      HasSubstr("old: version of a packed model: expected 2, found 1: pack its source again"));
}

// Of a GGUF pair every key is kept, in the very bytes, and nothing that looks like a file.
TEST_F(PackTest, KeepsTheMetadataOfAGgufPair) {
  const fs::path source = golden() / "gguf/qwen2_chatml";
  ASSERT_TRUE(pack(source, folder_ / "m").has_value());
  const auto pair = models::load_checkpoint(source),
             packed = models::load_checkpoint(folder_ / "m");
  ASSERT_TRUE(pair.has_value() && packed.has_value());
  EXPECT_TRUE(std::ranges::equal(packed->gguf->language.section(), pair->gguf->language.section()));
  EXPECT_TRUE(std::ranges::equal(packed->gguf->tower.section(), pair->gguf->tower.section()));
  EXPECT_GT(packed->gguf->language.entries().size(), 10u);
  const Parts parts(folder_ / "m");
  ASSERT_EQ(parts.directory.texts.size(), 2u);
  EXPECT_THAT(parts.directory.texts[0].content, ::testing::Not(::testing::StartsWith("GGUF")));
}

TEST_F(PackTest, AnotherLayoutIsRefused) {
  ASSERT_TRUE(pack(golden() / "clip_llama/model", folder_ / "m").has_value());
  Parts parts(folder_ / "m");
  parts.directory.layout = "cpu panels of 16, version 9";
  parts.write_to(folder_ / "other");
  const auto loaded = load(folder_ / "other");
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(loaded.error().message,
              AllOf(HasSubstr("other: is packed for \"cpu panels of 16, version 9\""),
                    HasSubstr("pack its source again")));
  // What it is can still be said.
  EXPECT_TRUE(models::load_checkpoint(folder_ / "other").has_value());
}

// Directories that hold together but do not fit the model.
TEST_F(PackTest, MatricesThatAreNotWhatTheModelNeedsAreErrors) {
  ASSERT_TRUE(pack(golden() / "clip_llama/model", folder_ / "m").has_value());
  const auto changed = [&](auto&& change) {
    Parts parts(folder_ / "m");
    change(parts.directory);
    parts.write_to(folder_ / "changed");
    return message(load(folder_ / "changed"));
  };
  const auto named = [](formats::PackedDirectory& d, std::string_view name) {
    return std::ranges::find(d.matrices, name, &formats::PackedMatrix::name);
  };
  constexpr const char* kDown = "language_model.model.layers.1.mlp.down_proj.weight";
  EXPECT_EQ(changed([](auto&) {}), "accepted");
  EXPECT_THAT(changed([&](auto& d) { named(d, kDown)->name = "language.other"; }),
              AllOf(HasSubstr(kDown), HasSubstr("missing")));
  EXPECT_THAT(changed([&](auto& d) {
                named(d, kDown)->shape = {96, 48};
              }),
              AllOf(HasSubstr(kDown), HasSubstr("expected shape [48, 96]")));
  EXPECT_THAT(changed([&](auto& d) { std::swap(named(d, kDown)->out, named(d, kDown)->in); }),
              AllOf(HasSubstr(kDown), HasSubstr("expected 48 x 96 values, found 96 x 48")));
  EXPECT_THAT(changed([&](auto& d) { named(d, kDown)->dtype = DType::kF16; }),
              AllOf(HasSubstr(kDown), HasSubstr("of f16: expected 12288 bytes, found 24576")));
  EXPECT_THAT(changed([&](auto& d) { named(d, kDown)->dtype = DType::kI64; }),
              AllOf(HasSubstr(kDown), HasSubstr("i64 is not a type of packed weights")));
  EXPECT_THAT(changed([&](auto& d) { d.vectors.erase(d.vectors.begin()); }), HasSubstr("missing"));
  EXPECT_THAT(changed([&](auto& d) { d.texts.clear(); }), HasSubstr("config.json"));
  EXPECT_THAT(changed([&](auto& d) { d.texts[0].name = "language.gguf"; }),
              HasSubstr("language.gguf"));
  EXPECT_THAT(changed([&](auto& d) { d.texts[0].name = "other.json"; }), HasSubstr("config.json"));
  // A matrix where values are expected, and the other way round.
  EXPECT_THAT(changed([&](auto& d) {
                const auto position = std::ranges::find(
                    d.vectors, "vision_tower.vision_model.embeddings.position_embedding.weight",
                    &formats::PackedVector::name);
                std::swap(position->name, named(d, kDown)->name);
              }),
              HasSubstr("position_embedding"));
}

TEST_F(PackTest, CutShortAtAnyPageIsAnErrorThatNamesTheFile) {
  const fs::path whole = folder_ / "m", cut = folder_ / "cut";
  ASSERT_TRUE(pack(golden() / "gguf/mistral_gqa", whole).has_value());
  const auto size = fs::file_size(whole);
  fs::copy_file(whole, cut);
  for (std::uint64_t at = (size - 1) / 4096 * 4096;; at -= 4096) {
    fs::resize_file(cut, at);
    const std::string found = message(models::load_checkpoint(cut));
    ASSERT_THAT(found, HasSubstr("cut: ")) << at;
    if (at >= 4096) {
      ASSERT_THAT(found, HasSubstr(fmt::format("expected {} bytes, found {}", size, at)));
    }
    if (at == 0) break;
  }
}

TEST_F(PackTest, VerifyingFindsOneBit) {
  const fs::path target = folder_ / "m";
  ASSERT_TRUE(pack(golden() / "clip_llama/model", target).has_value());
  const Parts parts(target);
  for (const formats::PackedMatrix& matrix : parts.directory.matrices) {
    std::vector<std::byte> bytes(parts.mapped.bytes().begin(), parts.mapped.bytes().end());
    bytes[static_cast<std::size_t>(matrix.offset + matrix.bytes - 1)] ^= std::byte{8};
    write(folder_ / "damaged", bytes);
    const auto found = models::verify_packed_model(folder_ / "damaged", nullptr, nullptr);
    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().code, ErrorCode::kBadModel);
    EXPECT_THAT(found.error().message, HasSubstr("damaged: " + matrix.name));
  }
  EXPECT_FALSE(models::verify_packed_model(target, nullptr, [] { return true; }).has_value());
}

// From /proc/self/smaps, in KiB, summed over the mappings of one file.
std::uint64_t of_mappings(const fs::path& file, const std::string& field) {
  std::ifstream smaps("/proc/self/smaps");
  std::uint64_t sum = 0;
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (!first.ends_with(':')) {
      inside = line.ends_with(file.filename().string());
    } else if (std::uint64_t value = 0; inside && first == field + ":" && words >> value) {
      sum += value;
    }
  }
  return sum;
}

// Pages belong to the file: whoever maps it, in this process or another, has the same ones.
TEST_F(PackTest, LoadedTwiceItIsThereOnce) {
  const fs::path target = folder_ / "shared-by-all.ocellus";
  ASSERT_TRUE(pack(golden() / "clip_llama/model", target).has_value());
  const auto one = load(target), other = load(target);
  ASSERT_TRUE(one.has_value() && other.has_value());
  const std::string picture = content(golden() / "../../examples/pictures/scene.png");
  for (const auto* model : {&*one, &*other}) {
    const auto pixels = (*model)->model()->prepare_image(
        *image::decode_image(std::as_bytes(std::span(picture))), models::ImageUse::kAlone);
    ASSERT_TRUE(pixels.has_value());
    const auto encoder = (*model)->model()->make_encoder();
    ASSERT_TRUE(encoder->begin(*pixels).has_value());
    while (!encoder->done()) ASSERT_TRUE(encoder->advance().has_value());
  }
  EXPECT_GT(of_mappings(target, "Rss"), 0u);
  EXPECT_EQ(of_mappings(target, "Anonymous"), 0u);
  EXPECT_EQ(of_mappings(target, "Private_Dirty"), 0u);
}

std::uint64_t resident_bytes() {
  std::uint64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// A model of more than a gigabyte whose matrices are a hole in a sparse file: nobody could read
// them without its pages becoming resident.
TEST_F(PackTest, LoadingTouchesNoMatrix) {
  constexpr std::int64_t kWide = std::int64_t{1} << 19;
  ASSERT_TRUE(pack(golden() / "clip_llama/model", folder_ / "m", DType::kF32).has_value());
  Parts parts(folder_ / "m");
  formats::PackedDirectory& d = parts.directory;
  std::string config;
  for (formats::PackedText& text : d.texts) {
    if (text.name != "config.json") continue;
    config = text.content;
    constexpr std::string_view kKey = "\"intermediate_size\": ";
    const auto at = config.find(kKey, config.find("\"text_config\"")) + kKey.size();
    config.replace(at, config.find_first_of(",}\n", at) - at, std::to_string(kWide));
    text.content = config;
  }
  std::uint64_t place = formats::kPackedPage;
  for (formats::PackedMatrix& matrix : d.matrices) {
    if (matrix.name.starts_with("language_model.model.layers.") &&
        matrix.name.find(".mlp.") != std::string::npos) {
      (matrix.out > matrix.in ? matrix.out : matrix.in) = kWide;
      matrix.shape = {matrix.out, matrix.in};
      matrix.bytes = static_cast<std::uint64_t>((matrix.out + 31) / 32 * 32 * matrix.in) * 4;
    }
    matrix.offset = place;
    place = formats::packed_page_end(place + matrix.bytes);
  }
  const std::vector<std::byte> tail = formats::packed_directory_bytes(d);
  const fs::path sparse = folder_ / "sparse";
  write(sparse, formats::packed_header_bytes(place, tail));
  fs::resize_file(sparse, place);
  std::ofstream(sparse, std::ios::binary | std::ios::app)
      .write(reinterpret_cast<const char*>(tail.data()), std::ssize(tail));

  ASSERT_GT(place, std::uint64_t{600} << 20);
  const std::uint64_t before = resident_bytes();
  const auto model = load(sparse);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  EXPECT_EQ((*model)->info().weight_bytes / (1 << 20), static_cast<std::int64_t>(place >> 20));
  EXPECT_LT(resident_bytes(), before + (std::uint64_t{64} << 20));
  EXPECT_LT(of_mappings(sparse, "Rss"), 1024u);
}

}  // namespace
}  // namespace ocellus::convert
