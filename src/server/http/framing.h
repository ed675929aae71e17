// Where a request ends, decided strictly: what two programs could read in two ways is refused, for
// that is how requests are smuggled past a proxy.
#pragma once

#include <string_view>

#include "ocellus/error.h"

namespace ocellus::server {

// Of the bytes from the request line on, as far as they are there: whether they may still become a
// header (RFC 9112). kInvalidArgument for a bare CR or LF, folded lines, NUL, a blank before a
// colon, more than 100 fields, Content-Length twice, beside Transfer-Encoding or not a number, and
// any Transfer-Encoding but chunked. Looks no further than the empty line.
Status check_framing(std::string_view bytes);

// Of bytes as they come, each looked at once: whether they may still become a header, and whether
// its empty line is there.
class HeaderScan {
 public:
  // `bytes`: all of them so far. As check_framing, but for the fields, which need the whole header.
  Status advance(std::string_view bytes);
  bool complete() const { return complete_; }

 private:
  std::size_t at_ = 0;
  bool complete_ = false;
};

constexpr int kMaxFields = 100;

}  // namespace ocellus::server
