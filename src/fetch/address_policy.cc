#include "fetch/address_policy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/result.h"

namespace ocellus::fetch {
namespace {

namespace ip = boost::asio::ip;

struct V4Range {
  std::uint32_t network;
  int prefix;
};

constexpr std::uint32_t v4(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return a << 24 | b << 16 | c << 8 | d;
}

// IANA IPv4 special-purpose registry, multicast, reserved, and one cloud host address that looks
// public.
constexpr std::array kRefusedV4 = {
    V4Range{v4(0, 0, 0, 0), 8},        V4Range{v4(10, 0, 0, 0), 8},
    V4Range{v4(100, 64, 0, 0), 10},    V4Range{v4(127, 0, 0, 0), 8},
    V4Range{v4(169, 254, 0, 0), 16},   V4Range{v4(172, 16, 0, 0), 12},
    V4Range{v4(192, 0, 0, 0), 24},     V4Range{v4(192, 0, 2, 0), 24},
    V4Range{v4(192, 31, 196, 0), 24},  V4Range{v4(192, 52, 193, 0), 24},
    V4Range{v4(192, 88, 99, 0), 24},   V4Range{v4(192, 168, 0, 0), 16},
    V4Range{v4(192, 175, 48, 0), 24},  V4Range{v4(198, 18, 0, 0), 15},
    V4Range{v4(198, 51, 100, 0), 24},  V4Range{v4(203, 0, 113, 0), 24},
    V4Range{v4(224, 0, 0, 0), 4},      V4Range{v4(240, 0, 0, 0), 4},
    V4Range{v4(168, 63, 129, 16), 32},
};

struct V6Range {
  std::array<unsigned char, 6> head;  // the longest prefix below has 48 bits
  int prefix;
};

// Refused within 2000::/3, outside which everything is refused.
constexpr std::array kRefusedV6 = {
    V6Range{{0x20, 0x01, 0x00}, 23},                    // Teredo, benchmarking, ORCHID, DRIP
    V6Range{{0x20, 0x01, 0x0d, 0xb8}, 32},              // documentation
    V6Range{{0x20, 0x02}, 16},                          // 6to4
    V6Range{{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48},  // AS112
    V6Range{{0x3f, 0xff, 0x00}, 20},                    // documentation
};

template <typename A, typename B>
bool same_prefix(const A& a, const B& b, int prefix) {
  for (int i = 0; i < prefix; i += 8) {
    const auto index = static_cast<std::size_t>(i / 8);
    const int bits = std::min(8, prefix - i);
    const auto mask = static_cast<unsigned char>(0xff << (8 - bits));
    if ((a[index] & mask) != (b[index] & mask)) return false;
  }
  return true;
}

ip::address_v6::bytes_type to_bits(const ip::address& address) {
  return address.is_v6() ? address.to_v6().to_bytes()
                         : ip::make_address_v6(ip::v4_mapped, address.to_v4()).to_bytes();
}

bool is_or_ends_with(std::string_view host, std::string_view name) {
  return host == name || (host.size() > name.size() && host.ends_with(name) &&
                          host[host.size() - name.size() - 1] == '.');
}

std::string cure(const HttpUrl& url) {
  return fmt::format("--allow-host {} (allow_hosts) lets pictures come from there",
                     url.authority());
}

}  // namespace

bool is_public_address(const ip::address& address) {
  if (address.is_v4()) {
    const std::uint32_t value = address.to_v4().to_uint();
    return std::ranges::none_of(kRefusedV4, [&](const V4Range& range) {
      const std::uint32_t mask = ~std::uint32_t{0} << (32 - range.prefix);
      return (value & mask) == range.network;
    });
  }
  const auto v6 = address.to_v6();
  if (v6.scope_id() != 0) return false;
  const auto bytes = v6.to_bytes();
  if ((bytes[0] & 0xe0) != 0x20) return false;
  return std::ranges::none_of(kRefusedV6, [&](const V6Range& range) {
    return same_prefix(bytes, range.head, range.prefix);
  });
}

Result<AddressPolicy> AddressPolicy::make(const std::vector<std::string>& allow) {
  AddressPolicy policy;
  for (const std::string& entry : allow) {
    const auto bad = [&] {
      return base::make_error(ErrorCode::kInvalidArgument,
                              "allow_hosts: expected HOST, HOST:PORT or CIDR, found \"{}\"", entry);
    };
    boost::system::error_code ec;
    if (const auto slash = entry.find('/'); slash != std::string::npos) {
      const auto address = ip::make_address(entry.substr(0, slash), ec);
      if (ec) return bad();
      const int most = address.is_v4() ? 32 : 128;
      int prefix = -1;
      const char* const end = entry.data() + entry.size();
      const auto parsed = std::from_chars(entry.data() + slash + 1, end, prefix);
      if (parsed.ec != std::errc() || parsed.ptr != end || prefix < 0 || prefix > most)
        return bad();
      policy.networks_.push_back({to_bits(address), prefix + (128 - most)});
      continue;
    }
    // An address without brackets is IPv6 when it has more than one colon.
    const bool bare_v6 = std::ranges::count(entry, ':') > 1 && entry.front() != '[';
    const std::string host = bare_v6 ? fmt::format("[{}]", entry) : entry;
    const auto url = parse_http_url(fmt::format("http://{}", host));
    if (!url || url->target != "/" || entry.find_first_of("?#@") != std::string::npos) return bad();
    const auto bracket = host.rfind(']');
    const auto colon = host.find(':', bracket == std::string::npos ? 0 : bracket);
    const bool port_given = colon != std::string::npos;
    policy.hosts_.push_back({url->host, port_given ? url->port : std::uint16_t{0}});
  }
  return policy;
}

bool AddressPolicy::allowed_host(const HttpUrl& url) const {
  return std::ranges::any_of(hosts_, [&](const Host& entry) {
    return entry.host == url.host && (entry.port == 0 || entry.port == url.port);
  });
}

bool AddressPolicy::allowed_network(const ip::address& address) const {
  const auto bits = to_bits(address);
  return std::ranges::any_of(networks_, [&](const Network& network) {
    return same_prefix(bits, network.bits, network.prefix);
  });
}

Status AddressPolicy::check_url(const HttpUrl& url) const {
  if (allowed_host(url)) return {};
  boost::system::error_code ec;
  const auto address = ip::make_address(url.host, ec);
  if (!ec) return check_address(url, address);
  // A name may still lead into an allowed network: its port is judged with the address.
  for (const std::string_view name :
       {"localhost", "local", "internal", "localdomain", "home.arpa"}) {
    if (is_or_ends_with(url.host, name)) {
      return base::make_error(ErrorCode::kForbidden,
                              "{}: expected a public name, found a local one: {}", url.host,
                              cure(url));
    }
  }
  return {};
}

Status AddressPolicy::check_address(const HttpUrl& url, const ip::address& address) const {
  if (allowed_host(url) || allowed_network(address)) return {};
  if (url.port != 80 && url.port != 443) {
    return base::make_error(ErrorCode::kForbidden, "{}: port: expected 80 or 443, found {}: {}",
                            url.host, url.port, cure(url));
  }
  if (!is_public_address(address)) {
    return base::make_error(ErrorCode::kForbidden, "{}: expected a public address, found {}: {}",
                            url.host, address.to_string(), cure(url));
  }
  return {};
}

}  // namespace ocellus::fetch
