"""config.json of published checkpoints, with what transformers makes of the fields they leave out."""

import pathlib
import shutil
import tempfile

import transformers

CLIP_L_336 = {"hidden_size": 1024, "image_size": 336, "intermediate_size": 4096,
              "model_type": "clip_vision_model", "num_attention_heads": 16,
              "num_hidden_layers": 24, "patch_size": 14, "projection_dim": 768,
              "vocab_size": 32000}
SO400M = {"hidden_size": 1152, "image_size": 384, "intermediate_size": 4304,
          "model_type": "siglip_vision_model", "num_attention_heads": 16,
          "num_hidden_layers": 27, "patch_size": 14}
TILES = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
LLAMA3_ROPE = {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
               "original_max_position_embeddings": 8192, "rope_type": "llama3"}


def vicuna(name, **more):
    return {"_name_or_path": name, "architectures": ["LlamaForCausalLM"],
            "max_position_embeddings": 4096, "model_type": "llama", "rms_norm_eps": 1e-05,
            "torch_dtype": "float16", "vocab_size": 32064, **more}


def mistral(name, window, **more):
    return {"_name_or_path": name, "architectures": ["MistralForCausalLM"],
            "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mistral",
            "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "sliding_window": window,
            "torch_dtype": "bfloat16", "vocab_size": 32064, **more}


def llama31(**more):
    return {"architectures": ["LlamaForCausalLM"], "bos_token_id": 128000,
            "eos_token_id": [128001, 128008, 128009], "intermediate_size": 14336,
            "max_position_embeddings": 131072, "model_type": "llama", "num_key_value_heads": 8,
            "pad_token_id": 128004, "rms_norm_eps": 1e-05, "vocab_size": 128256, **more}


def llava(language, vision=CLIP_L_336, image=32000, kind="llava", **more):
    head = {"llava": "Llava", "llava_next": "LlavaNext", "llava_onevision": "LlavaOnevision"}[kind]
    return {"architectures": [head + "ForConditionalGeneration"], "ignore_index": -100,
            "image_token_index": image, "model_type": kind, "projector_hidden_act": "gelu",
            "text_config": language, "vision_config": vision, "vision_feature_layer": -2,
            "vision_feature_select_strategy": "default", **more}


def smolvlm(hidden, inner, heads, kv_heads, **more):
    return {"architectures": ["Idefics3ForConditionalGeneration"], "image_token_id": 49190,
            "model_type": "idefics3", "pad_token_id": 128002, "scale_factor": 4,
            "text_config": {"_flash_attn_2_enabled": True, "architectures": ["VLlama3ForCausalLM"],
                            "head_dim": 64, "hidden_size": hidden, "intermediate_size": inner,
                            "is_llama_config": True, "max_position_embeddings": 8192,
                            "model_type": "llama", "neftune_noise_alpha": 0.0,
                            "num_attention_heads": heads, "num_key_value_heads": kv_heads,
                            "pad_token_id": 2, "pixel_shuffle_factor": 4, "qk_layer_norms": False,
                            "rms_norm_eps": 1e-05, "rope_theta": 100000, "torch_dtype": "bfloat16",
                            "use_resampler": False, "vocab_size": 49280, **more},
            "tie_word_embeddings": False, "torch_dtype": "bfloat16", "use_cache": True,
            "vision_config": {"hidden_size": 768, "image_size": 512,
                              "max_image_size": {"longest_edge": 512}, "model_type": "idefics3",
                              "num_attention_heads": 12, "patch_size": 16,
                              "size": {"longest_edge": 2048}, "tie_word_embeddings": False,
                              "use_base_siglip": False},
            "vocab_size": 49280}


# Rows that one picture gives at most; the reference has no one number for it. Families' arithmetic.
IMAGE_ROWS = {"llava-v1.6-mistral-7b": 2928, "llava-v1.6-vicuna-7b": 2928,
              "llava-onevision-qwen2-0.5b": 729 + int(1.1 * 1.1 * 9 * 729) + 162,
              "smolvlm-256m-instruct": 17 * 64, "smolvlm-500m-instruct": 17 * 64,
              "internvl3-1b-hf": 13 * 256}


