// Which addresses a picture may be fetched from. By default only public ones: a user's URL must not
// reach the private network.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ocellus/error.h"

namespace ocellus::fetch {

// Immutable after parsing; any thread.
class AddressPolicy {
 public:
  // Exceptions: "HOST[:PORT]", "ADDRESS[:PORT]" ("[v6]:PORT") or "CIDR". kInvalidArgument naming
  // the entry.
  static Result<AddressPolicy> parse(const std::vector<std::string>& allow_hosts);

  // Whether a connection to `address`, which `host` stands for, may be made. Public addresses may
  // on ports 80 and 443.
  bool allows(std::string_view host, const boost::asio::ip::address& address,
              std::uint16_t port) const;
  // Whether somebody named this host and port: then even a name that looks private may be resolved.
  bool names(std::string_view host, std::uint16_t port) const;

 private:
  struct Network {
    boost::asio::ip::address address;
    int prefix = 0;
    std::uint16_t port = 0;  // 0: any
  };
  struct Host {
    std::string name;
    std::uint16_t port = 0;
  };
  std::vector<Network> networks_;
  std::vector<Host> hosts_;
};

// Whether the address is one of the open Internet: in none of IANA's special-purpose registries,
// and no cloud's metadata service. IPv6 forms that embed IPv4 are refused whatever they embed.
bool is_public(const boost::asio::ip::address& address);

}  // namespace ocellus::fetch
