#include "fetch/url.h"

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>

#include "base/result.h"

namespace ocellus::fetch {
namespace {

namespace urls = boost::urls;

std::unexpected<Error> refused(std::string_view why) {
  return base::make_error(ErrorCode::kForbidden, "{}", why);
}

// A dotted name whose last label is a number or 0x... is an address to some resolvers; only the
// plain four-part form is one to us.
bool looks_numeric(std::string_view host) {
  const std::size_t dot = host.rfind('.');
  const std::string_view last = dot == std::string_view::npos ? host : host.substr(dot + 1);
  if (last.starts_with("0x")) return true;
  return !last.empty() && std::ranges::all_of(last, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_name(std::string_view host) {
  if (host.empty() || host.size() > 253 || host.front() == '.' || host.back() == '.' ||
      host.find("..") != std::string_view::npos)
    return false;
  return std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}

}  // namespace

std::string HttpUrl::authority() const {
  const bool v6 = host.find(':') != std::string::npos;
  const std::string shown = v6 ? "[" + host + "]" : host;
  return port == (tls ? 443 : 80) ? shown : fmt::format("{}:{}", shown, port);
}

bool is_private_name(std::string_view host) {
  for (const std::string_view name : {"localhost", "local", "internal", "lan", "home", "corp",
                                      "intranet", "localdomain", "home.arpa"}) {
    if (host == name || (host.ends_with(name) && host.size() > name.size() &&
                         host[host.size() - name.size() - 1] == '.'))
      return true;
  }
  return host.find('.') == std::string_view::npos && host.find(':') == std::string_view::npos;
}

Result<HttpUrl> parse_http_url(std::string_view text) {
  if (text.size() > 8192) return refused("the URL is longer than 8192 bytes");
  if (std::ranges::any_of(text, [](char c) {
        return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '\\';
      })) {
    return refused("the URL holds a space, a control character or a backslash");
  }
  const auto parsed = urls::parse_uri(text);
  if (!parsed) return refused("not a URL");
  HttpUrl url;
  std::string scheme(parsed->scheme());
  for (char& c : scheme) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (scheme != "http" && scheme != "https") return refused("only http and https are fetched");
  url.tls = scheme == "https";
  if (!parsed->has_authority() || parsed->has_userinfo())
    return refused("the URL has no host, or user information before it");
  const std::string_view encoded(parsed->encoded_host().data(), parsed->encoded_host().size());
  if (encoded.find('%') != std::string_view::npos)
    return refused("the host is percent-encoded or has a zone");
  url.host = std::string(encoded);
  for (char& c : url.host) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (url.host.empty() || url.host.back() == '.')
    return refused("the host is empty or ends with a dot");
  switch (parsed->host_type()) {
    case urls::host_type::ipv4:
      break;
    case urls::host_type::ipv6:
      url.host = url.host.substr(1, url.host.size() - 2);
      break;
    case urls::host_type::name:
      if (!is_name(url.host) || looks_numeric(url.host))
        return refused("the host is not a plain name or address");
      break;
    default:
      return refused("the URL has no host");
  }
  url.port = url.tls ? 443 : 80;
  if (parsed->has_port()) {
    if (parsed->port().empty() || parsed->port_number() == 0)
      return refused("port 0 or an empty port");
    url.port = parsed->port_number();
  }
  const auto target = parsed->encoded_target();
  url.target = std::string(target.data(), target.size());
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

Result<HttpUrl> resolve_redirect(const HttpUrl& base, std::string_view location) {
  if (std::ranges::any_of(location, [](char c) {
        return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '\\';
      })) {
    return refused("the redirect holds a space, a control character or a backslash");
  }
  const std::string origin =
      fmt::format("{}://{}{}", base.tls ? "https" : "http", base.authority(), base.target);
  const auto from = urls::parse_uri(origin);
  const auto reference = urls::parse_uri_reference(location);
  if (!from || !reference) return refused("the redirect is not a URL");
  urls::url target(*from);
  if (!target.resolve(*reference)) return refused("the redirect is not a URL");
  target.remove_fragment();
  return parse_http_url({target.buffer().data(), target.buffer().size()});
}

}  // namespace ocellus::fetch
