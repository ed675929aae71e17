// Names to addresses: an interface, so that tests can give their own answers.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/address.hpp>
#include <memory>
#include <string>
#include <vector>

#include "ocellus/error.h"
#include "runtime/deadline.h"
#include "runtime/runtime.h"

namespace ocellus::fetch {

// Any thread; must outlive the lookups, which hold it by shared_ptr.
class Resolver {
 public:
  virtual ~Resolver() = default;
  // All A and AAAA answers; kFetchFailed when there are none.
  virtual boost::asio::awaitable<Result<std::vector<boost::asio::ip::address>>> async_resolve(
      std::string host, runtime::Deadline deadline) = 0;
};

// The system's (getaddrinfo), on the runtime's threads for lookups.
std::shared_ptr<Resolver> make_system_resolver(runtime::Runtime& runtime);

}  // namespace ocellus::fetch
