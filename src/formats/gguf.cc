#include "formats/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>

#include "base/checked.h"
#include "base/result.h"
#include "base/utf8.h"

namespace ocellus::formats {
namespace {

using base::make_error;
using tensor::DType;

constexpr std::size_t kMaxKey = 65'535;
constexpr std::size_t kMaxTensorNameLength = 63;  // ggml's GGML_MAX_NAME with its terminator
constexpr int kMaxNesting = 4;
constexpr std::size_t kMinEntry = 8 + 4 + 1;                // a key, a type, a value
constexpr std::size_t kMinTensorEntry = 8 + 4 + 8 + 4 + 8;  // name, rank, one size, type, offset

// The format's value types.
enum Type : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
  kTypes
};
constexpr std::size_t kWidths[kTypes] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
constexpr const char* kTypeNames[kTypes] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                            "bool", "string", "array", "u64", "i64", "f64"};

struct TensorType {
  std::uint32_t number;
  const char* name;
  std::size_t block_values, block_bytes;
  std::optional<DType> dtype;
};

// ggml's numbers. Types without a DType can be listed, not computed with.
constexpr TensorType kTensorTypes[] = {
    {0, "F32", 1, 4, DType::kF32},
    {1, "F16", 1, 2, DType::kF16},
    {2, "Q4_0", 32, 18, DType::kQ4_0},
    {3, "Q4_1", 32, 20, DType::kQ4_1},
    {6, "Q5_0", 32, 22, DType::kQ5_0},
    {7, "Q5_1", 32, 24, DType::kQ5_1},
    {8, "Q8_0", 32, 34, DType::kQ8_0},
    {9, "Q8_1", 32, 36, {}},
    {10, "Q2_K", 256, 84, DType::kQ2_K},
    {11, "Q3_K", 256, 110, DType::kQ3_K},
    {12, "Q4_K", 256, 144, DType::kQ4_K},
    {13, "Q5_K", 256, 176, DType::kQ5_K},
    {14, "Q6_K", 256, 210, DType::kQ6_K},
    {15, "Q8_K", 256, 292, {}},
    {16, "IQ2_XXS", 256, 66, {}},
    {17, "IQ2_XS", 256, 74, {}},
    {18, "IQ3_XXS", 256, 98, {}},
    {19, "IQ1_S", 256, 50, {}},
    {20, "IQ4_NL", 32, 18, {}},
    {21, "IQ3_S", 256, 110, {}},
    {22, "IQ2_S", 256, 82, {}},
    {23, "IQ4_XS", 256, 136, {}},
    {24, "I8", 1, 1, {}},
    {25, "I16", 1, 2, {}},
    {26, "I32", 1, 4, DType::kI32},
    {27, "I64", 1, 8, DType::kI64},
    {28, "F64", 1, 8, {}},
    {29, "IQ1_M", 256, 56, {}},
    {30, "BF16", 1, 2, DType::kBF16},
    {34, "TQ1_0", 256, 54, {}},
    {35, "TQ2_0", 256, 66, {}},
    {39, "MXFP4", 32, 17, {}},
};

// Walks the bytes; every step is checked.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, std::size_t at) : bytes_(bytes), at_(at) {}
  std::size_t at() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }

  template <typename T>
  bool read(T& value) {
    if (left() < sizeof(T)) return false;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }
  bool read_text(std::string_view& text) {
    std::uint64_t length = 0;
    if (!read(length) || length > left()) return false;
    text = {reinterpret_cast<const char*>(bytes_.data()) + at_, static_cast<std::size_t>(length)};
    at_ += static_cast<std::size_t>(length);
    return true;
  }
  bool skip(std::uint64_t count, std::size_t width) {
    if (width != 0 && count > left() / width) return false;
    at_ += static_cast<std::size_t>(count) * width;
    return true;
  }
  std::span<const std::byte> since(std::size_t begin) const {
    return bytes_.subspan(begin, at_ - begin);
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_;
};

