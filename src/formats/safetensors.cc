#include "formats/safetensors.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cstring>
#include <optional>

#include "base/checked.h"
#include "base/result.h"
#include "json/json.h"
#include "json/python_json.h"

namespace ocellus::formats {
namespace {

namespace bj = boost::json;
using base::make_error;

struct Element {
  std::string_view name;
  int bits;
  std::optional<tensor::DType> dtype;
};

// The closed list of the format. Sub-byte types are stored packed; they are known, so that a file
// with one parses.
constexpr Element kElements[] = {
    {"BOOL", 8, {}},
    {"F4", 4, {}},
    {"F6_E2M3", 6, {}},
    {"F6_E3M2", 6, {}},
    {"U8", 8, tensor::DType::kU8},
    {"I8", 8, {}},
    {"F8_E5M2", 8, {}},
    {"F8_E4M3", 8, {}},
    {"F8_E8M0", 8, {}},
    {"I16", 16, {}},
    {"U16", 16, {}},
    {"F16", 16, tensor::DType::kF16},
    {"BF16", 16, tensor::DType::kBF16},
    {"I32", 32, tensor::DType::kI32},
    {"U32", 32, {}},
    {"F32", 32, tensor::DType::kF32},
    {"C64", 64, {}},
    {"F64", 64, {}},
    {"I64", 64, tensor::DType::kI64},
    {"U64", 64, {}},
};

const Element* find_element(std::string_view name) {
  const auto* found = std::ranges::find(kElements, name, &Element::name);
  return found == std::end(kElements) ? nullptr : found;
}

std::string_view text_of(const bj::string& s) { return {s.data(), s.size()}; }

// A non-negative JSON integer up to 2^53, the largest that every writer's numbers carry exactly.
std::optional<std::uint64_t> exact_integer(const bj::value& value) {
  if (!value.is_int64() || value.get_int64() < 0 || value.get_int64() > (std::int64_t{1} << 53)) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(value.get_int64());
}

struct Located {
  std::uint64_t begin, end;
  const std::string* name;
};

class HeaderReader {
 public:
  HeaderReader(std::string_view file, std::span<const std::byte> data) : file_(file), data_(data) {}

  Status read(const bj::object& header) {
    if (header.size() > kMaxTensors + 1) {
      return make_error(ErrorCode::kBadModel, "{}: expected at most {} tensors, found {}", file_,
                        kMaxTensors, header.size());
    }
    for (const auto& [key, value] : header) {
      const std::string_view name(key.data(), key.size());
      if (name == "__metadata__") {
        OCELLUS_RETURN_IF_ERROR(check_metadata(value));
      } else {
        OCELLUS_RETURN_IF_ERROR(read_entry(name, value));
      }
    }
    return check_layout();
  }

  SafetensorsDirectory take() { return std::move(directory_); }

 private:
  std::unexpected<Error> bad(std::string_view name, std::string_view what) const {
    return make_error(ErrorCode::kBadModel, "{}: tensor {}: {}", file_, name, what);
  }

  Status check_metadata(const bj::value& value) const {
    if (value.is_null()) return {};  // as no metadata, to the format's own reader
    const bj::object* object = value.if_object();
    if (object == nullptr || !std::ranges::all_of(*object, [](const auto& entry) {
          return entry.value().is_string();
        })) {
      return make_error(ErrorCode::kBadModel, "{}: __metadata__: expected an object of strings",
                        file_);
    }
    return {};
  }

  Result<tensor::Shape> read_shape(std::string_view name, const bj::value* value) const {
    const bj::array* array = value == nullptr ? nullptr : value->if_array();
    if (array == nullptr) return bad(name, "shape: expected an array");
    if (array->size() > tensor::Shape::kMaxRank) {
      return bad(name, fmt::format("shape: {} dimensions, expected at most {}", array->size(),
                                   tensor::Shape::kMaxRank));
    }
    std::vector<std::int64_t> dims;
    for (const bj::value& dim : *array) {
      const auto integer = exact_integer(dim);
      if (!integer) return bad(name, "shape: expected whole numbers from 0 to 2^53");
      dims.push_back(static_cast<std::int64_t>(*integer));
    }
    return *tensor::Shape::from(dims);
  }

