"""LLaVA-1.5-7B in numbers: what each piece of work computes and reads.

FLOPs count a multiply and an add as two, and only what the result needs: a causal row of attention counts the positions
that it sees. Bytes are the weights' (scales included), read once.
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Tower:
    """CLIP ViT-L/14 at 336 pixels and the projector behind it."""
    layers: int = 23  # 24 in the file; the features are those of layer -2, so the last one is never computed
    width: int = 1024
    heads: int = 16
    ff: int = 4096
    patch: int = 14
    side: int = 336
    projected: int = 4096

    @property
    def patches(self) -> int:
        return (self.side // self.patch) ** 2

    @property
    def tokens(self) -> int:
        return self.patches + 1  # the class token

    def flops(self) -> float:
        matrices = 4 * self.width**2 + 2 * self.width * self.ff
        layer = 2 * self.tokens * matrices + 4 * self.tokens**2 * self.width
        embedding = 2 * self.patches * 3 * self.patch**2 * self.width
        projector = 2 * self.patches * (self.width * self.projected + self.projected**2)
        return embedding + self.layers * layer + projector


@dataclasses.dataclass(frozen=True)
class Decoder:
    """The language model's layers; `layers` of them are measured and the time is scaled to `all_layers`."""
    layers: int = 4
    all_layers: int = 32
    width: int = 4096
    heads: int = 32
    head_dim: int = 128
    ff: int = 11008
    rope_base: float = 10000.0
    vocabulary: int = 32064
    epsilon: float = 1e-5

    @property
    def layer_weights(self) -> int:
        return 4 * self.width * self.heads * self.head_dim + 3 * self.width * self.ff

    def layer_flops(self, tokens: int) -> float:
        """One layer over a prompt of `tokens`."""
        attention = 4 * self.heads * self.head_dim * tokens * (tokens + 1) / 2
        return 2 * tokens * self.layer_weights + attention

    @property
    def head_weights(self) -> int:
        """The last layer, which every decoded token needs once, however many layers are measured."""
        return self.width * self.vocabulary

    def scale(self) -> float:
        return self.all_layers / self.layers

    def smaller(self, layers: int) -> "Decoder":
        return dataclasses.replace(self, layers=layers)


# Bytes that one weight takes in memory: the value and its share of a 16-bit scale.
def weight_bytes(weights: str) -> float:
    kind, _, group = weights.partition("-g")
    if kind in ("bf16", "f16"):
        return 2.0
    if kind == "f32":
        return 4.0
    if kind == "int8":
        return 1.0  # a scale a row is nothing
    if kind == "int4":
        return 0.5 + 2.0 / int(group)
    raise ValueError(f"weights: expected bf16, f16, f32, int8 or int4-gN, found {weights}")
