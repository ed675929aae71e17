"""Random-weight LLaVA checkpoints in the shapes of real ones: few layers, a small vocabulary, activations as real models have them.

What makes rounding errors count as in trained models:
- weights have heavy tails (x + x^3 / 20 of a normal x), gains of their own for every row and for every block of 64 inputs (log-normal, 0.3);
- six channels of every norm before a layer's matrices are 20 times larger (10 times in the tower): outliers as trained models have them;
- every attention adds a quarter of the embeddings' RMS to the residual stream, every MLP 0.35 of it, as layers of trained models do;
  attention scores have a standard deviation of 1.5;
- the last norm is scaled so that the next-token distribution has 2.5 nats of entropy on average, as a language model's on text.
Random weights have no redundancy, so the same rounding still costs a few times what it costs a trained model: read the proportions.
The scales come from a run of the layer that is being made over random tokens. Same seed, same file (on one machine).
"""
import dataclasses
import json
import pathlib
import shutil

import numpy as np

from . import decoder, measure, safetensors_io

OUTLIERS, OUTLIER_GAIN, TOWER_OUTLIER_GAIN = 6, 20.0, 10.0
ATTENTION_SHARE, MLP_SHARE = 0.25, 0.35
SCORE_DEVIATION, ENTROPY = 1.5, 2.5
VOCABULARY, IMAGE_TOKEN = 4096, 573
IMAGE, PATCH, TOWER_WIDTH, TOWER_INNER, TOWER_HEADS = 112, 14, 1024, 4096, 16
SAMPLE = 96  # rows of the runs that give the scales
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
VERSION = 2  # of the recipe; part of a cached model's name


@dataclasses.dataclass(frozen=True)
class Shape:
    width: int
    inner: int
    heads: int
    kv_heads: int
    layers: int


SHAPES = {"llava-1.5-7b": Shape(4096, 11008, 32, 32, 2), "tinyllama-1.1b": Shape(2048, 5632, 32, 4, 4)}


