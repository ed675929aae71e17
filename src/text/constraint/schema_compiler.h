// How a JSON Schema becomes a grammar, in three parts: any schema (json_schema.cc), scalars
// (schema_scalars.cc), arrays and objects (schema_containers.cc).
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/constraint/grammar.h"
#include "text/constraint/json_grammar.h"

namespace ocellus::text {

// One schema, once. Each part is told where it stands, for errors, and what follows it.
class SchemaCompiler {
 public:
  SchemaCompiler(const boost::json::value& root, std::string_view what)
      : root_(root), what_(what), json_(b_) {}

  Result<std::shared_ptr<const Grammar>> run();

 private:
  using Found = Result<Pc>;

  static std::unexpected<Error> fail(const std::string& where, std::string_view why);
  static std::string below(const std::string& where, std::string_view key);

  // Any schema.
  Found value(const boost::json::value& schema, const std::string& where, Pc next, int depth);
  Found without_null(const boost::json::object& s, const std::string& where, Pc next, int depth);
  // A part of the document, once for all that refer to it, and for itself.
  Found reference(const boost::json::object& s, const boost::json::value& ref,
                  const std::string& where, Pc next);
  static std::string pointer_path(std::string pointer);
  Result<const boost::json::value*> resolve(const std::string& pointer,
                                            const std::string& where) const;
  Found all_of(const boost::json::object& s, const boost::json::value& all,
               const std::string& where, Pc next, int depth);
  Found alternatives(const boost::json::object& s, const boost::json::value& all,
                     std::string_view name, const std::string& where, Pc next, int depth);
  Status check_exclusive(const boost::json::array& all, const std::string& where) const;

  // Values that are listed.
  Found listed(const boost::json::object& s, const std::string& where, Pc next);
  static bool has_type(const boost::json::object& s, const boost::json::value& v);

  // Values of a type.
  Found typed(const boost::json::object& s, const std::string& where, Pc next, int depth);
  // Where no type is given, what restricts says which one is meant. Nothing: any value.
  Result<std::vector<std::string>> types_of(const boost::json::object& s,
                                            const std::string& where) const;
  Found of_type(const std::string& type, const boost::json::object& s, const std::string& where,
                Pc next, int depth);

  // Scalars.
  Found string(const boost::json::object& s, const std::string& where, Pc next);
  Found number(const std::string& type, const boost::json::object& s, const std::string& where,
               Pc next);
  // The narrower of the two keywords; draft 4 has a boolean for the second.
  Status limit(const boost::json::object& s, std::string_view inclusive, std::string_view exclusive,
               const std::string& where, int sign, std::optional<Decimal>& out, bool& excluded);
  Result<std::uint32_t> count(const boost::json::object& s, std::string_view key,
                              const std::string& where, std::uint32_t fallback) const;

  // Containers.
  Found array(const boost::json::object& s, const std::string& where, Pc next, int depth);
  Found object(const boost::json::object& s, const std::string& where, Pc next, int depth);
  Found map(const boost::json::object& s, const boost::json::value& members,
            const std::string& members_where, const std::string& where, Pc next, int depth);

  const boost::json::value& root_;
  const std::string what_;
  GrammarBuilder b_;
  JsonGrammar json_;
  std::map<std::string, std::int32_t> rules_;  // by reference
  int open_ = 0;                               // references that are being followed
};

}  // namespace ocellus::text
