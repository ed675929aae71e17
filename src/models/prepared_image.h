// A picture on its way into a prompt: what is known from its size, what the tower takes, what it
// gives.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "compute/backend.h"
#include "image/preprocess.h"
#include "models/language_model.h"
#include "ocellus/error.h"
#include "tensor/view.h"

namespace ocellus::models {

// What the tower is given once: a whole picture, a tile of it, or a grid of patches.
struct TowerInput {
  std::vector<std::int64_t> shape;  // as the reference's processor gives it: [3, height, width]
  std::vector<float> values;
};

// One piece of what a picture becomes in a prompt: control text, tokenized as such, or rows of its
// embeddings. Rows are taken in order, so that text may stand between tiles or rows of patches.
struct LayoutPiece {
  std::string text = {};  // used where rows is 0
  std::int64_t rows = 0;
};

// The shape in which the reference's processor gives the values of a conversation's pictures: of
// each picture one input; each picture's inputs, filled up with zeros to the most of any; all
// inputs; all inputs as a batch of one; or the patches of all.
enum class PixelShape { kPictures, kPicturesOfInputs, kInputs, kBatchOfInputs, kPatches };

// Some families give a picture fewer rows where it is not the only one of a conversation.
enum class ImageUse { kAlone, kOneOfSeveral };

// What is known of a picture from its size alone, before anything is computed.
struct ImagePlan {
  image::Size size;    // of the upright picture
  image::Size canvas;  // pixels of what is cut into tiles; 0: nothing is
  std::vector<std::pair<std::int64_t, std::int64_t>>
      inputs;  // height and width of each tower input
  std::vector<LayoutPiece> layout;
  // Positions of the rows of the layout, relative to the first; empty: one after the other. Rows
  // then take `position_span` positions, whatever their number.
  std::vector<Position> positions;
  std::int64_t position_span = 0;
  // Rows that there would be without the usual bound; 0: as many.
  std::int64_t unbounded_rows = 0;

  std::int64_t rows() const {
    std::int64_t sum = 0;
    for (const LayoutPiece& piece : layout) sum += piece.rows;
    return sum;
  }
};

struct PreparedImage {
  ImagePlan plan;
  std::vector<TowerInput> inputs;
};

// What tower and projector made of one picture. Immutable once made, and shared.
struct ImageEmbeddings {
  std::int64_t rows = 0, cols = 0;
  std::vector<float> data;  // [rows, cols], cols: the language model's hidden size
  // Rows for inner layers of the language model (deepstack): the n-th goes to what layer n gives.
  std::vector<std::vector<float>> inner;  // each [rows, cols]

  tensor::ConstMatrix matrix() const { return {data.data(), rows, cols, cols}; }
  tensor::ConstMatrix inner_matrix(std::size_t layer) const {
    return {inner[layer].data(), rows, cols, cols};
  }
  std::size_t bytes() const {
    std::size_t values = data.size();
    for (const auto& each : inner) values += each.size();
    return values * sizeof(float);
  }
};

// Tower and projector at work on one picture after the other. Each advance() takes about a layer's
// time, so that others get their turn in between; the values do not depend on when. One thread at a
// time; the model must outlive it.
class ImageEncoder {
 public:
  virtual ~ImageEncoder() = default;

  // Starts on a picture, which must live until done(); one that was not finished is given up.
  virtual Status begin(const PreparedImage& image) = 0;
  virtual bool done() const = 0;
  // The next piece of work; nothing once done() is true. kOutOfMemory.
  virtual Status advance() = 0;
  // Once done, once: the embeddings.
  virtual ImageEmbeddings take() = 0;

  // For tracing. How many of the image's inputs are through; and what the projector took of the one
  // that was finished last, [rows, width] of the tower's own, until the next advance().
  virtual std::int64_t inputs_done() const = 0;
  virtual tensor::ConstMatrix features() const = 0;
};

}  // namespace ocellus::models
