#include "fetch/url.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>
#include <charconv>

#include "base/result.h"

namespace ocellus::fetch {
namespace {

namespace urls = boost::urls;

std::unexpected<Error> refuse(std::string_view why) {
  return base::make_error(ErrorCode::kForbidden, "URL: {}", why);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Locale-free: a Turkish locale must not change what a host is.
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// A name whose last label is a number (decimal or hexadecimal) is an address: resolvers read
// "127.1", "2130706433" and "0x7f000001" as one.
bool ends_in_number(std::string_view name) {
  const auto dot = name.rfind('.');
  const std::string_view last = dot == std::string_view::npos ? name : name.substr(dot + 1);
  if (last.empty()) return false;
  if (std::ranges::all_of(last, is_digit)) return true;
  return last.size() >= 2 && last[0] == '0' && last[1] == 'x';
}

Status check_name(std::string_view name) {
  if (name.size() > 253) return refuse("host: longer than 253 bytes");
  std::size_t label = 0;
  char before = '.';
  for (const char c : name) {
    if (c == '.') {
      if (label == 0) return refuse("host: empty label");
      if (before == '-') return refuse("host: a label ends in a hyphen");
      label = 0;
    } else if ((c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_') {
      if (c == '-' && label == 0) return refuse("host: a label begins with a hyphen");
      if (++label > 63) return refuse("host: a label is longer than 63 bytes");
    } else {
      return refuse("host: expected letters, digits, hyphens, underscores and dots");
    }
    before = c;
  }
  if (label == 0) return refuse("host: ends in a dot");
  if (before == '-') return refuse("host: a label ends in a hyphen");
  if (ends_in_number(name))
    return refuse("host: a name that ends in a number is read as an address by resolvers");
  return {};
}

bool is_hex(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); }

// Path and query with everything percent-encoded that may not stand there. Escapes stay; a percent
// sign that begins none becomes one.
std::string escape_target(std::string_view text) {
  constexpr std::string_view kMarks = "-._~!$&'()*+,;=:@/?";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool letter = (lower(c) >= 'a' && lower(c) <= 'z') || is_digit(c);
    const bool escape =
        c == '%' && text.size() - i > 2 && is_hex(text[i + 1]) && is_hex(text[i + 2]);
    if (letter || escape || kMarks.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

// The URL or reference as browsers read it, without its fragment. What stands before the path must
// be plain already.
Result<std::string> escape_url(std::string_view text) {
  if (text.size() > kMaxUrlBytes)
    return refuse(fmt::format("expected at most {} bytes, found {}", kMaxUrlBytes, text.size()));
  const auto is_blank = [](char c) { return static_cast<unsigned char>(c) <= 0x20; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  std::string kept;
  for (const char c : text.substr(0, text.find('#')))
    if (c != '\t' && c != '\n' && c != '\r') kept += c;
  const std::string_view url = kept;
  // Where the path or query begins: after "scheme://host", or at once in a relative reference.
  const std::size_t colon = url.find(':');
  const bool has_scheme = colon != std::string_view::npos && colon < url.find_first_of("/?\\");
  std::size_t at = has_scheme ? colon + 1 : 0;
  if (url.substr(at).starts_with("//")) at = std::min(url.find_first_of("/?", at + 2), url.size());
  for (const char c : url.substr(0, at)) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f)
      return refuse("host: space or control character");
    if (static_cast<unsigned char>(c) >= 0x80)
      return refuse("host: expected ASCII (an international name begins with xn--)");
    if (c == '\\') return refuse("host: backslash");
  }
  // A backslash may begin the path of a relative reference: browsers read "\\host" as "//host".
  if (at == (has_scheme ? colon + 1 : 0) && url.substr(at).starts_with('\\'))
    return refuse("backslash");
  std::string out = std::string(url.substr(0, at)) + escape_target(url.substr(at));
  if (out.size() > kMaxUrlBytes)
    return refuse(fmt::format("expected at most {} bytes, found {}", kMaxUrlBytes, out.size()));
  return out;
}

Result<HttpUrl> from_view(const urls::url_view& view) {
  HttpUrl url;
  const auto scheme = view.scheme_id();
  if (scheme != urls::scheme::http && scheme != urls::scheme::https) {
    return refuse("scheme: expected http or https");
  }
  url.https = scheme == urls::scheme::https;
  if (!view.has_authority()) return refuse("host: missing");
  if (view.has_userinfo()) return refuse("user information");
  const std::string_view encoded(view.encoded_host().data(), view.encoded_host().size());
  if (encoded.find('%') != std::string_view::npos) return refuse("host: percent sign");
  url.host.resize(encoded.size());
  std::ranges::transform(encoded, url.host.begin(), lower);
  switch (view.host_type()) {
    case urls::host_type::ipv4: {
      // Boost.URL 1.81 takes "127.0.0.1." for an address too: only the canonical text may pass.
      boost::system::error_code ec;
      const auto address = boost::asio::ip::make_address_v4(url.host, ec);
      if (ec || address.to_string() != url.host)
        return refuse("host: expected an IPv4 address of four decimal numbers");
      break;
    }
    case urls::host_type::ipv6: {
      boost::system::error_code ec;
      const auto address =
          boost::asio::ip::make_address_v6(url.host.substr(1, url.host.size() - 2), ec);
      if (ec) return refuse("host: invalid IPv6 address");
      url.host = address.to_string();
      url.ipv6 = true;
      break;
    }
    case urls::host_type::name:
      if (url.host.empty()) return refuse("host: empty");
      OCELLUS_RETURN_IF_ERROR(check_name(url.host));
      break;
    default:
      return refuse("host: unknown form");
  }
  url.port = url.https ? 443 : 80;
  if (view.has_port()) {
    const std::string_view port(view.port().data(), view.port().size());
    if (port.empty()) return refuse("port: empty");
    const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (ec != std::errc() || end != port.data() + port.size() || url.port == 0) {
      return refuse("port: expected 1 to 65535");
    }
  }
  url.target.assign(view.encoded_path().data(), view.encoded_path().size());
  if (url.target.empty()) url.target.push_back('/');
  if (url.target.front() != '/') return refuse("expected a slash after the host");
  if (view.has_query()) {
    url.target += '?';
    url.target.append(view.encoded_query().data(), view.encoded_query().size());
  }
  return url;
}

}  // namespace

std::string HttpUrl::authority() const {
  std::string text = ipv6 ? fmt::format("[{}]", host) : host;
  if (port != (https ? 443 : 80)) text += fmt::format(":{}", port);
  return text;
}

Result<HttpUrl> parse_http_url(std::string_view text) {
  OCELLUS_ASSIGN_OR_RETURN(const std::string escaped, escape_url(text));
  const auto view = urls::parse_uri(escaped);
  if (!view) return refuse("not a URL");
  return from_view(*view);
}

Result<HttpUrl> resolve_redirect(const HttpUrl& base, std::string_view location) {
  OCELLUS_ASSIGN_OR_RETURN(const std::string escaped, escape_url(location));
  const auto reference = urls::parse_uri_reference(escaped);
  if (!reference) return refuse("redirect: not a URL");
  const std::string origin =
      fmt::format("{}://{}{}", base.https ? "https" : "http", base.authority(), base.target);
  const auto base_view = urls::parse_uri(origin);
  if (!base_view) return refuse("redirect: invalid base");
  urls::url resolved;
  if (!urls::resolve(*base_view, *reference, resolved))
    return refuse("redirect: cannot be resolved");
  // By the same parser as the first URL.
  return parse_http_url(std::string_view(resolved.buffer().data(), resolved.buffer().size()));
}

}  // namespace ocellus::fetch
