#include "server/images.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <boost/json/serialize.hpp>

#include "base/result.h"
#include "base/sha256.h"
#include "fetch/data_url.h"
#include "fetch/limits.h"
#include "image/image.h"
#include "json/json.h"
#include "runtime/blocking.h"
#include "server/dialects/openai_chat.h"
#include "server/fields.h"

namespace ocellus::server {
namespace {

namespace bj = boost::json;
namespace asio = boost::asio;

constexpr std::chrono::seconds kLongest{30};

// A bitmap: browsers show it, and it takes no encoder. 24 bits, bottom row first.
std::string bmp_of(const image::Image& picture) {
  constexpr std::uint32_t kHeader = 54;
  const auto width = static_cast<std::uint32_t>(picture.width),
             height = static_cast<std::uint32_t>(picture.height);
  const std::uint32_t stride = (3 * width + 3) / 4 * 4;
  std::string out = "BM";
  const auto put = [&](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  };
  put(kHeader + stride * height, 4), put(0, 4), put(kHeader, 4);
  put(40, 4), put(width, 4), put(height, 4), put(1, 2), put(24, 2);
  put(0, 4), put(stride * height, 4), put(2835, 4), put(2835, 4), put(0, 4), put(0, 4);
  for (std::uint32_t y = height; y-- > 0;) {
    const std::uint8_t* const row = picture.rgb.data() + std::size_t{3} * width * y;
    for (std::uint32_t x = 0; x < width; ++x)
      for (const int channel : {2, 1, 0})
        out += static_cast<char>(row[3 * x + static_cast<std::uint32_t>(channel)]);
    out.append(stride - 3 * width, '\0');
  }
  return out;
}

std::string data_url(std::string_view type, std::string_view bytes) {
  std::string base64((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  base64.resize(static_cast<std::size_t>(size));
  return fmt::format("data:{};base64,{}", type, base64);
}

// Pixel of the tower's picture = scale * pixel of the original + offset.
bj::object transform_of(const models::ImageFacts& facts, image::Size upright) {
  double scale[2] = {0, 0}, offset[2] = {0, 0};
  const double from[2] = {static_cast<double>(upright.width), static_cast<double>(upright.height)};
  const double resized[2] = {static_cast<double>(facts.resized.width),
                             static_cast<double>(facts.resized.height)};
  const double seen[2] = {static_cast<double>(facts.seen.width),
                          static_cast<double>(facts.seen.height)};
  const double longer = std::max(from[0], from[1]);
  for (int axis = 0; axis < 2; ++axis) {
    const bool padded = facts.fit == "pad";
    scale[axis] = resized[axis] / (padded ? longer : from[axis]);
    offset[axis] = padded ? (longer - from[axis]) / 2 * scale[axis] : 0;
    offset[axis] -= (resized[axis] - seen[axis]) / 2;
  }
  return {{"scale", bj::array{scale[0], scale[1]}}, {"offset", bj::array{offset[0], offset[1]}}};
}

// Blocks: decodes and resizes.
Result<bj::object> look(const ServedModel& model, std::span<const std::byte> bytes) {
  OCELLUS_ASSIGN_OR_RETURN(const image::ImageInfo info, image::read_image_info(bytes));
  OCELLUS_ASSIGN_OR_RETURN(const image::Image picture, image::decode_image(bytes));
  const image::Size upright{info.oriented_height(), info.oriented_width()};
  const models::PictureOptions options = models::picture_options(model.options);
  OCELLUS_ASSIGN_OR_RETURN(const models::ImageFacts facts,
                           model.description->image_facts(upright, options));
  OCELLUS_ASSIGN_OR_RETURN(const std::vector<image::Image> inputs,
                           model.description->tower_inputs(picture, options));
  bj::array tiles;
  for (const image::Image& input : inputs) {
    tiles.push_back(bj::object{{"width", input.width},
                               {"height", input.height},
                               {"image", data_url("image/bmp", bmp_of(input))}});
  }
  const auto format = image::format_name(info.format);
  return bj::object{
      {"object", "image.inspection"},
      {"model", model.name()},
      {"sha256", base::to_hex(base::sha256(bytes))},
      {"format", bj::string_view(format.data(), format.size())},
      {"bytes", bytes.size()},
      {"width", upright.width},
      {"height", upright.height},
      {"stored", bj::object{{"width", info.width}, {"height", info.height}}},
      {"orientation", info.orientation},
      {"fit", bj::string_view(facts.fit.data(), facts.fit.size())},
      {"used", bj::object{{"width", facts.seen.width}, {"height", facts.seen.height}}},
      {"transform", transform_of(facts, upright)},
      {"tokens", facts.rows},
      {"tiles", std::move(tiles)}};
}

struct Question {
  std::string model = {}, url = {};
};

std::expected<Question, ApiError> read_question(const std::string& body) {
  const auto document = parse_body(body);
  if (!document) return std::unexpected(document.error());
  Fields fields(*document);
  Question question{.model = fields.text("model").value_or("")};
  if (const bj::value* const image = fields.any("image_url")) {
    const bj::value* url = image;
    if (const bj::object* const object = image->if_object()) url = object->if_contains("url");
    if (url != nullptr && url->is_string())
      question.url.assign(url->get_string().data(), url->get_string().size());
  }
  fields.finish();
  if (!question.url.starts_with("data:"))
    fields.fail("image_url", "expected a data: URL with the picture");
  if (fields.error()) return std::unexpected(*fields.error());
  return question;
}

}  // namespace

asio::awaitable<Response> inspect_image(Site& site, std::string body, ResponseWriter&) {
  auto question = read_question(body);
  body = std::string();
  if (!question) co_return openai_error(question.error());
  const std::shared_ptr<const ServedModel> model = site.models.find(question->model);
  if (model == nullptr) {
    co_return openai_error({.status = 404,
                            .code = "model_not_found",
                            .message = "model: expected one that this server has",
                            .param = "model"});
  }
  auto bytes = fetch::parse_data_url(question->url, fetch::FetchLimits().max_bytes);
  if (!bytes) co_return openai_error(api_error(bytes.error(), "image_url"));
  std::function<Result<bj::object>()> job = [model, bytes = *std::move(bytes)] {
    return look(*model, bytes);
  };
  auto found = co_await runtime::run_blocking<bj::object>(site.runtime.file_pool(), std::move(job),
                                                          runtime::Deadline::after(kLongest));
  if (!found) co_return openai_error(api_error(found.error(), "image_url"));
  co_return Response{.body = bj::serialize(*found)};
}

}  // namespace ocellus::server
