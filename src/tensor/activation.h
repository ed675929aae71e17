// The activation functions that checkpoints name, and the one spelling of each.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ocellus::tensor {

enum class Activation : std::uint8_t {
  kNone,
  kGelu,       // x * Phi(x), with erf: "gelu"
  kGeluTanh,   // its tanh approximation: "gelu_pytorch_tanh", "gelu_new", "gelu_fast"
  kQuickGelu,  // x * sigmoid(1.702 x), CLIP: "quick_gelu"
  kSilu,       // x * sigmoid(x): "silu", "swish"
  kRelu,       // "relu"
};

// From transformers' ACT2FN names; nothing for a name that no supported model uses.
std::optional<Activation> parse_activation(std::string_view name) noexcept;
std::string_view activation_name(Activation activation) noexcept;

}  // namespace ocellus::tensor
