#include "formats/gguf.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "base/checked.h"
#include "base/result.h"
#include "base/utf8.h"
#include "formats/gguf_cursor.h"
#include "formats/gguf_types.h"
#include "formats/safetensors.h"

namespace ocellus::formats {
namespace {

using base::make_error;
using enum GgufType;

constexpr int kMaxNesting = 4;
constexpr std::size_t kMinEntry = 8 + 4 + 1;                // a key, a type, a value
constexpr std::size_t kMinTensorEntry = 8 + 4 + 8 + 4 + 8;  // name, rank, one size, type, offset

}  // namespace

class GgufReader {
 public:
  GgufReader(std::span<const std::byte> bytes, std::string_view name)
      : bytes_(bytes), cursor_(bytes, 0) {
    file_.file_ = name;
  }

  Result<GgufFile> run() {
    OCELLUS_RETURN_IF_ERROR(header());
    OCELLUS_RETURN_IF_ERROR(read_entries());
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

  Result<GgufMetadata> run_metadata() {
    OCELLUS_RETURN_IF_ERROR(read_entries());
    if (cursor_.left() > 0)
      return bad(fmt::format("{} bytes after the last metadata entry", cursor_.left()));
    return GgufMetadata(std::move(file_));
  }

 private:
  struct Located {
    std::string_view name;
    const GgufTensorType* type;
    std::uint32_t number;
    tensor::Shape shape;
    std::uint64_t offset;
    std::size_t bytes;
  };

  std::unexpected<Error> bad(std::string_view what) const {
    return make_error(ErrorCode::kBadModel, "{}: {}", file_.file_, what);
  }
  std::unexpected<Error> short_at(std::string_view what) const {
    return bad(fmt::format("{}: ends after the file's {} bytes: cut short?", what, bytes_.size()));
  }

  Status header() {
    std::uint32_t magic = 0;
    if (!cursor_.read(magic) || magic != kGgufMagic) return bad("expected GGUF as its first bytes");
    if (!cursor_.read(file_.version_)) return short_at("the header");
    if (file_.version_ != 2 && file_.version_ != 3) {
      return make_error(ErrorCode::kUnsupported, "{}: GGUF version: expected 2 or 3, found {}{}",
                        file_.file_, file_.version_,
                        file_.version_ == 0x03000000 || file_.version_ == 0x02000000
                            ? " (a big-endian file)"
                            : "");
    }
    if (!cursor_.read(tensor_count_)) return short_at("the header");
    if (tensor_count_ > cursor_.left() / kMinTensorEntry)
      return bad(fmt::format("{} tensors do not fit {} bytes", tensor_count_, cursor_.left()));
    if (tensor_count_ > kMaxTensors)
      return bad(fmt::format("expected at most {} tensors, found {}", kMaxTensors, tensor_count_));
    return {};
  }

  Status read_entries() {
    const std::size_t begin = cursor_.at();
    std::uint64_t count = 0;
    if (!cursor_.read(count)) return short_at("the count of metadata entries");
    if (count > cursor_.left() / kMinEntry)
      return bad(fmt::format("{} metadata entries do not fit {} bytes", count, cursor_.left()));
    if (count > kMaxGgufEntries)
      return bad(
          fmt::format("expected at most {} metadata entries, found {}", kMaxGgufEntries, count));
    for (std::uint64_t i = 0; i < count; ++i) OCELLUS_RETURN_IF_ERROR(entry(i));
    file_.section_ = cursor_.since(begin);
    return {};
  }

  Status entry(std::uint64_t number) {
    std::string_view key;
    std::uint32_t type = 0;
    if (!cursor_.read_text(key) || !cursor_.read(type))
      return short_at(fmt::format("metadata entry {}", number));
    if (key.empty() || key.size() > kMaxGgufKey || !base::is_valid_utf8(key)) {
      return bad(
          fmt::format("metadata entry {}: its key: expected UTF-8 of 1 to {} bytes, found {}",
                      number, kMaxGgufKey, key.size()));
    }
    const std::size_t begin = cursor_.at();
    OCELLUS_ASSIGN_OR_RETURN(GgufValue value, read_value(key, type));
    if (key == "general.alignment" && type != static_cast<std::uint32_t>(kU32))
      return bad(fmt::format("{}: expected u32, found {}", key, gguf_type_name(GgufType{type})));
    file_.entries_.push_back({key, GgufType{type}, cursor_.since(begin)});
    if (!file_.metadata_.emplace(std::string(key), std::move(value)).second)
      return bad(fmt::format("duplicate metadata key '{}'", key));
    return {};
  }

  template <typename T, typename As>
  Result<GgufValue> plain(std::string_view key) {
    T value{};
    if (!cursor_.read(value)) return short_at(key);
    return GgufValue(static_cast<As>(value));
  }

  Result<GgufValue> read_value(std::string_view key, std::uint32_t type) {
    switch (GgufType{type}) {
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
        if (value > 1)
          return bad(fmt::format("{}: a boolean: expected 0 or 1, found {}", key, value));
        return GgufValue(value == 1);
      }
      case kString: {
        std::string_view text;
        OCELLUS_RETURN_IF_ERROR(read_text(key, text));
        return GgufValue(text);
      }
      case kArray: {
        GgufArray array;
        OCELLUS_RETURN_IF_ERROR(read_array(key, array, 1));
        return GgufValue(array);
      }
      default:
        return bad(
            fmt::format("{}: value type: expected 0 to {}, found {}", key, kGgufTypes - 1, type));
    }
  }