def published():
    vicuna13 = vicuna("lmsys/vicuna-13b-v1.5", hidden_size=5120, intermediate_size=13824,
                      num_attention_heads=40, num_hidden_layers=40, num_key_value_heads=40)
    joycaption = llama31(_name_or_path="unsloth/Meta-Llama-3.1-8B-Instruct",
                         rope_scaling=LLAMA3_ROPE, rope_theta=500000.0, torch_dtype="bfloat16",
                         unsloth_version="2024.9")
    beta = llama31(_name_or_path="meta-llama/Llama-3.1-8B-Instruct", attention_bias=False,
                   attention_dropout=0.0, dtype="bfloat16", head_dim=128, hidden_act="silu",
                   hidden_size=4096, initializer_range=0.02, mlp_bias=False,
                   num_attention_heads=32, num_hidden_layers=32, pretraining_tp=1,
                   rope_scaling=LLAMA3_ROPE, rope_theta=500000.0, use_cache=True)
    qwen15 = {"_name_or_path": "Qwen/Qwen1.5-0.5B-Chat", "architectures": ["Qwen2ForCausalLM"],
              "bos_token_id": 151643, "eos_token_id": 151645, "hidden_size": 1024,
              "intermediate_size": 2816, "max_position_embeddings": 32768, "max_window_layers": 21,
              "model_type": "qwen2", "num_attention_heads": 16, "num_hidden_layers": 24,
              "num_key_value_heads": 16, "rope_theta": 1000000.0, "sliding_window": 32768,
              "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_sliding_window": False,
              "vocab_size": 152000}
    qwen2 = {"_name_or_path": "Qwen/Qwen2-0.5B-Instruct", "architectures": ["Qwen2ForCausalLM"],
             "bos_token_id": 151643, "eos_token_id": 151645, "hidden_size": 896,
             "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 24,
             "model_type": "qwen2", "num_attention_heads": 14, "num_hidden_layers": 24,
             "num_key_value_heads": 2, "rope_theta": 1000000.0, "sliding_window": 32768,
             "tie_word_embeddings": True, "torch_dtype": "bfloat16", "use_sliding_window": False,
             "vocab_size": 152000}
    so400m_26 = {**SO400M, "num_hidden_layers": 26, "hidden_act": "gelu_pytorch_tanh",
                 "layer_norm_eps": 1e-06, "vision_use_head": False}
    return {
        "llava-1.5-7b": llava(vicuna("lmsys/vicuna-7b-v1.5"), pad_token_id=32001,
                              tie_word_embeddings=False, torch_dtype="float16",
                              transformers_version="4.36.0.dev0", vocab_size=32064),
        "llava-1.5-13b": llava(vicuna13, pad_token_id=32001, torch_dtype="float16",
                               transformers_version="4.36.0.dev0", vocab_size=32064),
        "bakllava-v1": llava(mistral("mistralai/Mistral-7B-v0.1", 4096), pad_token_id=32001,
                             torch_dtype="bfloat16", transformers_version="4.39.2",
                             vocab_size=32064),
        "evovlm-jp-v1-7b": llava(mistral("llava_v1.6_mistral_7b-shisa", 4096,
                                         torch_dtype="float16"),
                                 image_grid_pinpoints=TILES, pad_token_id=32001,
                                 use_image_newline_parameter=True, torch_dtype="float16",
                                 transformers_version="4.38.2", vocab_size=32064),
        "llava-interleave-qwen-0.5b": llava(qwen15, so400m_26, 151646, torch_dtype="bfloat16",
                                            transformers_version="4.43.0.dev0",
                                            vision_feature_layer=-1,
                                            vision_feature_select_strategy="full"),
        "joycaption-alpha-two": llava(joycaption, SO400M, 128077, image_seq_length=729,
                                      torch_dtype="bfloat16", transformers_version="4.45.2",
                                      vision_feature_select_strategy="full"),
        "joycaption-beta-one": llava(beta, {**SO400M, "attention_dropout": 0.0,
                                            "dtype": "bfloat16", "hidden_act": "gelu_pytorch_tanh",
                                            "layer_norm_eps": 1e-06, "num_channels": 3,
                                            "vision_use_head": True}, 128077,
                                     dtype="bfloat16", image_seq_length=729,
                                     multimodal_projector_bias=True,
                                     transformers_version="4.56.0",
                                     vision_feature_select_strategy="full"),
        "llava-v1.6-mistral-7b": llava(
            mistral("mistralai/Mistral-7B-Instruct-v0.2", None, rope_theta=1000000.0),
            kind="llava_next", image_grid_pinpoints=TILES, tie_word_embeddings=False,
            torch_dtype="float16", transformers_version="4.41.1",
            use_image_newline_parameter=True, vocab_size=32064),
        "llava-v1.6-vicuna-7b": llava(
            vicuna("lmsys/vicuna-7b-v1.5"), kind="llava_next", image_grid_pinpoints=TILES,
            pad_token_id=32001, torch_dtype="float16", transformers_version="4.39.0.dev0",
            use_image_newline_parameter=True, vocab_size=32064),
        "smolvlm-256m-instruct": smolvlm(576, 1536, 9, 3, num_hidden_layers=30),
        # The number of layers is the class's.
        "smolvlm-500m-instruct": smolvlm(960, 2560, 15, 5),
        "internvl3-1b-hf": {
            "architectures": ["InternVLForConditionalGeneration"], "downsample_ratio": 0.5,
            "image_seq_length": 256, "image_token_id": 151667, "model_type": "internvl",
            "projector_hidden_act": "gelu", "torch_dtype": "bfloat16",
            "transformers_version": "4.52.0.dev0", "vision_feature_layer": -1,
            "vision_feature_select_strategy": "default",
            "text_config": {
                "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0,
                "bos_token_id": 151643, "eos_token_id": 151645, "hidden_act": "silu",
                "hidden_size": 896, "initializer_range": 0.02, "intermediate_size": 4864,
                "max_position_embeddings": 32768, "max_window_layers": 70, "model_type": "qwen2",
                "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2,
                "rms_norm_eps": 1e-06,
                "rope_scaling": {"factor": 2.0, "rope_type": "dynamic", "type": "dynamic"},
                "rope_theta": 1000000.0, "sliding_window": None, "torch_dtype": "bfloat16",
                "use_cache": True, "use_sliding_window": False, "vocab_size": 151674},
            "vision_config": {
                "attention_bias": True, "hidden_act": "gelu", "hidden_size": 1024,
                "image_size": [448, 448], "intermediate_size": 4096, "layer_norm_eps": 1e-06,
                "layer_scale_init_value": 0.1, "model_type": "internvl_vision",
                "norm_type": "layer_norm", "num_attention_heads": 16, "num_channels": 3,
                "num_hidden_layers": 24, "patch_size": [14, 14],
                "use_absolute_position_embeddings": True, "use_mask_token": False,
                "use_mean_pooling": True, "use_qk_norm": False}},
        "llava-onevision-qwen2-0.5b": llava(
            qwen2, so400m_26, 151646, "llava_onevision",
            image_grid_pinpoints=[[384 * h, 384 * w] for h in range(1, 7) for w in range(1, 7)],
            tie_word_embeddings=True, torch_dtype="float16", transformers_version="4.45.0.dev0",
            use_image_newline_parameter=True, video_token_index=151647,
            vision_aspect_ratio="anyres_max_9", vision_feature_layer=-1,
            vision_feature_select_strategy="full"),
    }


