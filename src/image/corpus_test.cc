// The public corpora: every file gives the picture that Pillow makes of it, or an error where
// Pillow finds one; the few differences are listed here with their reasons.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <map>

#include "image/image.h"
#include "image/test_pictures.h"

namespace ocellus::image {
namespace {

namespace fs = std::filesystem;
using testing::digest;
using testing::read_table;

// Files that are an error here and a picture in Pillow.
const std::map<std::string, const char*>& refused_here() {
  constexpr auto kTooLong = "expected sides of at most 16384";
  constexpr auto kCutOff = "chunk IDAT: expected";    // the last chunk is longer than the file
  constexpr auto kDamaged = "chunk IDAT is damaged";  // its checksum, which Pillow ignores
  static const std::map<std::string, const char*> files = {
      {"gif/all_corpus_4f68150cf9450d404a9930909aea2bcdb5562070-2", kTooLong},
      {"gif/all_corpus_70fa80f3387e23835e47b3fde3c0c101562618c0-2", kTooLong},
      {"gif/all_corpus_74e90e72ad6dee13a4088ce0baf42e737271793a-3", kTooLong},
      {"gif/all_corpus_b22bb36b62775b04b2450b62e7fcc5a2ece06689-3", kTooLong},
      {"gif/corpus_4f68150cf9450d404a9930909aea2bcdb5562070-2", kTooLong},
      {"gif/corpus_70fa80f3387e23835e47b3fde3c0c101562618c0-2", kTooLong},
      {"gif/corpus_74e90e72ad6dee13a4088ce0baf42e737271793a-3", kTooLong},
      {"gif/corpus_b22bb36b62775b04b2450b62e7fcc5a2ece06689-3", kTooLong},
      {"png/12c78abf392fdda9bfe61e9796fbfcc20dfe802d-1", kCutOff},
      {"png/4930d001f211f78029c9deace8bb8671e27a5397-4", kCutOff},
      {"png/902493e2a117787bf9cd4fd1115f879f7234019b-8", kCutOff},
      {"png/96f6b7c6545f3057817a1723e2350007bc72479e-1", kCutOff},
      {"png/d446be6373be79de3ad27234ad9e86341db65b62-2", kDamaged},
      {"png/df6c8819922811197eb8b17369e379060099fce8-1", kCutOff},
      {"png/f90ba0941f308d9350d75649a8a8af5891677935-3", kCutOff},
      {"png/ff341f97c6db6ad42ed0c8750f072cd2e076426b-4", kCutOff},
  };
  return files;
}

// 16-bit grey: Pillow clips at 255 (nearly everything becomes white); the high byte is kept here.
const std::map<std::string, const char*>& own_pixels() {
  static const std::map<std::string, const char*> files = {
      {"png/basn0g16.png", "16-bit grey"},
      {"png/ab14a0713426a031530a53c6f3055d890f4adcce", "16-bit grey"},
  };
  return files;
}

TEST(Corpus, EveryFileAsInTheReferenceOrListed) {
  const char* corpora = std::getenv("OCELLUS_CORPORA");
  const fs::path root = fs::path(corpora != nullptr ? corpora : "") / "images";
  if (corpora == nullptr || !fs::is_directory(root)) {
    GTEST_SKIP() << "no corpora beside the checkout";
  }
  struct Expected {
    int width;
    int height;
    std::string sha256;
  };
  std::map<std::string, Expected> reference;
  for (const auto& row : read_table("corpus.tsv")) {
    reference[row.at(0)] = {std::stoi(row.at(1)), std::stoi(row.at(2)), row.at(3)};
  }
  ASSERT_GT(reference.size(), 250u);

  std::size_t files = 0;
  std::size_t pictures = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (!entry.is_regular_file()) continue;
    ++files;
    const std::string name = fs::relative(entry.path(), root).generic_string();
    SCOPED_TRACE(name);
    const std::clock_t start = std::clock();  // of the processor, whoever else runs
    const auto image = decode_image(testing::read_bytes(entry.path()));
    EXPECT_LT(std::clock() - start, 2 * CLOCKS_PER_SEC);
    if (const auto refused = refused_here().find(name); refused != refused_here().end()) {
      ASSERT_FALSE(image.has_value());
      EXPECT_THAT(image.error().message, ::testing::HasSubstr(refused->second));
      continue;
    }
    const auto expected = reference.find(name);
    if (expected == reference.end()) {
      EXPECT_FALSE(image.has_value());
      continue;
    }
    ASSERT_TRUE(image.has_value()) << image.error().message;
    ++pictures;
    EXPECT_EQ(image->width, expected->second.width);
    EXPECT_EQ(image->height, expected->second.height);
    if (own_pixels().contains(name)) {
      EXPECT_NE(digest(image->rgb), expected->second.sha256);
    } else {
      EXPECT_EQ(digest(image->rgb), expected->second.sha256);
    }
  }
  EXPECT_EQ(files, 1486u);
  EXPECT_EQ(pictures, reference.size() - refused_here().size());
}

}  // namespace
}  // namespace ocellus::image
