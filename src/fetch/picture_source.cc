#include "fetch/picture_source.h"

#include "base/log.h"
#include "base/mapped_file.h"
#include "base/result.h"
#include "fetch/http_client.h"
#include "runtime/blocking.h"

namespace ocellus::fetch {
namespace {

using PictureBytes = std::vector<std::byte>;

Result<PictureBytes> read(const std::filesystem::path& path, std::size_t max_bytes) {
  auto content = base::read_file(path, max_bytes);
  if (!content) {
    // Too large, or not a file: a bad picture, as far as who asked is concerned.
    Error error = std::move(content).error();
    if (error.code == ErrorCode::kInvalidArgument) error.code = ErrorCode::kBadImage;
    return std::unexpected(std::move(error));
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(content->data());
  return PictureBytes(bytes, bytes + content->size());
}

bool is_data_url(std::string_view url) {
  return url.size() > 5 &&
         (url.starts_with("data:") || url.starts_with("DATA:") || url.starts_with("Data:"));
}

// What a user is told of a failed download says neither address nor port: it would be a map of the
// network. The log has it all.
Error for_the_user(const Error& cause) {
  base::log(base::LogLevel::kWarning, "image URL: " + cause.message);
  if (cause.code == ErrorCode::kForbidden) return {ErrorCode::kForbidden, "image URL refused"};
  if (cause.code == ErrorCode::kFetchFailed)
    return {ErrorCode::kFetchFailed, "image URL could not be fetched"};
  return cause;
}

boost::asio::awaitable<Result<PictureBytes>> download(runtime::Runtime& runtime, std::string text,
                                                      Options options) {
  if (!options.allow_urls)
    co_return base::make_error(ErrorCode::kForbidden, "image URLs are switched off");
  auto policy = AddressPolicy::parse(options.allow_hosts);
  if (!policy) co_return std::unexpected(policy.error());
  auto url = parse_http_url(text);
  if (!url) co_return std::unexpected(for_the_user(url.error()));
  HttpLimits limits;
  limits.max_bytes = options.max_bytes;
  auto bytes =
      co_await async_get(runtime, *std::move(url), *std::move(policy), limits, options.ca_file);
  if (!bytes) co_return std::unexpected(for_the_user(bytes.error()));
  co_return std::move(*bytes);
}

}  // namespace

boost::asio::awaitable<Result<PictureBytes>> async_load(runtime::Runtime& runtime, Source source,
                                                        Options options) {
  if (auto* bytes = std::get_if<Bytes>(&source)) {
    if (bytes->bytes.size() > options.max_bytes) {
      co_return base::make_error(ErrorCode::kBadImage, "picture: {} bytes, expected at most {}",
                                 bytes->bytes.size(), options.max_bytes);
    }
    co_return std::move(bytes->bytes);
  }
  if (auto* path = std::get_if<Path>(&source)) {
    // A named local: GCC 12 destroys a temporary with captures twice when it stands in a co_await.
    std::function<Result<PictureBytes>()> job =
        [path = std::move(path->path), max = options.max_bytes] { return read(path, max); };
    co_return co_await runtime::run_blocking<PictureBytes>(runtime.file_pool(), std::move(job));
  }
  const std::string& url = std::get<Url>(source).url;
  if (is_data_url(url)) co_return decode_data_url(url, options.max_bytes);
  co_return co_await download(runtime, url, options);
}

}  // namespace ocellus::fetch
