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


def one(side):
    return side if isinstance(side, int) else side[0]


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
                     "head_dim": getattr(text, "head_dim", None)
                     or text.hidden_size // text.num_attention_heads,
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
    for name, place in golden_models.items():
        write_json(place.parent / "config_expected.json", resolved(place))
    return expected
