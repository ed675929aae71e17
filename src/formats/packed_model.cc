#include "formats/packed_model.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "base/checked.h"
#include "base/result.h"
#include "formats/safetensors.h"

namespace ocellus::formats {
namespace {

using base::make_error;

constexpr std::size_t kFileBytesAt = 16, kDirectoryAt = 24, kDirectoryDigestAt = 32,
                      kHeaderDigestAt = 64, kHeaderEnd = 96;
constexpr std::size_t kMaxLayoutName = 128;

template <typename T>
T load(std::span<const std::byte> bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

bool digest_is(std::span<const std::byte> bytes, std::span<const std::byte> stored) {
  const base::Sha256 digest = base::sha256(bytes);
  return std::ranges::equal(std::as_bytes(std::span(digest)), stored);
}

// Names are shown on terminals and looked up.
bool is_plain(std::string_view name) {
  return !name.empty() && name.size() <= kMaxTensorName &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; });
}

// Walks the directory. The first step that goes wrong is kept; every later one then does nothing.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, std::string_view file) : left_(bytes), file_(file) {}

  bool ok() const { return error_.empty(); }
  std::unexpected<Error> error() const {
    return make_error(ErrorCode::kBadModel, "{}: {}", file_, error_);
  }
  void fail(std::string message) {
    if (ok()) error_ = std::move(message);
  }

