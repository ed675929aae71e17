// https downloads from a server of our own, with certificates made here.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <thread>

#include "fetch/source.h"
#include "runtime/block_on.h"

namespace ocellus::fetch {
namespace {

namespace asio = boost::asio;
namespace ip = asio::ip;

// A certificate and its key, as PEM.
struct Identity {
  std::string certificate, key;
};

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

// Signed by itself, for `names` ("DNS:a,IP:1.2.3.4"); valid for a day around now, or only before
// it.
Identity make_identity(const std::string& names, bool expired = false) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> x(X509_new(), X509_free);
  X509_set_version(x.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(x.get()), 1);
  constexpr long kDay = 24 * 60 * 60;
  X509_gmtime_adj(X509_getm_notBefore(x.get()), -2 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(x.get()), expired ? -kDay : kDay);
  X509_set_pubkey(x.get(), key.get());
  X509_NAME* name = X509_get_subject_name(x.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(x.get(), name);
  const auto extend = [&](int kind, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
    X509_add_ext(x.get(), extension, -1);
    X509_EXTENSION_free(extension);
  };
  extend(NID_basic_constraints, "critical,CA:TRUE");
  extend(NID_subject_alt_name, names.c_str());
  X509_sign(x.get(), key.get(), EVP_sha256());
  BIO* certificate = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(certificate, x.get());
  BIO* secret = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(secret, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return {text_of(certificate), text_of(secret)};
}

// Answers every request with one text; blocking, on a thread. Remembers the name that was asked
// for.
class TlsServer {
 public:
  TlsServer(const Identity& identity, std::string answer)
      : answer_(std::move(answer)), acceptor_(context_, {ip::address_v4::loopback(), 0}) {
    tls_.use_certificate_chain(asio::buffer(identity.certificate));
    tls_.use_private_key(asio::buffer(identity.key), asio::ssl::context::pem);
    SSL_CTX_set_tlsext_servername_callback(tls_.native_handle(), remember_name);
    SSL_CTX_set_tlsext_servername_arg(tls_.native_handle(), this);
    thread_ = std::jthread([this] { serve(); });
  }
  ~TlsServer() {
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    thread_.join();
  }
  int port() const { return acceptor_.local_endpoint().port(); }
  const std::string& name() const { return name_; }  // after a download

 private:
  static int remember_name(SSL* ssl, int*, void* self) {
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    static_cast<TlsServer*>(self)->name_ = name ? name : "";
    return SSL_TLSEXT_ERR_OK;
  }
  void serve() {
    while (true) {
      boost::system::error_code ec;
      asio::ssl::stream<ip::tcp::socket> stream(acceptor_.accept(context_, ec), tls_);
      if (ec) return;
      stream.handshake(asio::ssl::stream_base::server, ec);
      std::string request;
      if (!ec) asio::read_until(stream, asio::dynamic_buffer(request), "\r\n\r\n", ec);
      if (!ec) asio::write(stream, asio::buffer(answer_), ec);
      if (!ec) stream.shutdown(ec);
    }
  }

  std::string answer_, name_;
  asio::io_context context_;
  asio::ssl::context tls_{asio::ssl::context::tls_server};
  ip::tcp::acceptor acceptor_;
  std::jthread thread_;
};

// Every name is this machine.
class Loopback final : public Resolver {
 public:
  asio::awaitable<Result<std::vector<ip::address>>> async_resolve(std::string,
                                                                  runtime::Deadline) override {
    co_return std::vector<ip::address>{ip::address_v4::loopback()};
  }
};

Result<std::string> load(const std::string& host, int port, const std::string& ca_pem) {
  const std::string authority = host + ":" + std::to_string(port);
  FetchOptions options;
  options.policy = *AddressPolicy::make({authority, "127.0.0.0/8"});
  options.ca_pem = ca_pem;
  options.resolver = std::make_shared<Loopback>();
  auto fetcher = Fetcher::make(*runtime::shared_runtime(), std::move(options));
  if (!fetcher) return std::unexpected(fetcher.error());
  auto bytes = runtime::block_on(*runtime::shared_runtime(),
                                 fetcher->async_load(UrlSource{"https://" + authority + "/"}));
  if (!bytes) return std::unexpected(bytes.error());
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

const char* const kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

ErrorCode code_of(const Result<std::string>& result) {
  return result ? ErrorCode::kInternal : result.error().code;
}

TEST(Tls, TrustedCertificateForTheName) {
  const Identity identity = make_identity("DNS:pictures.example");
  const TlsServer server(identity, kHello);
  const auto result = load("pictures.example", server.port(), identity.certificate);
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(*result, "hello");
  EXPECT_EQ(server.name(), "pictures.example");  // the name goes along, the address was checked
}

TEST(Tls, TrustedCertificateForTheAddress) {
  const Identity identity = make_identity("IP:127.0.0.1");
  const TlsServer server(identity, kHello);
  EXPECT_EQ(load("127.0.0.1", server.port(), identity.certificate).value_or("!"), "hello");
}

TEST(Tls, AnotherNameIsRefused) {
  const Identity identity = make_identity("DNS:other.example,DNS:*.pictures.example");
  const TlsServer server(identity, kHello);
  EXPECT_EQ(code_of(load("pictures.example", server.port(), identity.certificate)),
            ErrorCode::kFetchFailed);
  EXPECT_EQ(load("a.pictures.example", server.port(), identity.certificate).value_or("!"), "hello");
}

TEST(Tls, UnknownAuthorityIsRefused) {
  const Identity identity = make_identity("DNS:pictures.example");
  const TlsServer server(identity, kHello);
  EXPECT_EQ(code_of(load("pictures.example", server.port(), "")), ErrorCode::kFetchFailed);
  const Identity stranger = make_identity("DNS:pictures.example");
  EXPECT_EQ(code_of(load("pictures.example", server.port(), stranger.certificate)),
            ErrorCode::kFetchFailed);
}

TEST(Tls, ExpiredCertificateIsRefused) {
  const Identity identity = make_identity("DNS:pictures.example", true);
  const TlsServer server(identity, kHello);
  EXPECT_EQ(code_of(load("pictures.example", server.port(), identity.certificate)),
            ErrorCode::kFetchFailed);
}

TEST(Tls, NoWayBackToHttp) {
  const Identity identity = make_identity("DNS:pictures.example");
  const TlsServer server(identity,
                         "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n"
                         "Content-Length: 0\r\n\r\n");
  EXPECT_EQ(code_of(load("pictures.example", server.port(), identity.certificate)),
            ErrorCode::kForbidden);
}

TEST(Tls, BadAuthoritiesAreAnError) {
  const auto result = load("pictures.example", 443, "-----BEGIN CERTIFICATE-----\nnonsense");
  EXPECT_EQ(code_of(result), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace ocellus::fetch