template <typename T>
T value_at(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

// An integer or float of the given type.
double number_of(std::uint32_t type, const std::byte* from) {
  switch (type) {
    case kU8:
      return value_at<std::uint8_t>(from);
    case kI8:
      return value_at<std::int8_t>(from);
    case kU16:
      return value_at<std::uint16_t>(from);
    case kI16:
      return value_at<std::int16_t>(from);
    case kU32:
      return value_at<std::uint32_t>(from);
    case kI32:
      return value_at<std::int32_t>(from);
    case kF32:
      return value_at<float>(from);
    case kU64:
      return static_cast<double>(value_at<std::uint64_t>(from));
    case kI64:
      return static_cast<double>(value_at<std::int64_t>(from));
    default:
      return value_at<double>(from);
  }
}

std::string_view kind_of(const GgufValue& value) {
  constexpr std::string_view kNames[] = {"an integer", "an integer", "a number",
                                         "a boolean",  "a text",     "an array"};
  return kNames[value.index()];
}

}  // namespace

class GgufReader {
 public:
  GgufReader(std::span<const std::byte> bytes, std::string_view name)
      : bytes_(bytes), cursor_(bytes, 0) {
    file_.file_ = name;
  }

  Result<GgufFile> run() {
    OCELLUS_RETURN_IF_ERROR(header());
    for (std::uint64_t i = 0; i < entries_; ++i) OCELLUS_RETURN_IF_ERROR(entry(i));
    OCELLUS_RETURN_IF_ERROR(read_alignment());
    std::vector<Located> located;
    located.reserve(static_cast<std::size_t>(tensor_count_));
    for (std::uint64_t i = 0; i < tensor_count_; ++i) {
      OCELLUS_ASSIGN_OR_RETURN(Located each, tensor(i));
      located.push_back(std::move(each));
    }
    OCELLUS_RETURN_IF_ERROR(place(located));
    return std::move(file_);
  }

 private:
  struct Located {
    std::string_view name;
    const TensorType* type;
    std::uint32_t number;
    tensor::Shape shape;
    std::uint64_t offset;
    std::size_t bytes;
  };

  std::unexpected<Error> bad(std::string_view what) const {
    return make_error(ErrorCode::kBadModel, "{}: {}", file_.file_, what);
  }
  std::unexpected<Error> short_at(std::string_view what) const {
    return bad(fmt::format("{} ends beyond the file's {} bytes: cut short?", what, bytes_.size()));
  }

  Status header() {
    std::uint32_t magic = 0;
    if (!cursor_.read(magic) || magic != 0x46554747) return bad("does not begin with GGUF");
    if (!cursor_.read(file_.version_)) return short_at("the header");
    if (file_.version_ != 2 && file_.version_ != 3) {
      return make_error(ErrorCode::kUnsupported, "{}: GGUF version {}, expected 2 or 3{}",
                        file_.file_, file_.version_,
                        file_.version_ == 0x03000000 || file_.version_ == 0x02000000
                            ? " (a big-endian file)"
                            : "");
    }
    if (!cursor_.read(tensor_count_) || !cursor_.read(entries_)) return short_at("the header");
    if (entries_ > cursor_.left() / kMinEntry)
      return bad(fmt::format("{} metadata entries in {} bytes", entries_, cursor_.left()));
    if (tensor_count_ > cursor_.left() / kMinTensorEntry)
      return bad(fmt::format("{} tensors in {} bytes", tensor_count_, cursor_.left()));
    return {};
  }

  Status entry(std::uint64_t number) {
    std::string_view key;
    std::uint32_t type = 0;
    if (!cursor_.read_text(key) || !cursor_.read(type))
      return short_at(fmt::format("metadata entry {}", number));
    if (key.empty() || key.size() > kMaxKey || !base::is_valid_utf8(key)) {
      return bad(fmt::format("metadata entry {}: a key of {} bytes, expected UTF-8 of 1 to {}",
                             number, key.size(), kMaxKey));
    }
    OCELLUS_ASSIGN_OR_RETURN(GgufValue value, read_value(key, type));
    if (!file_.metadata_.emplace(std::string(key), std::move(value)).second)
      return bad(fmt::format("{}: the key stands twice", key));
    return {};
  }

