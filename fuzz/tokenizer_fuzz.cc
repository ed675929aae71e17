// Tokenizers: whatever the file, an error or a tokenizer whose ids are in its vocabulary. The first
// byte chooses the kind of file.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"
#include "text/vocabulary_table.h"

namespace {

using namespace ocellus;

void use(const Result<std::unique_ptr<const text::Tokenizer>>& tokenizer) {
  if (!tokenizer) {
    if (tokenizer.error().message.empty()) std::abort();
    return;
  }
  const std::vector<text::Segment> segments = {{"<s>a </s>", true},
                                               {"b <s>\xC3\xA9 12's \n\n x", false}};
  const std::vector<std::int32_t> ids = (*tokenizer)->encode(segments, true);
  for (const std::int32_t id : ids) {
    if (id < 0 || static_cast<std::size_t>(id) >= (*tokenizer)->vocabulary_size()) std::abort();
  }
  (void)(*tokenizer)->decode(ids, false);
  (void)(*tokenizer)->decode(ids, true);
}

// Tokens, an empty line, then merges; one on each line.
void use_merges(std::string_view text) {
  std::vector<std::string> lists[2];
  for (int list = 0; !text.empty();) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.empty()) {
      list = 1;
    } else {
      lists[list].emplace_back(line);
    }
  }
  const std::vector<text::AddedToken> added = {{.content = "<s>", .id = 0, .special = true}};
  for (const char* kind : {"gpt-2", "llama-bpe", "qwen2"})
    use(text::Tokenizer::from_merges(lists[0], lists[1], kind, added));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      use(text::Tokenizer::parse_json(text, {}, "f"));
      break;
    case 1:
      (void)text::read_vocabulary_json(text, {}, "", "f");
      break;
    case 2: {
      // tokenizer.model, then tokenizer_config.json on a line of its own.
      const std::size_t cut = std::min(text.find("\n{"), text.size());
      use(text::Tokenizer::parse_sentencepiece(text.substr(0, cut), {.config = text.substr(cut)},
                                               "f"));
      (void)text::read_vocabulary_sentencepiece(text.substr(0, cut), {.config = text.substr(cut)},
                                                "f");
      break;
    }
    case 3:
      use_merges(text);
      break;
  }
  return 0;
}