  std::span<const std::byte> take(std::uint64_t bytes, std::string_view what) {
    if (!ok()) return {};
    if (bytes > left_.size()) {
      fail(fmt::format("directory: {}: expected {} bytes, found {}", what, bytes, left_.size()));
      return {};
    }
    const auto taken = left_.first(static_cast<std::size_t>(bytes));
    left_ = left_.subspan(taken.size());
    return taken;
  }
  template <typename T>
  T number(std::string_view what) {
    const auto bytes = take(sizeof(T), what);
    return bytes.empty() ? T{} : load<T>(bytes, 0);
  }
  bool flag(std::string_view what) {
    const auto value = number<std::uint8_t>(what);
    if (value > 1) fail(fmt::format("directory: {}: expected 0 or 1, found {}", what, value));
    return value == 1;
  }
  std::string_view text(std::string_view what, std::uint64_t length) {
    const auto bytes = take(length, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string name(std::string_view what) {
    const auto found = text(what, number<std::uint32_t>(what));
    if (ok() && !is_plain(found))
      fail(fmt::format("directory: {}: expected a name of at most {} printable ASCII characters",
                       what, kMaxTensorName));
    return std::string(found);
  }
  std::uint32_t count(std::string_view what, std::size_t max) {
    const auto found = number<std::uint32_t>(what);
    if (found <= max) return found;
    fail(fmt::format("directory: {}: expected at most {}, found {}", what, max, found));
    return 0;
  }
  std::int64_t size(std::string_view what) {
    const auto found = number<std::uint64_t>(what);
    if (const auto size = base::checked_cast<std::int64_t>(found)) return *size;
    fail(fmt::format("directory: {}: expected less than 2^63, found {}", what, found));
    return 0;
  }
  tensor::Shape shape(std::string_view of) {
    const auto rank = number<std::uint8_t>(of);
    std::vector<std::int64_t> dims;
    for (int i = 0; ok() && i < rank; ++i) dims.push_back(size(of));
    const auto shape = tensor::Shape::from(dims);
    if (!shape || !shape->elements()) {
      fail(fmt::format("directory: {}: invalid shape", of));
      return {};
    }
    return *shape;
  }
  base::Sha256 checksum(std::string_view of) {
    base::Sha256 digest{};
    const auto bytes = take(digest.size(), of);
    if (!bytes.empty()) std::memcpy(digest.data(), bytes.data(), bytes.size());
    return digest;
  }
  void end() {
    if (!left_.empty()) fail(fmt::format("directory: {} bytes after its last entry", left_.size()));
  }

 private:
  std::span<const std::byte> left_;
  std::string_view file_;
  std::string error_;
};

void read_texts(Reader& reader, PackedDirectory& directory) {
  std::set<std::string, std::less<>> names;
  const std::uint32_t count = reader.count("texts", kMaxPackedTexts);
  for (std::uint32_t i = 0; reader.ok() && i < count; ++i) {
    PackedText text{.name = reader.name("a text's name"), .content = {}};
    text.content = reader.text(text.name, reader.number<std::uint64_t>(text.name));
    if (!names.insert(text.name).second)
      reader.fail(fmt::format("directory: duplicate text '{}'", text.name));
    directory.texts.push_back(std::move(text));
  }
}

void read_vectors(Reader& reader, PackedDirectory& directory,
                  std::set<std::string, std::less<>>& names) {
  const std::uint32_t count = reader.count("vectors", kMaxTensors);
  for (std::uint32_t i = 0; reader.ok() && i < count; ++i) {
    PackedVector vector{.name = reader.name("a vector's name"), .shape = {}, .values = {}};
    vector.shape = reader.shape(vector.name);
    const auto bytes = base::checked_mul<std::uint64_t>(
        static_cast<std::uint64_t>(vector.shape.elements().value_or(0)), sizeof(float));
    if (!bytes) reader.fail(fmt::format("directory: {}: too large", vector.name));
    vector.values = reader.take(bytes.value_or(0), vector.name);
    if (!names.insert(vector.name).second)
      reader.fail(fmt::format("directory: duplicate tensor '{}'", vector.name));
    directory.vectors.push_back(std::move(vector));
  }
}

PackedMatrix read_matrix(Reader& reader) {
  PackedMatrix matrix{.name = reader.name("a matrix's name"), .shape = {}};
  matrix.shape = reader.shape(matrix.name);
  const std::string type = reader.name(matrix.name);
  const auto dtype = tensor::find_dtype(type);
  if (!dtype) reader.fail(fmt::format("directory: {}: unknown type {}", matrix.name, type));
  matrix.dtype = dtype.value_or(tensor::DType::kF32);
  matrix.multiplied_as_bf16 = reader.flag(matrix.name);
  matrix.out = reader.size(matrix.name);
  matrix.in = reader.size(matrix.name);
  matrix.offset = reader.number<std::uint64_t>(matrix.name);
  matrix.bytes = reader.number<std::uint64_t>(matrix.name);
  matrix.checksum = reader.checksum(matrix.name);
  if (base::checked_mul(matrix.out, matrix.in) != matrix.shape.elements()) {
    reader.fail(
        fmt::format("directory: {}: expected as many values as tensor {} has, found {} x {}",
                    matrix.name, matrix.shape.to_string(), matrix.out, matrix.in));
  }
  return matrix;
}

void read_matrices(Reader& reader, std::uint64_t directory_offset, PackedDirectory& directory,
                   std::set<std::string, std::less<>>& names) {
  std::uint64_t place = kPackedPage;
  const std::uint32_t count = reader.count("matrices", kMaxTensors);
  for (std::uint32_t i = 0; reader.ok() && i < count; ++i) {
    PackedMatrix matrix = read_matrix(reader);
    if (!reader.ok()) return;
    if (matrix.offset != place || matrix.bytes > directory_offset - place) {
      return reader.fail(
          fmt::format("directory: {}: expected bytes from {} to at most {}, found {} bytes at {}",
                      matrix.name, place, directory_offset, matrix.bytes, matrix.offset));
    }
    // directory_offset is a multiple of the page: this stays at or below it.
    place = packed_page_end(place + matrix.bytes);
    if (!names.insert(matrix.name).second)
      reader.fail(fmt::format("directory: duplicate tensor '{}'", matrix.name));
    directory.matrices.push_back(std::move(matrix));
  }
  if (place != directory_offset) {
    reader.fail(fmt::format("directory: end of its matrices: expected {}, found {}",
                            directory_offset, place));
  }
}

// The offset of the directory.
Result<std::uint64_t> check_header(std::span<const std::byte> bytes, std::string_view file) {
  if (!begins_like_packed_model(bytes)) {
    return make_error(ErrorCode::kBadModel, "{}: expected a packed model, which begins with {}",
                      file, kPackedMagic);
  }
  if (bytes.size() < kPackedPage) {
    return make_error(ErrorCode::kBadModel,
                      "{}: expected a header of {} bytes, found {}: cut short?", file, kPackedPage,
                      bytes.size());
  }
  if (const auto version = load<std::uint32_t>(bytes, kPackedMagic.size());
      version != kPackedVersion) {
    return make_error(ErrorCode::kUnsupported,
                      "{}: version of a packed model: expected {}, found {}: pack its source again",
                      file, kPackedVersion, version);
  }
  const auto rest = bytes.subspan(kHeaderEnd, kPackedPage - kHeaderEnd);
  if (!digest_is(bytes.first(kHeaderDigestAt),
                 bytes.subspan(kHeaderDigestAt, kHeaderEnd - kHeaderDigestAt)) ||
      std::ranges::any_of(rest, [](std::byte b) { return b != std::byte{0}; })) {
    return make_error(ErrorCode::kBadModel, "{}: its header is damaged: pack the model again",
                      file);
  }
  const auto size = load<std::uint64_t>(bytes, kFileBytesAt),
             directory = load<std::uint64_t>(bytes, kDirectoryAt);
  if (size != bytes.size()) {
    return make_error(ErrorCode::kBadModel, "{}: expected {} bytes, found {}", file, size,
                      bytes.size());
  }
  if (directory < kPackedPage || directory > size || directory % kPackedPage != 0 ||
      size - directory > kMaxPackedDirectory) {
    return make_error(
        ErrorCode::kBadModel,
        "{}: offset of the directory: expected a multiple of {} inside {} bytes, found {}", file,
        kPackedPage, size, directory);
  }
  return directory;
}

void put(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
  const std::size_t size = to.size();
  to.resize(size + bytes.size());
  std::ranges::copy(bytes, to.begin() + static_cast<std::ptrdiff_t>(size));
}

template <typename T>
void put_number(std::vector<std::byte>& to, T value) {
  put(to, std::as_bytes(std::span(&value, 1)));
}

void put_text(std::vector<std::byte>& to, std::string_view text) {
  put_number(to, static_cast<std::uint32_t>(text.size()));
  put(to, std::as_bytes(std::span(text)));
}

void put_shape(std::vector<std::byte>& to, const tensor::Shape& shape) {
  put_number(to, static_cast<std::uint8_t>(shape.rank()));
  for (const std::int64_t size : shape.dims()) put_number(to, static_cast<std::uint64_t>(size));
}

}  // namespace

bool begins_like_packed_model(std::span<const std::byte> bytes) {
  return bytes.size() >= kPackedMagic.size() &&
         std::memcmp(bytes.data(), kPackedMagic.data(), kPackedMagic.size()) == 0;
}

Result<PackedDirectory> parse_packed_model(std::span<const std::byte> bytes,
                                           std::string_view file) {
  OCELLUS_ASSIGN_OR_RETURN(const std::uint64_t offset, check_header(bytes, file));
  const auto content = bytes.subspan(static_cast<std::size_t>(offset));
  if (!digest_is(content, bytes.subspan(kDirectoryDigestAt, kHeaderDigestAt - kDirectoryDigestAt)))
    return make_error(ErrorCode::kBadModel, "{}: its directory is damaged: pack the model again",
                      file);
  Reader reader(content, file);
  PackedDirectory directory;
  directory.layout = reader.text("layout", reader.count("bytes of layout", kMaxLayoutName));
  directory.language_reduced = reader.flag("the language model's arithmetic");
  directory.tower_reduced = reader.flag("the tower's arithmetic");
  read_texts(reader, directory);
  std::set<std::string, std::less<>> names;
  read_vectors(reader, directory, names);
  read_matrices(reader, offset, directory, names);
  reader.end();
  if (!reader.ok()) return reader.error();
  return directory;
}

std::vector<std::byte> packed_directory_bytes(const PackedDirectory& directory) {
  std::vector<std::byte> to;
  put_text(to, directory.layout);
  put_number(to, static_cast<std::uint8_t>(directory.language_reduced));
  put_number(to, static_cast<std::uint8_t>(directory.tower_reduced));
  put_number(to, static_cast<std::uint32_t>(directory.texts.size()));
  for (const PackedText& text : directory.texts) {
    put_text(to, text.name);
    put_number(to, std::uint64_t{text.content.size()});
    put(to, std::as_bytes(std::span(text.content)));
  }
  put_number(to, static_cast<std::uint32_t>(directory.vectors.size()));
  for (const PackedVector& vector : directory.vectors) {
    put_text(to, vector.name);
    put_shape(to, vector.shape);
    put(to, vector.values);
  }
  put_number(to, static_cast<std::uint32_t>(directory.matrices.size()));
  for (const PackedMatrix& matrix : directory.matrices) {
    put_text(to, matrix.name);
    put_shape(to, matrix.shape);
    put_text(to, tensor::dtype_name(matrix.dtype));
    put_number(to, static_cast<std::uint8_t>(matrix.multiplied_as_bf16));
    put_number(to, static_cast<std::uint64_t>(matrix.out));
    put_number(to, static_cast<std::uint64_t>(matrix.in));
    put_number(to, matrix.offset);
    put_number(to, matrix.bytes);
    put(to, std::as_bytes(std::span(matrix.checksum)));
  }
  return to;
}

std::vector<std::byte> packed_header_bytes(std::uint64_t directory_offset,
                                           std::span<const std::byte> directory) {
  std::vector<std::byte> to;
  put(to, std::as_bytes(std::span(kPackedMagic)));
  put_number(to, kPackedVersion);
  put_number(to, std::uint32_t{0});
  put_number(to, directory_offset + directory.size());
  put_number(to, directory_offset);
  const base::Sha256 content = base::sha256(directory);
  put(to, std::as_bytes(std::span(content)));
  const base::Sha256 header = base::sha256(to);
  put(to, std::as_bytes(std::span(header)));
  to.resize(kPackedPage);
  return to;
}

}  // namespace ocellus::formats