def qwen_vision(width, inner, layers, out, deep=None):
    return {"depth": layers, "hidden_act": "gelu_pytorch_tanh", "hidden_size": width,
            "in_channels": 3, "initializer_range": 0.02, "intermediate_size": inner,
            "num_heads": 16, "num_position_embeddings": 2304, "out_hidden_size": out,
            "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2,
            **({} if deep is None else {"deepstack_visual_indexes": deep})}


def published_qwen():
    """Of the families whose pictures have any size."""
    old = {"attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645,
           "vision_start_token_id": 151652, "vision_end_token_id": 151653,
           "vision_token_id": 151654, "image_token_id": 151655, "video_token_id": 151656,
           "hidden_act": "silu", "initializer_range": 0.02, "rms_norm_eps": 1e-06,
           "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": True,
           "torch_dtype": "bfloat16", "use_cache": True, "use_sliding_window": False,
           "vocab_size": 151936, "num_key_value_heads": 2}
    ids3 = {"image_token_id": 151655, "video_token_id": 151656, "vision_start_token_id": 151652,
            "vision_end_token_id": 151653}
    text3 = {"attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 151643,
             "dtype": "bfloat16", "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
             "initializer_range": 0.02, "max_position_embeddings": 262144,
             "model_type": "qwen3_vl_text", "num_key_value_heads": 8, "rms_norm_eps": 1e-06,
             "use_cache": True, "vocab_size": 151936}
    rope3 = {"mrope_interleaved": True, "mrope_section": [24, 20, 20], "rope_type": "default"}
    return {
        "qwen2-vl-2b-instruct": {
            **old, "architectures": ["Qwen2VLForConditionalGeneration"], "hidden_size": 1536,
            "intermediate_size": 8960, "max_position_embeddings": 32768, "max_window_layers": 28,
            "model_type": "qwen2_vl", "num_attention_heads": 12, "num_hidden_layers": 28,
            "rope_scaling": {"mrope_section": [16, 24, 24], "type": "mrope"},
            "transformers_version": "4.41.2",
            "vision_config": {"depth": 32, "embed_dim": 1280, "hidden_size": 1536, "in_chans": 3,
                              "mlp_ratio": 4, "num_heads": 16, "patch_size": 14,
                              "spatial_merge_size": 2, "spatial_patch_size": 14,
                              "temporal_patch_size": 2}},
        # Most of the tower is the class's.
        "qwen2.5-vl-3b-instruct": {
            **old, "architectures": ["Qwen2_5_VLForConditionalGeneration"], "hidden_size": 2048,
            "intermediate_size": 11008, "max_position_embeddings": 128000, "max_window_layers": 70,
            "model_type": "qwen2_5_vl", "num_attention_heads": 16, "num_hidden_layers": 36,
            "rope_scaling": {"mrope_section": [16, 24, 24], "rope_type": "default",
                             "type": "default"},
            "transformers_version": "4.49.0.dev0",
            "vision_config": {"hidden_size": 1280, "in_chans": 3, "model_type": "qwen2_5_vl",
                              "out_hidden_size": 2048, "spatial_patch_size": 14,
                              "tokens_per_second": 2, "torch_dtype": "bfloat16"}},
        "qwen3-vl-4b-instruct": {
            **ids3, "architectures": ["Qwen3VLForConditionalGeneration"],
            "model_type": "qwen3_vl", "tie_word_embeddings": True,
            "text_config": {**text3, "hidden_size": 2560, "intermediate_size": 9728,
                            "num_attention_heads": 32, "num_hidden_layers": 36,
                            "rope_scaling": rope3, "rope_theta": 5000000,
                            "tie_word_embeddings": True},
            "transformers_version": "4.57.0.dev0",
            "vision_config": {**qwen_vision(1024, 4096, 24, 2560, [5, 11, 17]),
                              "model_type": "qwen3_vl"}},
        # As a fine-tune of it was saved by transformers 5.
        "qwen3-vl-32b-resaved": {
            **ids3, "architectures": ["Qwen3VLForConditionalGeneration"], "dtype": "bfloat16",
            "hidden_size": 5120, "model_type": "qwen3_vl", "tie_word_embeddings": False,
            "text_config": {**text3, "hidden_size": 5120, "intermediate_size": 25600,
                            "num_attention_heads": 64, "num_hidden_layers": 64,
                            "pad_token_id": None,
                            "rope_parameters": {**rope3, "rope_theta": 5000000}},
            "transformers_version": "5.0.0", "use_cache": True,
            "vision_config": {**qwen_vision(1152, 4304, 27, 5120, [8, 16, 24]),
                              "dtype": "bfloat16", "model_type": "qwen3_vl"}},
        "qwen3.5-4b": {
            "architectures": ["Qwen3_5ForConditionalGeneration"], "image_token_id": 248056,
            "model_type": "qwen3_5", "tie_word_embeddings": True, "video_token_id": 248057,
            "vision_start_token_id": 248053, "vision_end_token_id": 248054,
            "text_config": {
                "attention_bias": False, "attention_dropout": 0.0, "attn_output_gate": True,
                "eos_token_id": 248044, "full_attention_interval": 4, "head_dim": 256,
                "hidden_act": "silu", "hidden_size": 2560, "initializer_range": 0.02,
                "intermediate_size": 9216,
                "layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 8,
                "linear_conv_kernel_dim": 4, "linear_key_head_dim": 128,
                "linear_num_key_heads": 16, "linear_num_value_heads": 32,
                "linear_value_head_dim": 128, "mamba_ssm_dtype": "float32",
                "max_position_embeddings": 262144, "mlp_only_layers": [],
                "model_type": "qwen3_5_text", "mtp_num_hidden_layers": 1,
                "mtp_use_dedicated_embeddings": False, "num_attention_heads": 16,
                "num_hidden_layers": 32, "num_key_value_heads": 4, "rms_norm_eps": 1e-06,
                "rope_parameters": {"mrope_interleaved": True, "mrope_section": [11, 11, 10],
                                    "partial_rotary_factor": 0.25, "rope_theta": 10000000,
                                    "rope_type": "default"},
                "tie_word_embeddings": True, "use_cache": True, "vocab_size": 248320},
            "vision_config": {**qwen_vision(1024, 4096, 24, 2560, []), "model_type": "qwen3_5"}},
    }