  template <typename T, typename As>
  Result<GgufValue> plain(std::string_view key) {
    T value{};
    if (!cursor_.read(value)) return short_at(key);
    return GgufValue(static_cast<As>(value));
  }

  Result<GgufValue> read_value(std::string_view key, std::uint32_t type) {
    switch (type) {
      case kU8:
        return plain<std::uint8_t, std::uint64_t>(key);
      case kI8:
        return plain<std::int8_t, std::int64_t>(key);
      case kU16:
        return plain<std::uint16_t, std::uint64_t>(key);
      case kI16:
        return plain<std::int16_t, std::int64_t>(key);
      case kU32:
        return plain<std::uint32_t, std::uint64_t>(key);
      case kI32:
        return plain<std::int32_t, std::int64_t>(key);
      case kU64:
        return plain<std::uint64_t, std::uint64_t>(key);
      case kI64:
        return plain<std::int64_t, std::int64_t>(key);
      case kF32:
        return plain<float, double>(key);
      case kF64:
        return plain<double, double>(key);
      case kBool: {
        std::uint8_t value = 0;
        if (!cursor_.read(value)) return short_at(key);
        if (value > 1) return bad(fmt::format("{}: a boolean of {}, expected 0 or 1", key, value));
        return GgufValue(value == 1);
      }
      case kString: {
        std::string_view text;
        if (!cursor_.read_text(text)) return short_at(key);
        return GgufValue(text);
      }
      case kArray: {
        GgufArray array;
        OCELLUS_RETURN_IF_ERROR(read_array(key, array, 1));
        return GgufValue(array);
      }
      default:
        return bad(fmt::format("{}: value type {}, expected 0 to {}", key, type, kTypes - 1));
    }
  }

  Status read_array(std::string_view key, GgufArray& array, int depth) {
    if (depth > kMaxNesting) return bad(fmt::format("{}: arrays in arrays in arrays", key));
    if (!cursor_.read(array.type) || !cursor_.read(array.count)) return short_at(key);
    if (array.type >= kTypes)
      return bad(
          fmt::format("{}: elements of type {}, expected 0 to {}", key, array.type, kTypes - 1));
    const std::size_t begin = cursor_.at();
    if (array.type == kString || array.type == kArray) {
      const std::size_t least = array.type == kString ? 8 : 12;
      if (array.count > cursor_.left() / least) return short_at(key);
      for (std::uint64_t i = 0; i < array.count; ++i) {
        std::string_view text;
        GgufArray inner;
        if (array.type == kString && !cursor_.read_text(text)) return short_at(key);
        if (array.type == kArray) OCELLUS_RETURN_IF_ERROR(read_array(key, inner, depth + 1));
      }
    } else if (!cursor_.skip(array.count, kWidths[array.type])) {
      return short_at(key);
    }
    array.data = cursor_.since(begin);
    return {};
  }

