// Which addresses a picture may be fetched from.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/url.h"
#include "ocellus/error.h"

namespace ocellus::fetch {

// By default only public addresses, by the IANA special-purpose registries: everything private,
// local, reserved, used for documentation, or that embeds another address is refused, and so are
// the well-known metadata services. Ports: 80 and 443. Immutable once made; any thread.
class AddressPolicy {
 public:
  AddressPolicy() = default;

  // Exceptions: "HOST", "HOST:PORT", "ADDRESS", "[IPV6]:PORT" or "CIDR". A host without port allows
  // every port of it; a host or CIDR allows whatever address it says. kInvalidArgument names the
  // entry.
  static Result<AddressPolicy> make(const std::vector<std::string>& allow);

  // Before the lookup: names that never lead to the public, ports. kForbidden, for the log.
  Status check_url(const HttpUrl& url) const;
  // After it, for every answer. kForbidden.
  Status check_address(const HttpUrl& url, const boost::asio::ip::address& address) const;

 private:
  struct Host {
    std::string host;
    std::uint16_t port;  // 0: any
  };
  struct Network {
    boost::asio::ip::address_v6::bytes_type bits;  // IPv4 as mapped
    int prefix;                                    // of 128
  };
  bool allowed_host(const HttpUrl& url) const;
  bool allowed_network(const boost::asio::ip::address& address) const;

  std::vector<Host> hosts_;
  std::vector<Network> networks_;
};

// Whether an address belongs to the public internet by the rules above.
bool is_public_address(const boost::asio::ip::address& address);

}  // namespace ocellus::fetch
