#include "fetch/resolver.h"

#include <netdb.h>

#include <cstring>

#include "base/result.h"
#include "runtime/blocking.h"

namespace ocellus::fetch {
namespace {

namespace ip = boost::asio::ip;
using Addresses = std::vector<ip::address>;

Result<Addresses> resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list); error != 0) {
    return base::make_error(ErrorCode::kFetchFailed, "{}: {}", host, ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(list, &::freeaddrinfo);
  Addresses addresses;
  for (const addrinfo* it = list; it != nullptr; it = it->ai_next) {
    if (it->ai_family == AF_INET) {
      sockaddr_in in;
      std::memcpy(&in, it->ai_addr, sizeof in);
      addresses.emplace_back(ip::address_v4(ntohl(in.sin_addr.s_addr)));
    } else if (it->ai_family == AF_INET6) {
      sockaddr_in6 in;
      std::memcpy(&in, it->ai_addr, sizeof in);
      ip::address_v6::bytes_type bytes;
      std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
      addresses.emplace_back(ip::address_v6(bytes, in.sin6_scope_id));
    }
  }
  if (addresses.empty()) return base::make_error(ErrorCode::kFetchFailed, "{}: no address", host);
  return addresses;
}

class SystemResolver final : public Resolver {
 public:
  explicit SystemResolver(runtime::Runtime& runtime) : runtime_(runtime) {}
  boost::asio::awaitable<Result<Addresses>> async_resolve(std::string host,
                                                          runtime::Deadline deadline) override {
    std::function<Result<Addresses>()> job = [host = std::move(host)] { return resolve(host); };
    co_return co_await runtime::run_blocking<Addresses>(runtime_.lookup_pool(), std::move(job),
                                                        deadline);
  }

 private:
  runtime::Runtime& runtime_;
};

}  // namespace

std::shared_ptr<Resolver> make_system_resolver(runtime::Runtime& runtime) {
  return std::make_shared<SystemResolver>(runtime);
}

}  // namespace ocellus::fetch