  Status read_alignment() {
    OCELLUS_ASSIGN_OR_RETURN(const std::int64_t given,
                             file_.integer_or("general.alignment", 32, 1, 65'536));
    alignment_ = static_cast<std::uint64_t>(given);
    if (!std::has_single_bit(alignment_) || alignment_ < 8) {
      return bad(fmt::format("general.alignment: expected a power of two from 8 to 65536, found {}",
                             given));
    }
    return {};
  }

  Result<Located> tensor(std::uint64_t number) {
    Located t{};
    std::uint32_t rank = 0;
    if (!cursor_.read_text(t.name) || !cursor_.read(rank))
      return short_at(fmt::format("tensor entry {}", number));
    if (t.name.empty() || t.name.size() > kMaxTensorNameLength || !base::is_valid_utf8(t.name)) {
      return bad(fmt::format("tensor {}: a name of {} bytes, expected UTF-8 of 1 to {}", number,
                             t.name.size(), kMaxTensorNameLength));
    }
    if (rank < 1 || rank > 4)
      return bad(fmt::format("tensor {}: {} dimensions, expected 1 to 4", t.name, rank));
    std::int64_t sizes[4] = {};
    std::size_t elements = 1;
    for (std::uint32_t i = 0; i < rank; ++i) {
      std::uint64_t size = 0;
      if (!cursor_.read(size)) return short_at(fmt::format("tensor {}", t.name));
      const auto product = base::checked_mul(elements, static_cast<std::size_t>(size));
      if (size == 0 || size > (std::uint64_t{1} << 62) || !product)
        return bad(fmt::format("tensor {}: dimension {} of {}", t.name, i, size));
      elements = *product;
      sizes[rank - 1 - i] = static_cast<std::int64_t>(size);  // the file has the innermost first
    }
    t.shape = *tensor::Shape::from(std::span(sizes, rank));
    if (!cursor_.read(t.number) || !cursor_.read(t.offset))
      return short_at(fmt::format("tensor {}", t.name));
    const auto* const type = std::ranges::find(kTensorTypes, t.number, &TensorType::number);
    if (type == std::end(kTensorTypes)) {
      return make_error(ErrorCode::kUnsupported, "{}: tensor {}: type {} is not known", file_.file_,
                        t.name, t.number);
    }
    t.type = type;
    if (static_cast<std::size_t>(sizes[rank - 1]) % type->block_values != 0) {
      return bad(fmt::format("tensor {}: rows of {} values in {}, whose blocks have {}", t.name,
                             sizes[rank - 1], type->name, type->block_values));
    }
    const auto bytes = base::checked_mul(elements / type->block_values, type->block_bytes);
    if (!bytes) return bad(fmt::format("tensor {}: too large", t.name));
    t.bytes = *bytes;
    return t;
  }

  Status place(const std::vector<Located>& located) {
    const auto pad = [&](std::uint64_t n) { return (alignment_ - n % alignment_) % alignment_; };
    const std::uint64_t begin = cursor_.at() + pad(cursor_.at());
    std::uint64_t expected = 0;
    for (const Located& t : located) {
      if (t.offset != expected) {
        return bad(fmt::format("tensor {}: begins at {} of the data, expected {}", t.name, t.offset,
                               expected));
      }
      if (begin > bytes_.size() || t.offset > bytes_.size() - begin ||
          t.bytes > bytes_.size() - begin - t.offset) {
        return short_at(fmt::format("tensor {}", t.name));
      }
      const auto data = bytes_.subspan(static_cast<std::size_t>(begin + t.offset), t.bytes);
      if (!file_.tensors_.emplace(std::string(t.name), GgufTensor{t.type->name, t.shape, data})
               .second)
        return bad(fmt::format("tensor {} stands twice", t.name));
      expected = t.offset + t.bytes + pad(t.bytes);
    }
    return {};
  }

  std::span<const std::byte> bytes_;
  Cursor cursor_;
  std::uint64_t tensor_count_ = 0, entries_ = 0, alignment_ = 32;
  GgufFile file_;
};

Result<GgufFile> GgufFile::parse(std::span<const std::byte> bytes, std::string_view file) {
  return GgufReader(bytes, file).run();
}

Result<tensor::TensorView> GgufTensor::view(std::string_view name) const {
  const auto* const known =
      std::ranges::find(kTensorTypes, std::string_view(type),
                        [](const TensorType& t) { return std::string_view(t.name); });
  if (known == std::end(kTensorTypes) || !known->dtype) {
    return make_error(ErrorCode::kUnsupported, "tensor {}: type {} cannot be computed with", name,
                      type);
  }
  return tensor::TensorView{*known->dtype, shape, data};
}

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

Result<std::int64_t> GgufFile::integer(std::string_view key, std::int64_t min,
                                       std::int64_t max) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return make_error(ErrorCode::kBadModel, "{}: {} is missing", file_, key);
  std::int64_t found = 0;
  if (const auto* u = std::get_if<std::uint64_t>(value)) {
    found = static_cast<std::int64_t>(std::min<std::uint64_t>(*u, INT64_MAX));
  } else if (const auto* i = std::get_if<std::int64_t>(value)) {
    found = *i;
  } else {
    return make_error(ErrorCode::kBadModel, "{}: {}: expected an integer, found {}", file_, key,
                      kind_of(*value));
  }
  if (found < min || found > max) {
    return make_error(ErrorCode::kBadModel, "{}: {}: expected {} to {}, found {}", file_, key, min,
                      max, describe(*value));
  }
  return found;
}

Result<std::int64_t> GgufFile::integer_or(std::string_view key, std::int64_t fallback,
                                          std::int64_t min, std::int64_t max) const {
  return has(key) ? integer(key, min, max) : Result<std::int64_t>(fallback);
}

Result<double> GgufFile::number_or(std::string_view key, double fallback) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return fallback;
  double found = NAN;
  if (const auto* d = std::get_if<double>(value)) found = *d;
  if (const auto* u = std::get_if<std::uint64_t>(value)) found = static_cast<double>(*u);
  if (const auto* i = std::get_if<std::int64_t>(value)) found = static_cast<double>(*i);
  if (!std::isfinite(found)) {
    return make_error(ErrorCode::kBadModel, "{}: {}: expected a finite number, found {}", file_,
                      key, describe(*value));
  }
  return found;
}

