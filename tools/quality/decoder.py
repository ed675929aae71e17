"""The Llama decoder in numpy, f32, all positions at once: the layers' products are the caller's.

That is where llama.cpp differs from f32: its matrices meet activations that were rounded to small blocks (activations.py).
"""
import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Config:
    width: int
    inner: int
    heads: int
    kv_heads: int
    layers: int
    vocabulary: int
    epsilon: float
    theta: float
    image_token: int

    @property
    def head(self):
        return self.width // self.heads

    @classmethod
    def from_json(cls, config: dict):
        text = config["text_config"]
        return cls(text["hidden_size"], text["intermediate_size"], text["num_attention_heads"],
                   text.get("num_key_value_heads", text["num_attention_heads"]), text["num_hidden_layers"], text["vocab_size"],
                   text.get("rms_norm_eps", 1e-6), text.get("rope_theta", 10000.0), config["image_token_index"])


def rms_norm(x, weight, epsilon):
    return x / np.sqrt(np.mean(x * x, axis=1, keepdims=True) + np.float32(epsilon)) * weight


def silu(x):
    return x / (1 + np.exp(-x))


def rotate(x, theta):
    """x [rows, heads, head]: row r stands at position r; the halves rotate against each other."""
    half = x.shape[2] // 2
    frequencies = (1.0 / theta ** (np.arange(half) / half)).astype(np.float32)
    angles = (np.arange(len(x), dtype=np.float32)[:, None] * frequencies).astype(np.float64)
    cos, sin = (f(angles).astype(np.float32)[:, None, :] for f in (np.cos, np.sin))
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=2)


def attend(q, k, v, causal=True):
    """[rows, heads, head]; k and v may have fewer heads."""
    rows, heads, size = q.shape
    hidden = np.triu(np.full((rows, rows), -np.inf, np.float32), 1) if causal else 0
    out = np.empty_like(q)
    for h in range(heads):
        kv = h * k.shape[1] // heads
        scores = q[:, h] @ k[:, kv].T / np.float32(np.sqrt(size)) + hidden
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        out[:, h] = scores / scores.sum(axis=1, keepdims=True) @ v[:, kv]
    return out.reshape(rows, heads * size)


def attention_branch(x, config, norm, linear, sequences=1):
    """`linear(part, x)`: the product with that matrix of the layer. x: the rows of that many sequences of the same length, one behind the other."""
    normed = rms_norm(x, norm, config.epsilon)
    q, k, v = (np.split(linear(f"self_attn.{p}_proj", normed).reshape(len(x), -1, config.head), sequences) for p in "qkv")
    attended = [attend(rotate(a, config.theta), rotate(b, config.theta), c) for a, b, c in zip(q, k, v)]
    return linear("self_attn.o_proj", np.concatenate(attended))


def mlp_branch(x, config, norm, linear):
    normed = rms_norm(x, norm, config.epsilon)
    return linear("mlp.down_proj", silu(linear("mlp.gate_proj", normed)) * linear("mlp.up_proj", normed))


class Decoder:
    """The language model of a checkpoint folder, read where it lies."""

    def __init__(self, tensors: dict, config: Config):
        self.config = config
        self.tensors = {name.removeprefix("language_model.").removeprefix("model."): array for name, array in tensors.items()}

    def tensor(self, name):
        return np.asarray(self.tensors[name], dtype=np.float32)

    def inputs(self, ids, image):
        x = self.tensor("embed_tokens.weight")[np.where(ids == self.config.image_token, 0, ids)]
        x[ids == self.config.image_token] = image
        return x

    def logits(self, ids, image, linear, copies=1):
        """[copies * ids, vocabulary]. `image`: the picture's embeddings; `linear(layer, part, x)`: the product for all copies of the text."""
        x = np.tile(self.inputs(ids, image), (copies, 1))
        for i in range(self.config.layers):
            here = f"layers.{i}."
            x = x + attention_branch(x, self.config, self.tensor(here + "input_layernorm.weight"), lambda part, a: linear(i, part, a), copies)
            x = x + mlp_branch(x, self.config, self.tensor(here + "post_attention_layernorm.weight"), lambda part, a: linear(i, part, a))
        x = rms_norm(x, self.tensor("norm.weight"), self.config.epsilon)
        return x @ self.tensor("lm_head.weight" if "lm_head.weight" in self.tensors else "embed_tokens.weight").T
