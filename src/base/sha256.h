// Content identity of pictures and prompts. Cryptographic, because a cache key that an attacker can
// collide would answer one person's question with another person's picture.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

namespace ocellus::base {

using Sha256 = std::array<unsigned char, 32>;

// FIPS 180-4, through OpenSSL. Any thread.
Sha256 sha256(std::span<const std::byte> bytes);

std::string to_hex(const Sha256& digest);

}  // namespace ocellus::base
