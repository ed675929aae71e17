"""The tower and the decoder in PyTorch, bf16, random weights."""
import torch
from torch import nn
from torch.nn import functional as F

from shapes import Decoder, Tower


POOL = torch.randn(1 << 22).bfloat16()


def matrix(rows: int, columns: int) -> nn.Parameter:
    """Random values in memory of their own, from a pool's: drawing seven thousand million would take longer than the run."""
    values = POOL.repeat(-(-rows * columns // POOL.numel()))[:rows * columns].reshape(rows, columns)
    return nn.Parameter(values * columns**-0.5, requires_grad=False)


class Linear(nn.Module):
    def __init__(self, rows: int, columns: int, bias: bool):
        super().__init__()
        self.weight = matrix(rows, columns)
        self.bias = nn.Parameter(torch.zeros(rows).bfloat16(), requires_grad=False) if bias else None

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


def split_heads(x, heads: int):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x):
    return x.transpose(1, 2).flatten(2)


class TowerLayer(nn.Module):
    def __init__(self, shape: Tower):
        super().__init__()
        self.heads = shape.heads
        self.norms = nn.ModuleList(nn.LayerNorm(shape.width, dtype=torch.bfloat16) for _ in range(2))
        self.q, self.k, self.v, self.out = (Linear(shape.width, shape.width, True) for _ in range(4))
        self.up, self.down = Linear(shape.ff, shape.width, True), Linear(shape.width, shape.ff, True)

    def forward(self, x):
        normed = self.norms[0](x)
        q, k, v = (split_heads(each(normed), self.heads) for each in (self.q, self.k, self.v))
        x = x + self.out(join_heads(F.scaled_dot_product_attention(q, k, v)))
        hidden = self.up(self.norms[1](x))
        return x + self.down(hidden * torch.sigmoid(1.702 * hidden))


class TowerModel(nn.Module):
    def __init__(self, shape: Tower):
        super().__init__()
        self.patches = nn.Conv2d(3, shape.width, shape.patch, shape.patch, bias=False, dtype=torch.bfloat16)
        self.first = nn.Parameter(torch.zeros(1, 1, shape.width, dtype=torch.bfloat16), requires_grad=False)
        self.places = matrix(shape.tokens, shape.width)
        self.norm = nn.LayerNorm(shape.width, dtype=torch.bfloat16)
        self.layers = nn.ModuleList(TowerLayer(shape) for _ in range(shape.layers))
        self.up, self.down = Linear(shape.projected, shape.width, True), Linear(shape.projected, shape.projected, True)

    def forward(self, pixels):
        x = self.patches(pixels).flatten(2).transpose(1, 2)
        x = self.norm(torch.cat([self.first, x], 1) + self.places)
        for layer in self.layers:
            x = layer(x)
        return self.down(F.gelu(self.up(x[:, 1:])))


class DecoderLayer(nn.Module):
    def __init__(self, shape: Decoder):
        super().__init__()
        inner = shape.heads * shape.head_dim
        self.heads = shape.heads
        self.norms = nn.ModuleList(nn.RMSNorm(shape.width, shape.epsilon, dtype=torch.bfloat16) for _ in range(2))
        self.q, self.k, self.v = (Linear(inner, shape.width, False) for _ in range(3))
        self.out = Linear(shape.width, inner, False)
        self.gate, self.up = Linear(shape.ff, shape.width, False), Linear(shape.ff, shape.width, False)
        self.down = Linear(shape.width, shape.ff, False)

    def forward(self, x, cosine, sine):
        normed = self.norms[0](x)
        q, k, v = (split_heads(each(normed), self.heads) for each in (self.q, self.k, self.v))
        q, k = (rotate(each, cosine, sine) for each in (q, k))
        x = x + self.out(join_heads(F.scaled_dot_product_attention(q, k, v, is_causal=True)))
        normed = self.norms[1](x)
        return x + self.down(F.silu(self.gate(normed)) * self.up(normed))


def rotate(x, cosine, sine):
    first, second = x.chunk(2, -1)
    return x * cosine + torch.cat([-second, first], -1) * sine


class DecoderModel(nn.Module):
    def __init__(self, shape: Decoder, tokens: int):
        super().__init__()
        frequencies = shape.rope_base ** (-torch.arange(0, shape.head_dim, 2) / shape.head_dim)
        angles = torch.outer(torch.arange(tokens), frequencies).repeat(1, 2)
        self.cosine, self.sine = angles.cos().bfloat16(), angles.sin().bfloat16()
        self.layers = nn.ModuleList(DecoderLayer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, shape.epsilon, dtype=torch.bfloat16)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x, self.cosine, self.sine)
        return self.norm(x)
