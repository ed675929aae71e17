#include "models/vocabulary_files.h"

#include <boost/json/serialize.hpp>

#include "base/result.h"
#include "formats/config_reader.h"
#include "json/json.h"
#include "text/pre_tokenizer_kinds.h"

namespace ocellus::models {
namespace {

namespace bj = json::bj;

bj::object byte_level(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

bj::string string_of(std::string_view text) { return bj::string(text.data(), text.size()); }

// One pair a line, behind a line that says the version.
bj::array merges_of(std::string_view text) {
  bj::array merges;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty() && !line.starts_with("#version")) merges.push_back(string_of(line));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return merges;
}

}  // namespace

Result<std::string> tokenizer_json_of(std::string_view vocabulary, std::string_view merges,
                                      std::string_view tokenizer_config,
                                      const std::string& folder) {
  OCELLUS_ASSIGN_OR_RETURN(bj::value vocab, json::parse(vocabulary, folder + "/vocab.json"));
  OCELLUS_ASSIGN_OR_RETURN(
      const formats::ConfigFile config,
      formats::ConfigFile::parse(tokenizer_config.empty() ? "{}" : tokenizer_config,
                                 folder + "/tokenizer_config.json"));
  formats::ConfigReader r = config.reader();
  const std::string type = r.text("tokenizer_class", "");
  const bool prefix = r.boolean("add_prefix_space", false);
  OCELLUS_RETURN_IF_ERROR(r.status());
  const bool qwen = type.starts_with("Qwen2Tokenizer");
  if (!qwen && !type.starts_with("GPT2Tokenizer")) {
    return base::make_error(ErrorCode::kUnsupported,
                            "{}: tokenizer_class: expected Qwen2Tokenizer or GPT2Tokenizer beside "
                            "vocab.json and merges.txt, found \"{}\"",
                            r.where(), type);
  }
  bj::array steps;
  if (qwen) {
    steps.push_back({{"type", "Split"},
                     {"pattern", {{"Regex", string_of(text::kQwen2Split)}}},
                     {"behavior", "Isolated"},
                     {"invert", false}});
  }
  steps.push_back(byte_level(prefix, !qwen));
  bj::object document = {
      {"version", "1.0"},
      {"added_tokens", bj::array()},
      {"normalizer", qwen ? bj::value{{"type", "NFC"}} : bj::value()},
      {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}}},
      {"post_processor", byte_level(prefix, !qwen)},
      {"decoder", byte_level(prefix, true)},
      {"model",
       {{"type", "BPE"},
        {"fuse_unk", false},
        {"byte_fallback", false},
        {"vocab", std::move(vocab)},
        {"merges", merges_of(merges)}}}};
  return bj::serialize(document);
}

}  // namespace ocellus::models
