#include "tensor/activation.h"

#include <utility>

namespace ocellus::tensor {
namespace {

// The first name of an activation is the one that activation_name() gives.
constexpr std::pair<std::string_view, Activation> kNames[] = {
    {"none", Activation::kNone},
    {"gelu", Activation::kGelu},
    {"gelu_python", Activation::kGelu},
    {"gelu_pytorch_tanh", Activation::kGeluTanh},
    {"gelu_new", Activation::kGeluTanh},
    {"gelu_fast", Activation::kGeluTanh},
    {"gelu_python_tanh", Activation::kGeluTanh},
    {"quick_gelu", Activation::kQuickGelu},
    {"silu", Activation::kSilu},
    {"swish", Activation::kSilu},
    {"relu", Activation::kRelu},
};

}  // namespace

std::optional<Activation> parse_activation(std::string_view name) noexcept {
  for (const auto& [spelling, activation] : kNames) {
    if (spelling == name && activation != Activation::kNone) return activation;
  }
  return std::nullopt;
}

std::string_view activation_name(Activation activation) noexcept {
  for (const auto& [spelling, known] : kNames) {
    if (known == activation) return spelling;
  }
  return "?";
}

}  // namespace ocellus::tensor