  Status read_text(std::string_view key, std::string_view& text) {
    if (!cursor_.read_text(text)) return short_at(key);
    if (text.size() <= kMaxGgufText) return {};
    return bad(fmt::format("{}: expected a text of at most {} bytes, found {}", key, kMaxGgufText,
                           text.size()));
  }

  Status read_array(std::string_view key, GgufArray& array, int depth) {
    if (depth > kMaxNesting)
      return bad(fmt::format("{}: nested arrays: expected at most {} levels", key, kMaxNesting));
    if (!cursor_.read(array.type) || !cursor_.read(array.count)) return short_at(key);
    if (array.type >= kGgufTypes)
      return bad(fmt::format("{}: element type: expected 0 to {}, found {}", key, kGgufTypes - 1,
                             array.type));
    const GgufType type{array.type};
    const std::size_t begin = cursor_.at();
    if (type == kString || type == kArray) {
      const std::size_t least = type == kString ? 8 : 12;
      if (array.count > cursor_.left() / least) return short_at(key);
      for (std::uint64_t i = 0; i < array.count; ++i) {
        std::string_view text;
        GgufArray inner;
        if (type == kString) OCELLUS_RETURN_IF_ERROR(read_text(key, text));
        if (type == kArray) OCELLUS_RETURN_IF_ERROR(read_array(key, inner, depth + 1));
      }
    } else if (!cursor_.skip(array.count, gguf_type_bytes(type))) {
      return short_at(key);
    }
    array.data = cursor_.since(begin);
    return {};
  }

  Status read_alignment() {
    OCELLUS_ASSIGN_OR_RETURN(const std::int64_t given,
                             file_.integer_or("general.alignment", kGgufAlignment, 1, 65'536));
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
    if (t.name.empty() || t.name.size() > kMaxGgufTensorName || !base::is_valid_utf8(t.name)) {
      return bad(fmt::format("tensor {}: its name: expected UTF-8 of 1 to {} bytes, found {}",
                             number, kMaxGgufTensorName, t.name.size()));
    }
    if (rank < 1 || rank > 4)
      return bad(fmt::format("tensor {}: expected 1 to 4 dimensions, found {}", t.name, rank));
    std::int64_t sizes[4] = {};
    std::size_t elements = 1;
    for (std::uint32_t i = 0; i < rank; ++i) {
      std::uint64_t size = 0;
      if (!cursor_.read(size)) return short_at(fmt::format("tensor {}", t.name));
      const auto product = base::checked_mul(elements, static_cast<std::size_t>(size));
      if (size == 0 || size > (std::uint64_t{1} << 62) || !product)
        return bad(fmt::format("tensor {}: dimension {}: invalid size {}", t.name, i, size));
      elements = *product;
      sizes[rank - 1 - i] = static_cast<std::int64_t>(size);  // the file has the innermost first
    }
    t.shape = *tensor::Shape::from(std::span(sizes, rank));
    if (!cursor_.read(t.number) || !cursor_.read(t.offset))
      return short_at(fmt::format("tensor {}", t.name));
    const GgufTensorType* const type = find_gguf_tensor_type(t.number);
    if (type == nullptr) {
      return make_error(ErrorCode::kUnsupported, "{}: tensor {}: unknown type {}", file_.file_,
                        t.name, t.number);
    }
    t.type = type;
    if (static_cast<std::size_t>(sizes[rank - 1]) % type->block_values != 0) {
      return bad(fmt::format("tensor {}: {}: expected rows of a multiple of {} values, found {}",
                             t.name, type->name, type->block_values, sizes[rank - 1]));
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
        return bad(
            fmt::format("tensor {}: offset: expected {}, found {}", t.name, expected, t.offset));
      }
      if (begin > bytes_.size() || t.offset > bytes_.size() - begin ||
          t.bytes > bytes_.size() - begin - t.offset) {
        return short_at(fmt::format("tensor {}", t.name));
      }
      const auto data = bytes_.subspan(static_cast<std::size_t>(begin + t.offset), t.bytes);
      if (!file_.tensors_
               .emplace(std::string(t.name), GgufTensor{std::string(t.type->name), t.shape, data})
               .second)
        return bad(fmt::format("duplicate tensor '{}'", t.name));
      expected = t.offset + t.bytes + pad(t.bytes);
    }
    return {};
  }

  std::span<const std::byte> bytes_;
  GgufCursor cursor_;
  std::uint64_t tensor_count_ = 0, alignment_ = kGgufAlignment;
  GgufFile file_;
};

Result<GgufMetadata> GgufMetadata::parse(std::span<const std::byte> section,
                                         std::string_view file) {
  return GgufReader(section, file).run_metadata();
}

Result<GgufFile> GgufFile::parse(std::span<const std::byte> bytes, std::string_view file) {
  return GgufReader(bytes, file).run();
}

}  // namespace ocellus::formats