  Status read_entry(std::string_view name, const bj::value& value) {
    if (name.empty() || name.size() > kMaxTensorName) {
      return make_error(ErrorCode::kBadModel,
                        "{}: a tensor\'s name: expected 1 to {} bytes, found {}", file_,
                        kMaxTensorName, name.size());
    }
    const bj::object* object = value.if_object();
    if (object == nullptr) return bad(name, "expected an object");
    for (const auto& [key, unused] : *object) {
      if (key != "dtype" && key != "shape" && key != "data_offsets") {
        return bad(name, fmt::format("unknown field {}", std::string_view(key.data(), key.size())));
      }
    }
    const bj::value* dtype = object->if_contains("dtype");
    if (dtype == nullptr || !dtype->is_string()) return bad(name, "dtype: expected a string");
    const Element* element = find_element(text_of(dtype->get_string()));
    if (element == nullptr) {
      return bad(name, fmt::format("dtype: unknown type {}", text_of(dtype->get_string())));
    }
    OCELLUS_ASSIGN_OR_RETURN(const tensor::Shape shape,
                             read_shape(name, object->if_contains("shape")));
    const bj::value* offsets = object->if_contains("data_offsets");
    const bj::array* pair = offsets == nullptr ? nullptr : offsets->if_array();
    if (pair == nullptr || pair->size() != 2 || !exact_integer((*pair)[0]) ||
        !exact_integer((*pair)[1])) {
      return bad(name, "data_offsets: expected two whole numbers from 0 to 2^53");
    }
    const std::uint64_t begin = *exact_integer((*pair)[0]), end = *exact_integer((*pair)[1]);
    if (begin > end || end > data_.size()) {
      return bad(name, fmt::format("data_offsets: [{}, {}] is not inside the {} bytes of data",
                                   begin, end, data_.size()));
    }
    const auto elements = shape.elements();
    const auto bits =
        elements ? base::checked_mul<std::int64_t>(*elements, element->bits) : std::nullopt;
    if (!bits || *bits % 8 != 0)
      return bad(name, "shape: its size in bytes is not a number we can hold");
    if (static_cast<std::uint64_t>(*bits / 8) != end - begin) {
      return bad(name, fmt::format("{} {} takes {} bytes, found {}", element->name,
                                   shape.to_string(), *bits / 8, end - begin));
    }
    const auto [place, added] = directory_.emplace(
        name,
        SafetensorsEntry{std::string(element->name), shape, data_.subspan(begin, end - begin)});
    if (!added) return bad(name, "named twice");
    located_.push_back({begin, end, &place->first});
    return {};
  }

  // Sorted by offset the tensors must follow each other from the first byte to the last: no hole
  // where something could hide, no overlap, nothing after the last tensor.
  Status check_layout() {
    std::ranges::sort(located_, {}, [](const Located& l) { return std::pair(l.begin, l.end); });
    std::uint64_t position = 0;
    for (const Located& tensor : located_) {
      if (tensor.begin != position) {
        return bad(*tensor.name, fmt::format("data_offsets: expected to begin at {}, found {}",
                                             position, tensor.begin));
      }
      position = tensor.end;
    }
    if (position != data_.size()) {
      return make_error(ErrorCode::kBadModel,
                        "{}: end of the tensors: expected byte {} of the data, found {}", file_,
                        data_.size(), position);
    }
    return {};
  }

