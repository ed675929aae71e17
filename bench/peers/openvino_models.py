"""The tower and the decoder as OpenVINO graphs."""
import numpy as np
import openvino as ov
import openvino.opset13 as op

import openvino_graph as graph
from shapes import Decoder, Tower


def tower(shape: Tower, weights: graph.Weights) -> ov.Model:
    """pixels [1, 3, side, side] -> features in the language model's width [1, patches, projected]."""
    pixels = op.parameter([1, 3, shape.side, shape.side], np.float32, "pixels")
    kernel = weights.random.standard_normal((shape.width, 3, shape.patch, shape.patch)).astype(np.float32) * 0.04
    step = [shape.patch, shape.patch]
    embedded = op.convolution(pixels, op.constant(kernel), step, [0, 0], [0, 0], [1, 1])
    x = graph.transpose(graph.reshape(embedded, 1, shape.width, shape.patches), 0, 2, 1)
    x = op.concat([graph.reshape(weights.vector(shape.width), 1, 1, shape.width), x], 1)
    x = op.add(x, graph.reshape(weights.vector(shape.tokens * shape.width), 1, shape.tokens, shape.width))
    x = graph.layer_norm(x, weights, shape.width)
    for _ in range(shape.layers):
        x = tower_layer(x, shape, weights)
    patches = op.slice(x, *(op.constant(np.array([i], np.int64)) for i in (1, shape.tokens, 1, 1)))
    hidden = op.gelu(weights.linear(patches, shape.projected, shape.width, bias=True), "erf")
    return ov.Model([weights.linear(hidden, shape.projected, shape.projected, bias=True)], [pixels], "tower")


def tower_layer(x, shape: Tower, weights: graph.Weights):
    normed = graph.layer_norm(x, weights, shape.width)
    q, k, v = (graph.split_heads(weights.linear(normed, shape.width, shape.width, bias=True), shape.tokens, shape.heads)
               for _ in range(3))
    mixed = graph.join_heads(op.scaled_dot_product_attention(q, k, v), shape.tokens, shape.width)
    x = op.add(x, weights.linear(mixed, shape.width, shape.width, bias=True))
    normed = graph.layer_norm(x, weights, shape.width)
    hidden = op.swish(weights.linear(normed, shape.ff, shape.width, bias=True), np.float32(1.702))  # "quick" GELU
    return op.add(x, weights.linear(hidden, shape.width, shape.ff, bias=True))


def decoder(shape: Decoder, tokens: int, weights: graph.Weights) -> ov.Model:
    """embeddings [1, tokens, width] -> hidden states of the same shape, the last norm included; no cache."""
    embeddings = op.parameter([1, tokens, shape.width], np.float32, "embeddings")
    angles = np.outer(np.arange(tokens), shape.rope_base ** (-np.arange(0, shape.head_dim, 2) / shape.head_dim))
    angles = np.concatenate([angles, angles], 1)[None, None].astype(np.float32)
    rope = op.constant(np.cos(angles)), op.constant(np.sin(angles))
    x = embeddings
    for _ in range(shape.layers):
        x = decoder_layer(x, shape, tokens, rope, weights)
    return ov.Model([graph.rms_norm(x, weights, shape.width, shape.epsilon)], [embeddings], "decoder")


def head(shape: Decoder, tokens: int, weights: graph.Weights) -> ov.Model:
    """hidden states [1, tokens, width] -> logits [1, tokens, vocabulary]."""
    hidden = op.parameter([1, tokens, shape.width], np.float32, "hidden")
    return ov.Model([weights.linear(hidden, shape.vocabulary, shape.width)], [hidden], "head")


def decoder_layer(x, shape: Decoder, tokens: int, rope, weights: graph.Weights):
    inner = shape.heads * shape.head_dim
    normed = graph.rms_norm(x, weights, shape.width, shape.epsilon)
    q, k, v = (graph.split_heads(weights.linear(normed, inner, shape.width), tokens, shape.heads) for _ in range(3))
    q, k = (graph.rotate(each, *rope, shape.head_dim // 2) for each in (q, k))
    mixed = graph.join_heads(op.scaled_dot_product_attention(q, k, v, causal=True), tokens, inner)
    x = op.add(x, weights.linear(mixed, shape.width, inner))
    normed = graph.rms_norm(x, weights, shape.width, shape.epsilon)
    gate = op.swish(weights.linear(normed, shape.ff, shape.width))
    hidden = op.multiply(gate, weights.linear(normed, shape.ff, shape.width))
    return op.add(x, weights.linear(hidden, shape.width, shape.ff))
