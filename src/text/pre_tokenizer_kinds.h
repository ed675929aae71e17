// The pre-tokenizers that GGUF files name (tokenizer.ggml.pre) instead of describing, with what
// else of tokenizer.json goes with the name.
#pragma once

#include <string_view>

namespace ocellus::text {

struct PreTokenizerKind {
  std::string_view name;   // tokenizer.ggml.pre
  std::string_view split;  // Split's pattern in tokenizer.json; empty: GPT-2's own
  bool ignore_merges;      // a word that is a token stays whole
  bool nfc;                // Unicode NFC first
  bool digits = false;     // each digit by itself, before the split
};

inline constexpr std::string_view kLlama3Split =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
inline constexpr std::string_view kQwen2Split =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
// Marks belong to letters.
inline constexpr std::string_view kQwen35Split =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "
    "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

// Of several names for one kind, the first is the one to write.
inline constexpr PreTokenizerKind kPreTokenizerKinds[] = {
    {"gpt-2", "", false, false},
    {"default", "", false, false},
    {"llama-bpe", kLlama3Split, true, false},
    {"llama3", kLlama3Split, true, false},
    {"qwen2", kQwen2Split, false, true},
    {"qwen35", kQwen35Split, false, true},
    {"smollm", "", false, false, true},
    {"refact", "", false, false, true},
    {"starcoder", "", false, false, true},
};

}  // namespace ocellus::text
