// From a checkpoint's generation_config.json to the engine's options.
#pragma once

#include <cstdint>
#include <span>

#include "engine/sampling_options.h"
#include "formats/generation_config.h"
#include "ocellus/error.h"

namespace ocellus::vision {

// The file's samplers where it says do_sample, its rules for tokens always; its temperature is left
// to the caller. `ends`: the model's end tokens. kInvalidArgument naming the field.
Result<engine::SamplingOptions> sampling_options(const formats::GenerationConfig& config,
                                                 std::span<const std::int32_t> ends,
                                                 std::int64_t vocabulary);

}  // namespace ocellus::vision
