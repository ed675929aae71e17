#!/usr/bin/env python3
"""Writes a golden model again as the GGUF pair that people have of such models: lm.gguf and mmproj.gguf.

Usage: tests/golden/make_gguf_pair.py [--type F32] [--legacy-tower] MODEL_DIR OUT_DIR; needs gguf, numpy and safetensors.
Keys, names, order of dimensions and the reordering of queries and keys are those of published files. --legacy-tower leaves out the last layer and
the norm behind it, and swaps the names of the tower's two MLP matrices, as older converters did.
"""
import argparse
import json
import pathlib

import gguf
import numpy as np
from gguf import quants
from safetensors import safe_open

LANGUAGE = {"embed_tokens": "token_embd", "norm": "output_norm"}
LAYER = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down"}
TOWER = {"embeddings.patch_embedding": "v.patch_embd", "embeddings.position_embedding": "v.position_embd", "pre_layrnorm": "v.pre_ln",
         "post_layernorm": "v.post_ln"}
TOWER_LAYER = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.out_proj": "attn_out",
               "layer_norm1": "ln1", "layer_norm2": "ln2", "mlp.fc1": "ffn_up", "mlp.fc2": "ffn_down"}


def load(folder):
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                tensors[name] = file.get_tensor(name).float().numpy()
    return tensors


def paired(weight, heads):
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def add(writer, name, array, kind):
    wanted = gguf.GGMLQuantizationType[kind]
    if array.ndim < 2 or name.endswith("position_embd.weight") or array.shape[-1] % gguf.GGML_QUANT_SIZES[wanted][0] != 0:
        wanted = gguf.GGMLQuantizationType.F32
    if wanted == gguf.GGMLQuantizationType.F32:
        writer.add_tensor(name, np.ascontiguousarray(array, dtype=np.float32))
    elif wanted == gguf.GGMLQuantizationType.F16:
        writer.add_tensor(name, np.ascontiguousarray(array, dtype=np.float16))
    else:
        writer.add_tensor(name, quants.quantize(np.ascontiguousarray(array, dtype=np.float32), wanted), raw_dtype=wanted)


def strip(name):
    return name.removeprefix("model.").removeprefix("language_model.").removeprefix("model.")


def write_language(config, tensors, folder, out, kind):
    text = config["text_config"]
    arch = "qwen2" if text.get("model_type") == "qwen2" else "llama"
    writer = gguf.GGUFWriter(out, arch)
    writer.add_block_count(text["num_hidden_layers"])
    writer.add_context_length(text.get("max_position_embeddings", 32768))
    writer.add_embedding_length(text["hidden_size"])
    writer.add_feed_forward_length(text["intermediate_size"])
    writer.add_head_count(text["num_attention_heads"])
    kv_heads = text.get("num_key_value_heads") or text["num_attention_heads"]
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(text.get("rms_norm_eps", 1e-6))
    head_dim = text.get("head_dim") or text["hidden_size"] // text["num_attention_heads"]
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    rope = text.get("rope_parameters") or {}
    writer.add_rope_freq_base(float(text.get("rope_theta") or rope.get("rope_theta") or 10000.0))
    write_vocabulary(writer, json.loads((folder / "tokenizer.json").read_text()), text)
    for name, array in tensors.items():
        name = strip(name)
        stem, _, kind_of = name.rpartition(".")
        if name == "lm_head.weight":
            add(writer, "output.weight", array, kind)
        elif stem in LANGUAGE:
            add(writer, f"{LANGUAGE[stem]}.{kind_of}", array, kind)
        elif stem.startswith("layers."):
            _, number, part = stem.split(".", 2)
            if arch == "llama" and part in ("self_attn.q_proj", "self_attn.k_proj"):
                array = paired(array, text["num_attention_heads"] if part == "self_attn.q_proj" else kv_heads)
            add(writer, f"blk.{number}.{LAYER[part]}.{kind_of}", array, kind)
    finish(writer)


