"""Random weights whose greedy answers are worth comparing, under every spelling of their names."""

import hashlib

import numpy as np
import torch
from safetensors.torch import save_file

SPELLINGS = ("old", "native", "saved5")


def random_tensor(name, shape, seed, tied):
    """Seeded by the name too, so that a tensor stays the same when others come or go."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    rng = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little")))
    noise = rng.standard_normal(shape)
    if "norm" in name or "layrnorm" in name:
        return 1.0 + 0.2 * noise if name.endswith("weight") else 0.1 * noise
    if name.endswith("bias") or name.endswith("class_embedding"):
        return 0.2 * noise
    if "embed_tokens" in name:
        return (0.3 if tied else 1.0) * noise
    if "position_embedding" in name or name.endswith("probe"):
        return 0.5 * noise
    gain = 1.3
    if "q_proj" in name or "k_proj" in name:
        gain = 1.8
    elif "lm_head" in name:
        gain = 3.0
    elif "multi_modal_projector" in name:
        gain = 1.8
    return gain * noise / np.sqrt(np.prod(shape[1:]))


def fill(model, seed, dtype):
    """Sets every weight to what is stored: rounded to `dtype`, then held as f32."""
    tied = model.config.tie_word_embeddings
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            stem = name.replace(".vision_model.", ".")
            value = torch.from_numpy(random_tensor(stem, tuple(parameter.shape), seed, tied))
            parameter.copy_(value.to(torch.float32).to(dtype).to(torch.float32))
    model.tie_weights()


def spell(name, spelling):
    """A tensor's name in the checkpoint, from its name in the reference."""
    inner = name.removeprefix("model.")
    if spelling == "qwen":  # Qwen2-VL as published
        return inner.replace("language_model.", "model.", 1)
    tower = inner.startswith("vision_tower.")
    if tower:
        inner = inner.replace("vision_tower.vision_model.", "vision_tower.")
        if spelling != "saved5":
            inner = inner.replace("vision_tower.", "vision_tower.vision_model.", 1)
    if spelling == "native":
        return inner if inner.startswith("lm_head") else "model." + inner
    if inner.startswith("lm_head"):
        return "language_model." + inner
    if inner.startswith("language_model."):
        return inner.replace("language_model.", "language_model.model.", 1)
    return inner


def stored(model, spelling, dtype, leftovers=False):
    """{name: tensor} as saved. `leftovers`: tensors that old files hold and nobody needs."""
    tied = model.config.tie_word_embeddings
    tensors = {spell(name, spelling): value.to(dtype).contiguous()
               for name, value in model.named_parameters()
               if not (tied and name.startswith("lm_head"))}
    if leftovers:
        text = model.config.text_config
        half = text.head_dim // 2
        frequencies = 1.0 / 10000 ** (torch.arange(half, dtype=torch.float32) / half)
        for layer in range(text.num_hidden_layers):
            tensors[f"language_model.model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = frequencies.clone()
        vision = model.config.vision_config
        places = (vision.image_size // vision.patch_size) ** 2 + 1
        tensors["vision_tower.vision_model.embeddings.position_ids"] = torch.arange(places)[None]
    return dict(sorted(tensors.items()))


def save(tensors, folder, shards, write_json):
    """model.safetensors, or shards of about equal size with their index."""
    meta = {"format": "pt"}
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata=meta)
        return
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    groups, size = [[]], 0
    for name, tensor in tensors.items():
        if size > total / shards * len(groups) and len(groups) < shards:
            groups.append([])
        groups[-1].append(name)
        size += tensor.numel() * tensor.element_size()
    where = {}
    for index, names in enumerate(groups, 1):
        file = f"model-{index:05d}-of-{len(groups):05d}.safetensors"
        save_file({name: tensors[name] for name in names}, folder / file, metadata=meta)
        where.update({name: file for name in names})
    write_json(folder / "model.safetensors.index.json",
               {"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))})
