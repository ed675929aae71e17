#include "fetch/address_policy.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <charconv>
#include <optional>
#include <span>

#include "base/result.h"

namespace ocellus::fetch {
namespace {

namespace ip = boost::asio::ip;

struct Range4 {
  std::uint32_t base;
  int prefix;
};

constexpr std::uint32_t v4(int a, int b, int c, int d) {
  return static_cast<std::uint32_t>(a) << 24 | static_cast<std::uint32_t>(b) << 16 |
         static_cast<std::uint32_t>(c) << 8 | static_cast<std::uint32_t>(d);
}

// IANA's IPv4 special-purpose registry, multicast and reserved space, and Azure's host address,
// which looks public.
constexpr Range4 kRefused4[] = {
    {v4(0, 0, 0, 0), 8},        {v4(10, 0, 0, 0), 8},     {v4(100, 64, 0, 0), 10},
    {v4(127, 0, 0, 0), 8},      {v4(169, 254, 0, 0), 16}, {v4(172, 16, 0, 0), 12},
    {v4(192, 0, 0, 0), 24},     {v4(192, 0, 2, 0), 24},   {v4(192, 31, 196, 0), 24},
    {v4(192, 52, 193, 0), 24},  {v4(192, 88, 99, 0), 24}, {v4(192, 168, 0, 0), 16},
    {v4(192, 175, 48, 0), 24},  {v4(198, 18, 0, 0), 15},  {v4(198, 51, 100, 0), 24},
    {v4(203, 0, 113, 0), 24},   {v4(224, 0, 0, 0), 4},    {v4(240, 0, 0, 0), 4},
    {v4(168, 63, 129, 16), 32},
};

struct Range6 {
  std::array<std::uint8_t, 16> base;
  int prefix;
};

// Inside 2000::/3, the only space that is public: Teredo, benchmarking, ORCHID, documentation,
// 6to4, and others of IANA's list.
constexpr Range6 kRefused6[] = {
    {{0x20, 0x01, 0x00}, 23}, {{0x20, 0x01, 0x0d, 0xb8}, 32},
    {{0x20, 0x02}, 16},       {{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48},
    {{0x3f, 0xff, 0x00}, 20},
};

bool in_prefix(std::span<const std::uint8_t> address, std::span<const std::uint8_t> base,
               int prefix) {
  for (int bit = 0; bit < prefix; ++bit) {
    const int mask = 0x80 >> (bit % 8);
    if ((address[static_cast<std::size_t>(bit / 8)] & mask) !=
        (base[static_cast<std::size_t>(bit / 8)] & mask))
      return false;
  }
  return true;
}

bool in_network(const ip::address& address, const ip::address& base, int prefix) {
  if (address.is_v4() != base.is_v4()) return false;
  if (address.is_v4())
    return in_prefix(address.to_v4().to_bytes(), base.to_v4().to_bytes(), prefix);
  return in_prefix(address.to_v6().to_bytes(), base.to_v6().to_bytes(), prefix);
}

std::optional<int> number(std::string_view text, int max) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > max ||
      text.empty())
    return std::nullopt;
  return value;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

}  // namespace

bool is_public(const ip::address& address) {
  if (address.is_v4()) {
    const std::uint32_t value = address.to_v4().to_uint();
    return std::ranges::none_of(kRefused4, [&](const Range4& range) {
      const std::uint32_t mask = range.prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - range.prefix);
      return (value & mask) == range.base;
    });
  }
  const ip::address_v6 v6 = address.to_v6();
  if (v6.scope_id() != 0) return false;
  const auto bytes = v6.to_bytes();
  if ((bytes[0] & 0xE0) != 0x20) return false;
  return std::ranges::none_of(
      kRefused6, [&](const Range6& range) { return in_prefix(bytes, range.base, range.prefix); });
}

Result<AddressPolicy> AddressPolicy::parse(const std::vector<std::string>& allow_hosts) {
  AddressPolicy policy;
  for (const std::string& entry : allow_hosts) {
    const auto bad = [&] {
      return base::make_error(ErrorCode::kInvalidArgument,
                              "allowed host \"{}\": expected HOST[:PORT], ADDRESS[:PORT] or CIDR",
                              entry);
    };
    boost::system::error_code ec;
    if (const std::size_t slash = entry.find('/'); slash != std::string::npos) {
      const ip::address address = ip::make_address(entry.substr(0, slash), ec);
      const auto prefix =
          number(std::string_view(entry).substr(slash + 1), !ec && address.is_v4() ? 32 : 128);
      if (ec || !prefix) return bad();
      policy.networks_.push_back({address, *prefix, 0});
      continue;
    }
    std::string host = entry;
    int port = 0;
    const bool bare_v6 = std::ranges::count(entry, ':') > 1 && !entry.starts_with('[');
    if (const std::size_t colon = entry.rfind(':');
        colon != std::string::npos && !bare_v6 && entry.find(']', colon) == std::string::npos) {
      const auto parsed = number(std::string_view(entry).substr(colon + 1), 65535);
      if (!parsed || *parsed == 0) return bad();
      port = *parsed;
      host = entry.substr(0, colon);
    }
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    if (host.empty()) return bad();
    const ip::address address = ip::make_address(host, ec);
    if (!ec) {
      policy.networks_.push_back(
          {address, address.is_v4() ? 32 : 128, static_cast<std::uint16_t>(port)});
    } else {
      policy.hosts_.push_back({lower(host), static_cast<std::uint16_t>(port)});
    }
  }
  return policy;
}

bool AddressPolicy::names(std::string_view host, std::uint16_t port) const {
  return std::ranges::any_of(
      hosts_, [&](const Host& h) { return h.name == host && (h.port == 0 || h.port == port); });
}

bool AddressPolicy::allows(std::string_view host, const ip::address& address,
                           std::uint16_t port) const {
  if (names(host, port)) return true;
  if (std::ranges::any_of(networks_, [&](const Network& n) {
        return (n.port == 0 || n.port == port) && in_network(address, n.address, n.prefix);
      })) {
    return true;
  }
  return (port == 80 || port == 443) && is_public(address);
}

}  // namespace ocellus::fetch