Result<bool> GgufFile::boolean_or(std::string_view key, bool fallback) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return fallback;
  if (const auto* b = std::get_if<bool>(value)) return *b;
  return make_error(ErrorCode::kBadModel, "{}: {}: expected a boolean, found {}", file_, key,
                    kind_of(*value));
}

Result<std::string> GgufFile::text(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return make_error(ErrorCode::kBadModel, "{}: {} is missing", file_, key);
  const auto* text = std::get_if<std::string_view>(value);
  if (text == nullptr || !base::is_valid_utf8(*text)) {
    return make_error(ErrorCode::kBadModel, "{}: {}: expected a text in UTF-8, found {}", file_,
                      key, text == nullptr ? kind_of(*value) : "other bytes");
  }
  return std::string(*text);
}

Result<std::string> GgufFile::text_or(std::string_view key, std::string fallback) const {
  return has(key) ? text(key) : Result<std::string>(std::move(fallback));
}

Result<std::vector<std::string_view>> GgufFile::texts(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return make_error(ErrorCode::kBadModel, "{}: {} is missing", file_, key);
  const auto* array = std::get_if<GgufArray>(value);
  if (array == nullptr || array->type != kString) {
    return make_error(ErrorCode::kBadModel, "{}: {}: expected an array of texts, found {}", file_,
                      key, describe(*value));
  }
  std::vector<std::string_view> texts(static_cast<std::size_t>(array->count));
  Cursor cursor(array->data, 0);
  for (std::string_view& text : texts) cursor.read_text(text);
  return texts;
}

Result<std::vector<double>> GgufFile::numbers(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return make_error(ErrorCode::kBadModel, "{}: {} is missing", file_, key);
  const auto* array = std::get_if<GgufArray>(value);
  if (array == nullptr || array->type == kString || array->type == kArray || array->type == kBool) {
    return make_error(ErrorCode::kBadModel, "{}: {}: expected an array of numbers, found {}", file_,
                      key, describe(*value));
  }
  std::vector<double> numbers(static_cast<std::size_t>(array->count));
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = number_of(array->type, array->data.data() + i * kWidths[array->type]);
  return numbers;
}

std::string describe(const GgufValue& value) {
  if (const auto* u = std::get_if<std::uint64_t>(&value)) return fmt::format("{}", *u);
  if (const auto* i = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *i);
  if (const auto* d = std::get_if<double>(&value)) return fmt::format("{}", *d);
  if (const auto* b = std::get_if<bool>(&value)) return *b ? "true" : "false";
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    constexpr std::size_t kShown = 60;
    const bool cut = text->size() > kShown;
    return fmt::format("\"{}{}\"", base::replace_invalid_utf8(text->substr(0, kShown)),
                       cut ? "..." : "");
  }
  const auto& array = std::get<GgufArray>(value);
  return fmt::format("[{} of {}]", array.count, kTypeNames[array.type]);
}

}  // namespace ocellus::formats