  std::string_view file_;
  std::span<const std::byte> data_;
  SafetensorsDirectory directory_;
  std::vector<Located> located_;
};

}  // namespace

Result<tensor::TensorView> SafetensorsEntry::view(std::string_view name) const {
  const Element* element = find_element(dtype);
  if (element == nullptr || !element->dtype) {
    return make_error(ErrorCode::kUnsupported, "tensor {}: expected F32, F16 or BF16, found {}",
                      name, dtype);
  }
  return tensor::TensorView{*element->dtype, shape, data};
}

Result<SafetensorsDirectory> parse_safetensors(std::span<const std::byte> bytes,
                                               std::string_view file) {
  if (bytes.size() < 8) {
    return make_error(ErrorCode::kBadModel,
                      "{}: expected at least 8 bytes, the length of a header, found {}", file,
                      bytes.size());
  }
  std::uint64_t header_size = 0;
  for (int i = 7; i >= 0; --i)
    header_size = header_size << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  if (header_size > kMaxSafetensorsHeader) {
    return make_error(ErrorCode::kBadModel, "{}: header: expected at most {} bytes, found {}", file,
                      kMaxSafetensorsHeader, header_size);
  }
  if (header_size > bytes.size() - 8) {
    return make_error(ErrorCode::kBadModel,
                      "{}: expected a header of {} bytes, found {}: cut short?", file, header_size,
                      bytes.size() - 8);
  }
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()) + 8, header_size);
  if (!header.starts_with('{')) {
    return make_error(ErrorCode::kBadModel, "{}: header: expected \'{{\' as its first byte", file);
  }
  // Numbers are taken as they stand: 1e3, 1.0 and -0 are not whole numbers to every reader.
  auto document = json::parse(header, file, {.reject_negative_zero = true});
  if (!document) return make_error(ErrorCode::kBadModel, "{}", document.error().message);
  HeaderReader reader(file, bytes.subspan(8 + header_size));
  OCELLUS_RETURN_IF_ERROR(reader.read(document->get_object()));
  return reader.take();
}

Result<std::map<std::string, std::string>> parse_safetensors_index(std::string_view text,
                                                                   std::string_view file) {
  auto document = json::parse_python(text, file);
  if (!document) return make_error(ErrorCode::kBadModel, "{}", document.error().message);
  const bj::object* object = document->if_object();
  const bj::value* weight_map = object == nullptr ? nullptr : object->if_contains("weight_map");
  if (weight_map == nullptr || !weight_map->is_object()) {
    return make_error(ErrorCode::kBadModel, "{}: weight_map: expected an object", file);
  }
  std::map<std::string, std::string> result;
  for (const auto& [key, value] : weight_map->get_object()) {
    const std::string_view name(key.data(), key.size());
    const std::string shard = value.is_string() ? std::string(text_of(value.get_string())) : "";
    // A bare file name: nothing that could lead out of the folder.
    if (shard.empty() || shard == "." || shard == ".." ||
        shard.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
      return make_error(ErrorCode::kBadModel, "{}: weight_map: {}: expected a bare file name", file,
                        name);
    }
    result.emplace(name, shard);
  }
  if (result.size() > kMaxTensors) {
    return make_error(ErrorCode::kBadModel, "{}: expected at most {} tensors, found {}", file,
                      kMaxTensors, result.size());
  }
  return result;
}

std::vector<std::byte> write_safetensors(std::span<const NamedTensor> tensors,
                                         const std::map<std::string, std::string>& metadata) {
  bj::object header;
  if (!metadata.empty()) {
    bj::object& texts = header["__metadata__"].emplace_object();
    for (const auto& [key, value] : metadata) texts[key] = value;
  }
  std::uint64_t offset = 0;
  for (const NamedTensor& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", bj::array(tensor.shape.begin(), tensor.shape.end())},
                           {"data_offsets", {offset, offset + tensor.data.size()}}};
    offset += tensor.data.size();
  }
  std::string text = bj::serialize(header);
  text.resize((text.size() + 7) / 8 * 8,
              ' ');  // data begins at a multiple of eight, as other writers do
  std::vector<std::byte> bytes(8 + text.size() + offset);
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<std::byte>(text.size() >> (8 * i));
  std::memcpy(bytes.data() + 8, text.data(), text.size());
  std::byte* out = bytes.data() + 8 + text.size();
  for (const NamedTensor& tensor : tensors) {
    if (!tensor.data.empty()) std::memcpy(out, tensor.data.data(), tensor.data.size());
    out += tensor.data.size();
  }
  return bytes;
}

}  // namespace ocellus::formats
