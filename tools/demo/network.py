"""The network as it is trained: the arithmetic of transformers' LlavaForConditionalGeneration, less what training does not need.

Parameters carry the names that transformers 4.x writes, so that exporting is saving.
"""
import torch
import torch.nn.functional as F
from torch import nn

IMAGE_SIZE, PATCH, WIDTH = 96, 12, 128
TOWER_LAYERS, TOWER_HEADS, TOWER_FF = 5, 4, 384       # feature layer -2: the last layer is never run
LAYERS, HEADS, KV_HEADS, FF, ROPE_THETA = 4, 4, 2, 352, 10000.0
HEAD = WIDTH // HEADS
EPS = 1e-5


class TowerLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(WIDTH, eps=EPS)
        self.layer_norm2 = nn.LayerNorm(WIDTH, eps=EPS)
        self.self_attn = nn.ModuleDict({n: nn.Linear(WIDTH, WIDTH) for n in ("q_proj", "k_proj", "v_proj", "out_proj")})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(WIDTH, TOWER_FF), "fc2": nn.Linear(TOWER_FF, WIDTH)})

    def forward(self, x):
        b, n, _ = x.shape
        h = self.layer_norm1(x)
        q, k, v = (self.self_attn[p](h).view(b, n, TOWER_HEADS, -1).transpose(1, 2) for p in ("q_proj", "k_proj", "v_proj"))
        a = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, WIDTH)
        x = x + self.self_attn["out_proj"](a)
        h = self.mlp["fc1"](self.layer_norm2(x))
        return x + self.mlp["fc2"](h * torch.sigmoid(1.702 * h))


class Embeddings(nn.Module):
    def __init__(self):
        super().__init__()
        self.class_embedding = nn.Parameter(torch.randn(WIDTH) * 0.02)
        self.patch_embedding = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.position_embedding = nn.Embedding((IMAGE_SIZE // PATCH) ** 2 + 1, WIDTH)

    def forward(self, pixels):
        x = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.to(x.dtype).expand(len(x), 1, -1), x], 1)
        return x + self.position_embedding.weight


class VisionModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = Embeddings()
        self.pre_layrnorm = nn.LayerNorm(WIDTH, eps=EPS)
        self.encoder = nn.ModuleDict({"layers": nn.ModuleList(TowerLayer() for _ in range(TOWER_LAYERS))})
        self.post_layernorm = nn.LayerNorm(WIDTH, eps=EPS)

    def forward(self, pixels):
        x = self.pre_layrnorm(self.embeddings(pixels))
        for layer in self.encoder["layers"][:-1]:
            x = layer(x)
        return x[:, 1:]


class RMSNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x):
        x = x.float()
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS))


class DecoderLayer(nn.Module):
    def __init__(self):
        super().__init__()
        linear = lambda i, o: nn.Linear(i, o, bias=False)  # noqa: E731
        self.input_layernorm = RMSNorm()
        self.post_attention_layernorm = RMSNorm()
        self.self_attn = nn.ModuleDict({"q_proj": linear(WIDTH, WIDTH), "k_proj": linear(WIDTH, KV_HEADS * HEAD),
                                        "v_proj": linear(WIDTH, KV_HEADS * HEAD), "o_proj": linear(WIDTH, WIDTH)})
        self.mlp = nn.ModuleDict({"gate_proj": linear(WIDTH, FF), "up_proj": linear(WIDTH, FF), "down_proj": linear(FF, WIDTH)})

    def forward(self, x, cos, sin):
        b, n, _ = x.shape
        h = self.input_layernorm(x)
        heads = lambda p, count: self.self_attn[p](h).view(b, n, count, HEAD).transpose(1, 2)  # noqa: E731
        turn = lambda t: t * cos + torch.cat([-t[..., HEAD // 2:], t[..., :HEAD // 2]], -1) * sin  # noqa: E731
        q, k, v = heads("q_proj", HEADS), heads("k_proj", KV_HEADS), heads("v_proj", KV_HEADS)
        q, k = turn(q).to(v.dtype), turn(k).to(v.dtype)
        k, v = (t.repeat_interleave(HEADS // KV_HEADS, 1) for t in (k, v))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, n, WIDTH)
        x = x + self.self_attn["o_proj"](a)
        h = self.post_attention_layernorm(x)
        return x + self.mlp["down_proj"](F.silu(self.mlp["gate_proj"](h)) * self.mlp["up_proj"](h))


class Decoder(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary, WIDTH)
        self.layers = nn.ModuleList(DecoderLayer() for _ in range(LAYERS))
        self.norm = RMSNorm()

    def forward(self, x):
        frequencies = ROPE_THETA ** (-torch.arange(0, HEAD, 2) / HEAD)
        angles = torch.arange(x.shape[1])[:, None] * frequencies
        cos, sin = angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return self.norm(x)


class Llava(nn.Module):
    def __init__(self, vocabulary: int):
        super().__init__()
        self.vision_tower = nn.ModuleDict({"vision_model": VisionModel()})
        self.multi_modal_projector = nn.ModuleDict({"linear_1": nn.Linear(WIDTH, WIDTH), "linear_2": nn.Linear(WIDTH, WIDTH)})
        self.language_model = nn.ModuleDict({"model": Decoder(vocabulary)})
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding, nn.Conv2d)):
                nn.init.normal_(module.weight, std=0.02 if isinstance(module, nn.Embedding) else module.weight[0].numel() ** -0.5)
                if getattr(module, "bias", None) is not None:
                    nn.init.zeros_(module.bias)

    def features(self, pixels):
        """[pictures, patches, WIDTH]: the tower's output that the projector sees."""
        return self.vision_tower["vision_model"](pixels)

    def hidden(self, features, ids, image_positions):
        """[pictures, tokens, WIDTH]: the decoder's last hidden states. The picture's tokens stand at the same places in every row."""
        image = self.multi_modal_projector["linear_2"](F.gelu(self.multi_modal_projector["linear_1"](features)))
        x = self.language_model["model"].embed_tokens(ids)
        start = image_positions[0]
        x = torch.cat([x[:, :start], image.to(x.dtype), x[:, start + len(image_positions):]], 1)
        return self.language_model["model"](x)

    def logits(self, hidden):
        return F.linear(hidden, self.language_model["model"].embed_tokens.weight)
