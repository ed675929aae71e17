#include "cli/report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <string>
#include <system_error>

#include "base/result.h"
#include "base/utf8.h"

namespace ocellus::cli {
namespace {

void indent(const boost::json::value& value, int depth, std::string& out) {
  const std::string inner(2 * (static_cast<std::size_t>(depth) + 1), ' ');
  const std::string outer(2 * static_cast<std::size_t>(depth), ' ');
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    out += "{\n";
    for (auto it = object->begin(); it != object->end(); ++it) {
      out += inner + boost::json::serialize(it->key()) + ": ";
      indent(it->value(), depth + 1, out);
      out += std::next(it) == object->end() ? "\n" : ",\n";
    }
    out += outer + "}";
  } else if (const auto* array = value.if_array();
             array != nullptr && !array->empty() && (*array)[0].is_object()) {
    out += "[\n";
    for (auto it = array->begin(); it != array->end(); ++it) {
      out += inner;
      indent(*it, depth + 1, out);
      out += std::next(it) == array->end() ? "\n" : ",\n";
    }
    out += outer + "]";
  } else {
    out += boost::json::serialize(value);
  }
}

// Control characters are spelled \\xNN, but those in `kept`. Of Unicode's second set too (U+0080 to
// U+009F), which some terminals obey.
std::string without_controls(std::string_view text, std::string_view kept) {
  std::string out;
  const std::string valid = base::replace_invalid_utf8(text);
  for (std::size_t i = 0; i < valid.size(); ++i) {
    const auto c = static_cast<unsigned char>(valid[i]);
    const auto next = static_cast<unsigned char>(i + 1 < valid.size() ? valid[i + 1] : 0);
    if (c == 0xC2 && next >= 0x80 && next < 0xA0) {
      out += fmt::format("\\x{:02x}", next);
      ++i;
    } else if ((c < 0x20 || c == 0x7F) && kept.find(valid[i]) == std::string_view::npos) {
      out += fmt::format("\\x{:02x}", c);
    } else {
      out += valid[i];
    }
  }
  return out;
}

}  // namespace

std::string one_line(std::string_view text) { return without_controls(text, ""); }

std::string lines(std::string_view text) { return without_controls(text, "\n\t"); }

std::string shortened(std::string_view text, std::size_t max_bytes) {
  const std::string line = one_line(text);
  if (line.size() <= max_bytes) return line;
  const auto begins_character = [&](std::size_t at) {
    return (static_cast<unsigned char>(line[at]) & 0xC0) != 0x80;
  };
  std::size_t head = max_bytes / 2, tail = line.size() - max_bytes / 4;
  while (head > 0 && !begins_character(head)) --head;
  while (tail < line.size() && !begins_character(tail)) ++tail;
  return line.substr(0, head) + " ... " + line.substr(tail);
}

Status print_answer(std::string_view text) {
  return ::isatty(STDOUT_FILENO) != 0 ? print(lines(text)) : print(text);
}

Status print(std::string_view text) {
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
    return {};
  }
  // Not kIo, which is bad input: nothing is wrong with what was asked.
  return base::make_error(ErrorCode::kInternal, "standard output: {}",
                          errno == EPIPE
                              ? "closed by its reader"
                              : "cannot write: " + std::generic_category().message(errno));
}

Status print_json(const boost::json::value& value) {
  std::string text;
  indent(value, 0, text);
  // Names of files may be anything.
  return print(base::replace_invalid_utf8(text) + "\n");
}

int report(const Error& error, bool as_json) {
  constexpr std::size_t kMaxMessage = 2000;
  const ErrorInfo info = error_info(error.code);
  const std::string message = shortened(error.message, kMaxMessage);
  if (as_json) {
    // Where this cannot be written either, the line on stderr and the exit code must do.
    (void)print_json({{"error",
                       {{"code", boost::json::string(info.name.data(), info.name.size())},
                        {"message", message}}}});
  }
  std::fprintf(stderr, "ocellus: %s\n", message.c_str());
  return info.exit_code;
}

int exit_code(const Status& status, bool as_json) {
  return status ? 0 : report(status.error(), as_json);
}

std::string human_bytes(double bytes) {
  const char* const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < std::size(units)) bytes /= 1024, ++unit;
  return unit == 0 ? fmt::format("{:.0f} bytes", bytes)
                   : fmt::format("{:.1f} {}", bytes, units[unit]);
}

}  // namespace ocellus::cli
