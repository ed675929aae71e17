#include "vision/fetching.h"

#include <algorithm>

#include "base/result.h"

namespace ocellus::vision {

fetch::ImageSource source_of(const Picture& picture) {
  const Picture::Source& source = picture.source();
  if (const auto* path = std::get_if<Picture::Path>(&source)) return path->path;
  if (const auto* url = std::get_if<Picture::Url>(&source)) return fetch::UrlSource{url->url};
  return std::get<Picture::Bytes>(source).bytes;
}

Result<fetch::Fetcher> make_fetcher(runtime::Runtime& runtime, const FetchPolicy& policy) {
  OCELLUS_ASSIGN_OR_RETURN(auto addresses, fetch::AddressPolicy::make(policy.allow_hosts));
  fetch::FetchLimits limits;
  limits.connect = policy.connect_timeout;
  limits.total = policy.download_timeout;
  limits.first_byte = std::max(limits.first_byte, policy.download_timeout / 3);
  return fetch::Fetcher::make(runtime, {.allow_urls = policy.allow_urls,
                                        .explain_errors = policy.explain_errors,
                                        .policy = std::move(addresses),
                                        .limits = limits});
}

}  // namespace ocellus::vision
