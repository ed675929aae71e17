// The ways to cut text into words that GGUF files name instead of describing.
#pragma once

#include <string_view>

namespace ocellus::text {

struct WordKind {
  std::string_view name;   // tokenizer.ggml.pre
  std::string_view split;  // the pattern in tokenizer.json; empty: GPT-2's own
  bool whole_words;        // a word that is a token is not cut by merges
  bool compose;            // Unicode NFC first
};

inline constexpr std::string_view kLlama3Split =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
inline constexpr std::string_view kQwen2Split =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

// Of several names for one way, the first is the one to write.
inline constexpr WordKind kWordKinds[] = {
    {"gpt-2", "", false, false},
    {"default", "", false, false},
    {"llama-bpe", kLlama3Split, true, false},
    {"llama3", kLlama3Split, true, false},
    {"qwen2", kQwen2Split, false, true},
};

}  // namespace ocellus::text