def resolved_qwen(folder):
    """What the reference takes each field of published_qwen() to be."""
    config = transformers.AutoConfig.from_pretrained(folder)
    text, vision = config.text_config, config.vision_config
    of_2 = vision.model_type.startswith("qwen2_vl")
    width = vision.embed_dim if of_2 else vision.hidden_size
    windows = hasattr(vision, "fullatt_block_indexes")
    linear = [kind == "linear_attention" for kind in getattr(text, "layer_types", None) or []]
    return {
        "image_token": config.image_token_id,
        "tower": {"hidden_size": width, "layers": vision.depth, "heads": vision.num_heads,
                  "intermediate_size":
                  width * vision.mlp_ratio if of_2 else vision.intermediate_size,
                  "out": vision.hidden_size if of_2 else vision.out_hidden_size,
                  "patch": vision.patch_size, "merge": vision.spatial_merge_size,
                  "frames": vision.temporal_patch_size, "activation": vision.hidden_act,
                  "window": vision.window_size // vision.spatial_merge_size // vision.patch_size
                  if windows else 0,
                  "full_layers": list(vision.fullatt_block_indexes) if windows else [],
                  "deep_layers": list(getattr(vision, "deepstack_visual_indexes", None) or [])
                  if config.model_type == "qwen3_vl" else []},
        "language": {"hidden_size": text.hidden_size, "layers": text.num_hidden_layers,
                     "intermediate_size": text.intermediate_size,
                     "heads": text.num_attention_heads, "kv_heads": text.num_key_value_heads,
                     "head_dim": head_dim(text),
                     "vocab_size": text.vocab_size, "max_position": text.max_position_embeddings,
                     "rms_norm_eps": text.rms_norm_eps,
                     "theta": text.rope_parameters["rope_theta"],
                     "sections": text.rope_parameters["mrope_section"],
                     "linear_layers": linear if any(linear) else []},
    }