def write_vocabulary(writer, tokenizer, text):
    vocab = {**tokenizer["model"]["vocab"], **{t["content"]: t["id"] for t in tokenizer["added_tokens"]}}
    special = {t["content"] for t in tokenizer["added_tokens"] if t["special"]}
    tokens = sorted(vocab, key=vocab.get)
    bytes_too = tokenizer["model"].get("byte_fallback")
    kinds = [2 if t == "<unk>" else 3 if t in special else 6 if bytes_too and len(t) == 6 and t.startswith("<0x") else 1 for t in tokens]
    if bytes_too:
        writer.add_tokenizer_model("llama")
        ranks = {}
        for place, merge in enumerate(tokenizer["model"]["merges"]):
            ranks.setdefault("".join(merge if isinstance(merge, list) else merge.split(" ", 1)), place)
        writer.add_token_scores([float(-ranks.get(t, 1e6)) for t in tokens])
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("qwen2" if text.get("model_type") == "qwen2" else "llama-bpe")
        writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]])
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    end = text.get("eos_token_id", 2)
    writer.add_eos_token_id(end[0] if isinstance(end, list) else end)
    begin = text.get("bos_token_id", 1)
    if begin is not None:
        writer.add_bos_token_id(begin)


def write_tower(config, tensors, processor, out, kind, legacy):
    vision = config["vision_config"]
    writer = gguf.GGUFWriter(out, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", "mlp")
    layers = vision["num_hidden_layers"] - (1 if legacy else 0)
    for key, value in {"image_size": vision["image_size"], "patch_size": vision["patch_size"], "embedding_length": vision["hidden_size"],
                       "feed_forward_length": vision["intermediate_size"], "block_count": layers,
                       "attention.head_count": vision["num_attention_heads"], "projection_dim": config["text_config"]["hidden_size"]}.items():
        writer.add_uint32(f"clip.vision.{key}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", vision.get("layer_norm_eps", 1e-5))
    writer.add_array("clip.vision.image_mean", [float(x) for x in processor["image_mean"]])
    writer.add_array("clip.vision.image_std", [float(x) for x in processor["image_std"]])
    writer.add_bool("clip.use_gelu", "gelu" in vision.get("hidden_act", "quick_gelu").removeprefix("quick_gelu"))
    feature = config.get("vision_feature_layer", -2)
    if feature != -2:
        writer.add_array("clip.vision.feature_layer", [f if f >= 0 else vision["num_hidden_layers"] + f + 1 for f in ([feature] if isinstance(feature, int) else feature)])
    names = dict(TOWER_LAYER, **({"mlp.fc1": "ffn_down", "mlp.fc2": "ffn_up"} if legacy else {}))
    for name, array in tensors.items():
        name = name.removeprefix("model.")
        if name.startswith("multi_modal_projector."):
            stem, kind_of = name.split(".")[1:]
            add(writer, f"mm.{0 if stem == 'linear_1' else 2}.{kind_of}", array, kind)
            continue
        if not name.startswith("vision_tower."):
            continue
        name = name.removeprefix("vision_tower.").removeprefix("vision_model.")
        stem, _, kind_of = name.rpartition(".")
        if name == "embeddings.class_embedding":
            writer.add_tensor("v.class_embd", array.astype(np.float32))
        elif stem in TOWER and not (legacy and stem == "post_layernorm"):
            add(writer, f"{TOWER[stem]}.{kind_of}", array, "F32" if array.ndim == 4 else kind)
        elif stem.startswith("encoder.layers."):
            number, part = stem.split(".", 3)[2:]
            if int(number) < layers:
                add(writer, f"v.blk.{number}.{names[part]}.{kind_of}", array, kind)
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--type", default="F32")
    parser.add_argument("--legacy-tower", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    config = json.loads((args.model / "config.json").read_text())
    processor = json.loads((args.model / "preprocessor_config.json").read_text())
    tensors = load(args.model)
    language = {n: t for n, t in tensors.items() if "language_model" in n or n == "lm_head.weight"}
    write_language(config, language, args.model, args.out / "lm.gguf", args.type)
    write_tower(config, tensors, processor, args.out / "mmproj.gguf", args.type, args.legacy_tower)


if __name__ == "__main__":
    main()