def matrix(rng, out, inputs):
    """[out, inputs]; a product with it keeps the RMS, about."""
    x = rng.standard_normal((out, inputs), dtype=np.float32)
    x += x * x * x * np.float32(0.05)
    x *= np.exp(0.3 * rng.standard_normal((out, 1), dtype=np.float32))
    blocks = np.exp(0.3 * rng.standard_normal((out, -(-inputs // 64)), dtype=np.float32))
    x *= np.repeat(blocks, 64, axis=1)[:, :inputs]
    return x * np.float32(1 / (np.sqrt(np.mean(x * x)) * np.sqrt(inputs)))


def norm_weight(rng, width, gain):
    weight = 1 + 0.1 * rng.standard_normal(width, dtype=np.float32)
    weight[rng.choice(width, OUTLIERS, replace=False)] *= gain
    return weight


def rms(x):
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def config_json(shape, tower_layers):
    text = {"model_type": "llama", "hidden_size": shape.width, "intermediate_size": shape.inner, "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
            "max_position_embeddings": 2048, "vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2}
    vision = {"model_type": "clip_vision_model", "hidden_size": TOWER_WIDTH, "intermediate_size": TOWER_INNER, "num_hidden_layers": tower_layers,
              "num_attention_heads": TOWER_HEADS, "image_size": IMAGE, "patch_size": PATCH, "layer_norm_eps": 1e-5, "hidden_act": "quick_gelu"}
    return {"architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "image_token_index": IMAGE_TOKEN, "pad_token_id": 574,
            "projector_hidden_act": "gelu", "vision_feature_layer": -1, "vision_feature_select_strategy": "default", "torch_dtype": "float16",
            "tie_word_embeddings": False, "text_config": text, "vision_config": vision}


def tensor_shapes(shape, tower_layers):
    """{name: (type, shape)}: matrices f16, vectors f32."""
    shapes = {}

    def linear(name, out, inputs, bias):
        shapes[name + ".weight"] = (np.float16, (out, inputs))
        if bias:
            shapes[name + ".bias"] = (np.float32, (out,))

    width, tower = shape.width, TOWER_WIDTH
    for name in ("model.embed_tokens", "lm_head"):
        linear("language_model." + name, VOCABULARY, width, False)
    for i in range(shape.layers):
        here = f"language_model.model.layers.{i}."
        keys = width // shape.heads * shape.kv_heads
        for part, out, inputs in (("self_attn.q_proj", width, width), ("self_attn.k_proj", keys, width), ("self_attn.v_proj", keys, width),
                                  ("self_attn.o_proj", width, width), ("mlp.gate_proj", shape.inner, width), ("mlp.up_proj", shape.inner, width),
                                  ("mlp.down_proj", width, shape.inner)):
            linear(here + part, out, inputs, False)
        for part in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{here}{part}.weight"] = (np.float32, (width,))
    shapes["language_model.model.norm.weight"] = (np.float32, (width,))
    root = "vision_tower.vision_model."
    shapes[root + "embeddings.patch_embedding.weight"] = (np.float16, (tower, 3, PATCH, PATCH))
    shapes[root + "embeddings.class_embedding"] = (np.float32, (tower,))
    shapes[root + "embeddings.position_embedding.weight"] = (np.float32, ((IMAGE // PATCH) ** 2 + 1, tower))
    norms = [root + "pre_layrnorm", root + "post_layernorm"]
    for i in range(tower_layers):
        here = f"{root}encoder.layers.{i}."
        norms += [here + "layer_norm1", here + "layer_norm2"]
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            linear(f"{here}self_attn.{part}", tower, tower, True)
        linear(here + "mlp.fc1", TOWER_INNER, tower, True)
        linear(here + "mlp.fc2", tower, TOWER_INNER, True)
    for name in norms:
        for part in ("weight", "bias"):
            shapes[f"{name}.{part}"] = (np.float32, (tower,))
    linear("multi_modal_projector.linear_1", width, tower, True)
    linear("multi_modal_projector.linear_2", width, width, True)
    return shapes


def make_language(rng, writer, config):
    root = "language_model.model."
    x = writer.add(root + "embed_tokens.weight", matrix(rng, config.vocabulary, config.width) * np.sqrt(config.width))[:SAMPLE]
    for i in range(config.layers):
        here = f"{root}layers.{i}."
        made = {}

        def linear(part, a):
            if part not in made:
                made[part] = matrix(rng, *writer.shapes[f"{here}{part}.weight"][1])
            return a @ made[part].T

        norms = [writer.add(f"{here}{part}.weight", norm_weight(rng, config.width, OUTLIER_GAIN))
                 for part in ("input_layernorm", "post_attention_layernorm")]
        normed = decoder.rms_norm(x, norms[0], config.epsilon)
        q, k = (linear(f"self_attn.{p}_proj", normed) for p in "qk")
        group = config.heads // config.kv_heads
        q, k = q.reshape(SAMPLE, -1, config.head)[:, ::group], k.reshape(SAMPLE, -1, config.head)
        scores = np.einsum("rhd,shd->hrs", q, k) / np.sqrt(config.head)
        made["self_attn.q_proj"] *= SCORE_DEVIATION / float(np.std(scores))
        for branch, last, share, norm in ((decoder.attention_branch, "self_attn.o_proj", ATTENTION_SHARE, norms[0]),
                                          (decoder.mlp_branch, "mlp.down_proj", MLP_SHARE, norms[1])):
            added = branch(x, config, norm, linear)
            gain = share / rms(added)
            made[last] *= np.float32(gain)
            x = x + added * np.float32(gain)
        for part, weight in made.items():
            writer.add(f"{here}{part}.weight", weight)
    head = writer.add("language_model.lm_head.weight", matrix(rng, config.vocabulary, config.width))
    last = 1 + 0.1 * rng.standard_normal(config.width, dtype=np.float32)
    logits = decoder.rms_norm(x, last, config.epsilon) @ head.T
    writer.add(root + "norm.weight", last * measure.temperature_for(logits, ENTROPY))


def layer_norm(x, weight, bias):
    x = x - x.mean(axis=1, keepdims=True)
    return x / np.sqrt(np.mean(x * x, axis=1, keepdims=True) + np.float32(1e-5)) * weight + bias


def make_tower(rng, writer, layers, width):
    root = "vision_tower.vision_model."
    patches = rng.standard_normal((SAMPLE, 3 * PATCH * PATCH), dtype=np.float32)

    def small(size, scale=0.1):
        return np.float32(scale) * rng.standard_normal(size, dtype=np.float32)

    kernel = matrix(rng, TOWER_WIDTH, 3 * PATCH * PATCH)
    writer.add(root + "embeddings.patch_embedding.weight", kernel.reshape(TOWER_WIDTH, 3, PATCH, PATCH))
    writer.add(root + "embeddings.class_embedding", small(TOWER_WIDTH, 1.0))
    writer.add(root + "embeddings.position_embedding.weight", small(writer.shapes[root + "embeddings.position_embedding.weight"][1], 0.5))

    def norm(name, gain):
        return (writer.add(name + ".weight", norm_weight(rng, TOWER_WIDTH, gain)), writer.add(name + ".bias", small(TOWER_WIDTH)))

    x = layer_norm(patches @ kernel.T, *norm(root + "pre_layrnorm", 1.0))
    norm(root + "post_layernorm", 1.0)

    def linear(name, a, share=None):
        """share: the RMS that the output shall have."""
        weight, bias = matrix(rng, *writer.shapes[name + ".weight"][1]), small(writer.shapes[name + ".bias"][1])
        out = a @ weight.T
        gain = np.float32(1.0 if share is None else share / rms(out))
        writer.add(name + ".weight", weight * gain)
        return out * gain + writer.add(name + ".bias", bias * min(gain, 1))

    for i in range(layers):
        here = f"{root}encoder.layers.{i}."
        normed = layer_norm(x, *norm(here + "layer_norm1", TOWER_OUTLIER_GAIN))
        # Scores are sums of 64 products over 8: with both sides of this RMS they have the deviation.
        q, k, v = (linear(f"{here}self_attn.{p}_proj", normed, share).reshape(SAMPLE, TOWER_HEADS, -1)
                   for p, share in (("q", SCORE_DEVIATION), ("k", 1.0), ("v", 1.0)))
        x = x + linear(here + "self_attn.out_proj", decoder.attend(q, k, v, causal=False), ATTENTION_SHARE)
        inner = linear(here + "mlp.fc1", layer_norm(x, *norm(here + "layer_norm2", TOWER_OUTLIER_GAIN)), 1.5)
        x = x + linear(here + "mlp.fc2", inner / (1 + np.exp(-1.702 * inner)), MLP_SHARE)
    inner = linear("multi_modal_projector.linear_1", x, 1.5)
    linear("multi_modal_projector.linear_2", inner / (1 + np.exp(-1.702 * inner)), 1.0)


def make(name: str, cache: pathlib.Path, golden: pathlib.Path, layers: int | None, tower_layers: int, seed: int) -> pathlib.Path:
    """The checkpoint's folder, made now or found. `golden`: a checkpoint whose tokenizer is taken."""
    shape = SHAPES[name]
    if layers is not None:
        shape = dataclasses.replace(shape, layers=layers)
    folder = cache / f"{name}-{shape.layers}-{tower_layers}-{seed}-v{VERSION}"
    if (folder / "model.safetensors").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    settings = config_json(shape, tower_layers)
    (folder / "config.json").write_text(json.dumps(settings, indent=2))
    processor = json.loads((golden / "preprocessor_config.json").read_text())
    processor["crop_size"] = {"height": IMAGE, "width": IMAGE}
    processor["size"] = {"shortest_edge": IMAGE}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2))
    for file in TOKENIZER:
        shutil.copy(golden / file, folder / file)
    writer = safetensors_io.Writer(folder / "model.safetensors", tensor_shapes(shape, tower_layers))
    rng = np.random.default_rng(seed)
    make_language(rng, writer, decoder.Config.from_json(settings))
    make_tower(rng, writer, tower_layers, shape.width)
    writer.close()
    return folder