def run_qwen(folder, write_json):
    """Writes NAME.json for each of published_qwen() and expected.json for all."""
    folder.mkdir()
    expected = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, config in published_qwen().items():
            write_json(folder / f"{name}.json", dict(sorted(config.items())))
            shutil.copy(folder / f"{name}.json", pathlib.Path(scratch) / "config.json")
            expected[name] = resolved_qwen(scratch)
    write_json(folder / "expected.json", expected)


def one(side):
    return side if isinstance(side, int) else side[0]


def head_dim(text):
    return getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads


def projector(config):
    layers = config.vision_feature_layer
    return {"activation": config.projector_hidden_act, "bias": config.multimodal_projector_bias,
            "feature_layers": [layers] if isinstance(layers, int) else list(layers),
            "select": config.vision_feature_select_strategy}


def resolved(folder):
    """What the reference takes each field to be."""
    config = transformers.AutoConfig.from_pretrained(folder)
    text, vision = config.text_config, config.vision_config
    rope = text.rope_parameters
    image, patch = one(vision.image_size), one(vision.patch_size)
    patches = (image // patch) ** 2
    end = text.eos_token_id
    return {
        "model_type": config.model_type,
        "image_token": config.image_token_id,
        "pad_token": getattr(config, "pad_token_id", None),
        "tie_word_embeddings": bool(config.tie_word_embeddings or text.tie_word_embeddings),
        **({"projector": projector(config)} if hasattr(config, "multimodal_projector_bias") else {}),
        "tower": {"model_type": vision.model_type, "image_size": image,
                  "patch_size": patch, "patches": patches,
                  "channels": vision.num_channels, "hidden_size": vision.hidden_size,
                  "intermediate_size": vision.intermediate_size,
                  "layers": vision.num_hidden_layers, "heads": vision.num_attention_heads,
                  "layer_norm_eps": vision.layer_norm_eps, "activation": vision.hidden_act},
        "language": {"model_type": text.model_type, "hidden_size": text.hidden_size,
                     "intermediate_size": text.intermediate_size,
                     "layers": text.num_hidden_layers, "heads": text.num_attention_heads,
                     "kv_heads": text.num_key_value_heads,
                     "head_dim": head_dim(text),
                     "vocab_size": text.vocab_size, "max_position": text.max_position_embeddings,
                     "rms_norm_eps": text.rms_norm_eps, "activation": text.hidden_act,
                     "sliding_window": getattr(text, "sliding_window", None),
                     "attention_bias": text.model_type == "qwen2"
                     or bool(getattr(text, "attention_bias", False)),
                     "mlp_bias": bool(getattr(text, "mlp_bias", False)),
                     "bos_token": text.bos_token_id,
                     "eos_tokens": [] if end is None else end if isinstance(end, list) else [end],
                     "rope": {"type": rope["rope_type"], "theta": rope["rope_theta"],
                              **{key: rope[key] for key in
                                 ("factor", "low_freq_factor", "high_freq_factor",
                                  "original_max_position_embeddings") if key in rope}}},
    }


def run(folder, golden_models, write_json):
    """Writes NAME.json for each and expected.json for all, the golden models' too."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()
    expected = {}
    with tempfile.TemporaryDirectory() as scratch:
        place = pathlib.Path(scratch)
        for name, config in published().items():
            write_json(folder / f"{name}.json", dict(sorted(config.items())))
            shutil.copy(folder / f"{name}.json", place / "config.json")
            expected[name] = resolved(place)
            if name in IMAGE_ROWS:
                expected[name]["image_rows"] = IMAGE_ROWS[name]
            if name in ("llava-1.5-7b", "joycaption-beta-one"):
                # The same as transformers 5 saves it.
                transformers.AutoConfig.from_pretrained(place).save_pretrained(place)
                shutil.copy(place / "config.json", folder / f"{name}-resaved.json")
                expected[f"{name}-resaved"] = resolved(place)
                if expected[f"{name}-resaved"] != expected[name]:
                    raise SystemExit(f"{name}: not the same after saving")
    write_json(folder / "expected.json", expected)
    run_qwen(folder / "qwen", write_json)
    for name, place in golden_models.items():
        write_json(place.parent / "config_expected.json", resolved(place))
    return expected
