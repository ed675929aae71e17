"""How llama.cpp rounds activations before a product, by the weight's type (ggml: the type's vec_dot_type).

What a product is then: integers of both sides multiplied and added exactly within a block, times the scales, in f32. That is the product of the
weights' values with the values below, but for the order of f32 sums (and for q8_1 the rounding to f16 of a block's sum, which is left out).
"""
import numpy as np


def q8_0(x):
    """Blocks of 32, absmax / 127 as f16, halves away from zero."""
    blocks = x.reshape(-1, 32)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / np.float32(127)
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    scaled = blocks * inverse
    rounded = np.trunc(scaled + np.copysign(np.float32(0.5), scaled))
    return (rounded * scale.astype(np.float16).astype(np.float32)).reshape(x.shape)


def q8_k(x):
    """Blocks of 256, the value of largest magnitude becomes -127 in f32, halves to even."""
    blocks = x.reshape(-1, 256)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)
    inverse = np.divide(np.float32(-127), largest, out=np.zeros_like(largest), where=largest != 0)
    scale = np.divide(1, inverse, out=np.zeros_like(inverse), where=inverse != 0)
    return (np.minimum(127, np.rint(blocks * inverse)) * scale).reshape(x.shape)


def f16(x):
    return x.astype(np.float16).astype(np.float32)


def bf16(x):
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


BY_WEIGHT_TYPE = {"f16": f16, "bf16": bf16, "q8_0": q8_0, "q5_0": q8_0, "q4_0": q8_0, "q5_1": q8_0, "q4_1": q8_0,
                  "q6_k": q8_k, "q5_k": q8_k, "q4_k": q8_k, "q3_k": q8_k, "q2_k": q8_k}
BLOCK = {**{kind: 256 if kind.endswith("_k") else 32 for kind in BY_WEIGHT_TYPE}, "f16": 1, "bf16": 1}
