#include "formats/gguf_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <ranges>

#include "base/checked.h"
#include "base/result.h"
#include "base/utf8.h"
#include "formats/gguf_types.h"
#include "formats/safetensors.h"

namespace ocellus::formats {
namespace {

using enum GgufType;

static_assert(std::endian::native == std::endian::little, "values are written as they stand");

void append(std::vector<std::byte>& to, const void* from, std::size_t size) {
  const std::size_t end = to.size();
  to.resize(end + size);
  if (size > 0) std::memcpy(to.data() + end, from, size);
}

template <typename T>
void append_value(std::vector<std::byte>& to, T value) {
  append(to, &value, sizeof(value));
}

void append_text(std::vector<std::byte>& to, std::string_view text) {
  append_value(to, std::uint64_t{text.size()});
  append(to, text.data(), text.size());
}

constexpr std::uint64_t padding(std::uint64_t size) {
  return (kGgufAlignment - size % kGgufAlignment) % kGgufAlignment;
}

}  // namespace

void GgufWriter::fail(std::string message) {
  if (mistake_.empty()) mistake_ = std::move(message);
}

bool GgufWriter::begin_entry(std::string_view key, GgufType type) {
  if (key.empty() || key.size() > kMaxGgufKey || !base::is_valid_utf8(key)) {
    fail(fmt::format("a key: expected UTF-8 of 1 to {} bytes, found {}", kMaxGgufKey, key.size()));
  } else if (key == "general.alignment") {
    fail(fmt::format("{}: is the writer\'s to say: {}", key, kGgufAlignment));
  } else if (keys_.size() == kMaxGgufEntries) {
    fail(fmt::format("{}: expected at most {} metadata entries", key, kMaxGgufEntries));
  } else if (!keys_.emplace(key).second) {
    fail(fmt::format("duplicate metadata key '{}'", key));
  } else {
    append_text(metadata_, key);
    append_value(metadata_, type);
    return true;
  }
  return false;
}

void GgufWriter::begin_array(GgufType type, std::size_t count) {
  append_value(metadata_, type);
  append_value(metadata_, std::uint64_t{count});
}

void GgufWriter::put_u32(std::string_view key, std::uint32_t value) {
  if (begin_entry(key, kU32)) append_value(metadata_, value);
}
void GgufWriter::put_u64(std::string_view key, std::uint64_t value) {
  if (begin_entry(key, kU64)) append_value(metadata_, value);
}
void GgufWriter::put_i32(std::string_view key, std::int32_t value) {
  if (begin_entry(key, kI32)) append_value(metadata_, value);
}
void GgufWriter::put_f32(std::string_view key, float value) {
  if (begin_entry(key, kF32)) append_value(metadata_, value);
}
void GgufWriter::put_bool(std::string_view key, bool value) {
  if (begin_entry(key, kBool)) append_value(metadata_, static_cast<std::uint8_t>(value));
}

void GgufWriter::put_text(std::string_view key, std::string_view value) {
  if (value.size() > kMaxGgufText) {
    return fail(fmt::format("{}: expected a text of at most {} bytes, found {}", key, kMaxGgufText,
                            value.size()));
  }
  if (begin_entry(key, kString)) append_text(metadata_, value);
}

void GgufWriter::put_texts(std::string_view key, std::span<const std::string_view> values) {
  const auto longest = std::ranges::max_element(values, {}, &std::string_view::size);
  if (longest != values.end() && longest->size() > kMaxGgufText) {
    return fail(fmt::format("{}: expected a text of at most {} bytes, found {}", key, kMaxGgufText,
                            longest->size()));
  }
  if (!begin_entry(key, kArray)) return;
  begin_array(kString, values.size());
  for (const std::string_view value : values) append_text(metadata_, value);
}

void GgufWriter::put_i32s(std::string_view key, std::span<const std::int32_t> values) {
  if (!begin_entry(key, kArray)) return;
  begin_array(kI32, values.size());
  append(metadata_, values.data(), values.size_bytes());
}

void GgufWriter::put_f32s(std::string_view key, std::span<const float> values) {
  if (!begin_entry(key, kArray)) return;
  begin_array(kF32, values.size());
  append(metadata_, values.data(), values.size_bytes());
}

void GgufWriter::put_bools(std::string_view key, const std::vector<bool>& values) {
  if (!begin_entry(key, kArray)) return;
  begin_array(kBool, values.size());
  const std::vector<std::uint8_t> bytes(values.begin(), values.end());
  append(metadata_, bytes.data(), bytes.size());
}

void GgufWriter::put(const GgufEntry& entry) {
  if (entry.key == "general.alignment") return;
  if (begin_entry(entry.key, entry.type)) append(metadata_, entry.value.data(), entry.value.size());
}

void GgufWriter::add_tensor(std::string_view name, tensor::DType type, const tensor::Shape& shape) {
  if (name.empty() || name.size() > kMaxGgufTensorName || !base::is_valid_utf8(name)) {
    return fail(fmt::format("tensor {}: its name: expected UTF-8 of 1 to {} bytes, found {}",
                            tensors_.size(), kMaxGgufTensorName, name.size()));
  }
  const GgufTensorType* const known = find_gguf_tensor_type(type);
  if (known == nullptr) {
    return fail(fmt::format("tensor {}: GGUF has no type for {}", name, tensor::dtype_name(type)));
  }
  const auto dims = shape.dims();
  const auto elements = shape.elements();
  if (dims.empty() || dims.size() > 4 || std::ranges::find(dims, 0) != dims.end() || !elements) {
    return fail(fmt::format("tensor {}: expected 1 to 4 dimensions, none of them 0, found {}", name,
                            shape.to_string()));
  }
  if (static_cast<std::uint64_t>(dims.back()) % known->block_values != 0) {
    return fail(fmt::format("tensor {}: {}: expected rows of a multiple of {} values, found {}",
                            name, known->name, known->block_values, dims.back()));
  }
  const auto bytes = base::checked_mul<std::uint64_t>(
      static_cast<std::uint64_t>(*elements) / known->block_values, known->block_bytes);
  const auto end = bytes ? base::checked_add(*bytes, data_bytes_) : std::nullopt;
  if (!end || *end > (std::uint64_t{1} << 62) || tensors_.size() == kMaxTensors)
    return fail(fmt::format("tensor {}: too large for one file", name));
  if (!names_.emplace(name).second) return fail(fmt::format("duplicate tensor '{}'", name));
  append_text(directory_, name);
  append_value(directory_, static_cast<std::uint32_t>(dims.size()));
  for (const std::int64_t dim : std::views::reverse(dims)) append_value(directory_, dim);
  append_value(directory_, known->number);
  append_value(directory_, data_bytes_);
  tensors_.push_back({std::string(name), *bytes});
  data_bytes_ = *end + padding(*end);
}

std::vector<std::byte> GgufWriter::header() const {
  std::vector<std::byte> bytes;
  bytes.reserve(header_bytes());
  append_value(bytes, kGgufMagic);
  append_value(bytes, std::uint32_t{3});
  append_value(bytes, std::uint64_t{tensors_.size()});
  append_value(bytes, std::uint64_t{keys_.size()});
  append(bytes, metadata_.data(), metadata_.size());
  append(bytes, directory_.data(), directory_.size());
  bytes.resize(header_bytes());
  return bytes;
}

std::size_t GgufWriter::header_bytes() const {
  constexpr std::size_t kFixed = 4 + 4 + 8 + 8;
  const std::size_t size = kFixed + metadata_.size() + directory_.size();
  return size + padding(size);
}

std::uint64_t GgufWriter::file_bytes() const { return header_bytes() + data_bytes_; }

Status GgufWriter::write(const Sink& out, const Source& source) const {
  using base::make_error;
  if (!mistake_.empty()) return make_error(ErrorCode::kInvalidArgument, "{}", mistake_);
  OCELLUS_RETURN_IF_ERROR(out(header()));
  constexpr std::byte kZeros[kGgufAlignment] = {};
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const Tensor& tensor = tensors_[i];
    std::uint64_t given = 0;
    const auto wrong = [&](std::string_view found) {
      return make_error(ErrorCode::kInvalidArgument, "tensor {}: expected {} bytes, found {}",
                        tensor.name, tensor.bytes, found);
    };
    Status taken;  // kept: a source that passes over an error does not end well
    OCELLUS_RETURN_IF_ERROR(source(i, [&](std::span<const std::byte> bytes) -> Status {
      if (!taken || bytes.empty()) return taken;
      taken = bytes.size() > tensor.bytes - given ? Status(wrong("more")) : out(bytes);
      given += bytes.size();
      return taken;
    }));
    OCELLUS_RETURN_IF_ERROR(taken);
    if (given != tensor.bytes) return wrong(fmt::format("{}", given));
    if (const std::uint64_t pad = padding(given); pad != 0)
      OCELLUS_RETURN_IF_ERROR(out(std::span(kZeros, pad)));
  }
  return {};
}

}  // namespace ocellus::formats
