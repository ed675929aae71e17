"""The golden models whose pictures become tiles; see models.py for those that see one square.

Sizes are as small as every branch allows: several shapes of grids, borders that are odd, pictures
that are smaller than a tile, as large, one pixel larger, and very thin.
"""

import dataclasses

import torch

from . import templates, vocabularies
from .models import CLIP_MEAN, CLIP_STD, text, tower

# In families/pictures: name, width, height. Tiles are 28 pixels.
PICTURES = [("dot", 1, 1), ("wide", 131, 23), ("tall", 19, 120), ("odd", 61, 47), ("tile", 28, 28),
            ("one_more", 29, 28), ("thin", 2, 90), ("square", 90, 90)]


@dataclasses.dataclass
class Family:
    name: str
    about: str
    seed: int  # found with --search
    vocabulary: vocabularies.Vocabulary
    config: dict
    processors: dict  # file name: content
    template: tuple  # (file, text)
    limits: list  # cases within limits: what the engine is told, and the reference
    generation: dict | None = None
    dtype: torch.dtype = torch.float32
    spelling: str = "old"


def image(name):
    return {"type": "image", "image": f"{name}.png"}


def words(content):
    return {"type": "text", "text": content}


def user(*parts):
    return {"role": "user", "content": list(parts)}


def assistant(content):
    return {"role": "assistant", "content": [words(content)]}


def case(id, *messages):
    return {"id": id, "messages": list(messages)}


def limit(id, name, *, processor, model=None, **options):
    """`options`: max_tiles or image_tokens; `processor`, `model`: the settings that come to it."""
    return {**case(id, user(image(name), words("What is in the picture?"))), "limits": options,
            "reference": {"processor": processor, "model": model or {}}}


# Every picture once; then what several pictures and turns change.
CASES = [case(name, user(image(name), words(f"What is in picture {number}?")))
         for number, (name, _, _) in enumerate(PICTURES)] + [
    case("two", user(image("wide"), words("Which one is red?"), image("tile"))),
    case("turns", user(image("odd"), words("What colour is the circle?")), assistant("It is red."),
         user(words("And this?"), image("one_more")))]


def llava_next():
    known = vocabularies.llama()
    grids = [[28, 56], [56, 28], [56, 56], [84, 28], [28, 84]]
    return Family(
        "llava_next", "LLaVA-1.6 as published: CLIP, Mistral, grids of up to four tiles", 8, known,
        {"architectures": ["LlavaNextForConditionalGeneration"], "model_type": "llava_next",
         "image_grid_pinpoints": grids, "image_token_index": known.ids[known.image],
         "projector_hidden_act": "gelu", "tie_word_embeddings": False,
         "use_image_newline_parameter": True, "vision_feature_layer": -2,
         "vision_feature_select_strategy": "default",
         "text_config": text("mistral", known.rows, num_key_value_heads=2, rms_norm_eps=1e-5,
                             sliding_window=None, rope_theta=1000000.0,
                             max_position_embeddings=2048),
         "vision_config": tower(image=28, patch=7), "torch_dtype": "float32",
         "transformers_version": "4.41.1"},
        {"preprocessor_config.json": {
            "aspect_ratio_setting": "anyres", "crop_size": {"height": 28, "width": 28},
            "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True, "do_pad": True,
            "do_rescale": True, "do_resize": True, "image_grid_pinpoints": grids,
            "image_mean": CLIP_MEAN, "image_processor_type": "LlavaNextImageProcessor",
            "image_std": CLIP_STD, "processor_class": "LlavaNextProcessor", "resample": 3,
            "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": 28}},
         "processor_config.json": {
             "image_token": "<image>", "num_additional_image_tokens": 1, "patch_size": 7,
             "processor_class": "LlavaNextProcessor", "vision_feature_select_strategy": "default"}},
        ("chat_template.json", templates.MISTRAL),
        [limit("two_tiles", "odd", max_tiles=2, processor={"image_grid_pinpoints": grids[:2]},
               model={"image_grid_pinpoints": grids[:2]}),
         # 16 of the whole, then 8 x 4 and 8 line ends, or 4 x 8 and 4.
         limit("tokens", "square", image_tokens=52, processor={"image_grid_pinpoints": grids[:1]},
               model={"image_grid_pinpoints": grids[:1]})])


def llava_onevision():
    known = vocabularies.qwen2()
    grids = [[28 * down, 28 * across] for down in (1, 2, 3) for across in (1, 2, 3)]
    return Family(
        "llava_onevision", "OneVision as published: SigLIP, Qwen 2 with ChatML, rows averaged down "
        "above two tiles' worth; F16; names of 4.52", 10, known,
        {"architectures": ["LlavaOnevisionForConditionalGeneration"],
         "model_type": "llava_onevision", "image_grid_pinpoints": grids,
         "image_token_index": known.ids[known.image], "projector_hidden_act": "gelu",
         "tie_word_embeddings": True, "video_token_index": known.ids["<|endoftext|>"],
         "vision_aspect_ratio": "anyres_max_2", "vision_feature_layer": -1,
         "vision_feature_select_strategy": "full",
         "text_config": text("qwen2", known.rows, num_key_value_heads=2, rms_norm_eps=1e-6,
                             rope_theta=1000000.0, tie_word_embeddings=True,
                             max_position_embeddings=2048,
                             bos_token_id=known.ids["<|endoftext|>"],
                             eos_token_id=known.ids["<|im_end|>"]),
         "vision_config": tower("siglip_vision_model", image=28, patch=7, vision_use_head=False),
         "torch_dtype": "float16", "transformers_version": "4.52.0"},
        {"preprocessor_config.json": {
            "do_convert_rgb": True, "do_normalize": True, "do_pad": True, "do_rescale": True,
            "do_resize": True, "image_grid_pinpoints": grids, "image_mean": CLIP_MEAN,
            "image_processor_type": "LlavaOnevisionImageProcessor", "image_std": CLIP_STD,
            "processor_class": "LlavaOnevisionProcessor", "resample": 3,
            "rescale_factor": 0.00392156862745098, "size": {"height": 28, "width": 28}},
         "processor_config.json": {
             "image_token": "<image>", "num_image_tokens": 16, "video_token": "<video>",
             "processor_class": "LlavaOnevisionProcessor", "vision_aspect_ratio": "anyres_max_2",
             "vision_feature_select_strategy": "full"}},
        ("chat_template.json", templates.CHATML),
        [limit("one_tile", "wide", max_tiles=1, processor={"image_grid_pinpoints": grids[:1]},
               model={"image_grid_pinpoints": grids[:1]})], dtype=torch.float16, spelling="native",
        generation={"bos_token_id": known.ids["<|endoftext|>"],
                    "eos_token_id": known.ids["<|im_end|>"]})


def idefics3_tower(image=28, patch=7, layers=2, **more):
    # What the class says for the rest is far from tiny.
    return {"hidden_size": 32, "image_size": image, "intermediate_size": 64,
            "num_attention_heads": 4, "num_hidden_layers": layers, "patch_size": patch, **more}


def idefics3_processors(kind, tile, edge, rows, **more):
    return {
        "preprocessor_config.json": {
            "do_convert_rgb": True, "do_image_splitting": True, "do_normalize": True,
            "do_pad": True, "do_rescale": True, "do_resize": True, "image_mean": [0.5, 0.5, 0.5],
            "image_processor_type": f"{kind}ImageProcessor", "image_std": [0.5, 0.5, 0.5],
            "max_image_size": {"longest_edge": tile}, "processor_class": f"{kind}Processor",
            "resample": 1, "rescale_factor": 0.00392156862745098, "size": {"longest_edge": edge},
            **more},
        "processor_config.json": {"image_seq_len": rows, "processor_class": f"{kind}Processor"}}


def smolvlm():
    known = vocabularies.smolvlm()
    return Family(
        "smolvlm", "SmolVLM2 as published: Llama with tied embeddings and digits by themselves, "
        "up to 4 x 4 tiles whose places have tokens of their own; BF16", 2, known,
        {"architectures": ["SmolVLMForConditionalGeneration"], "model_type": "smolvlm",
         "image_token_id": known.ids["<image>"], "pad_token_id": known.ids["<|im_end|>"],
         "scale_factor": 2, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
         "transformers_version": "4.47.1", "use_cache": False,
         "text_config": text("llama", known.rows, num_key_value_heads=2, rms_norm_eps=1e-5,
                             head_dim=12, rope_theta=100000, max_position_embeddings=4096,
                             tie_word_embeddings=True, bos_token_id=known.ids["<|im_start|>"],
                             eos_token_id=known.ids["<end_of_utterance>"], pixel_shuffle_factor=2),
         "vision_config": idefics3_tower(model_type="smolvlm_vision",
                                         size={"longest_edge": 112})},
        idefics3_processors("SmolVLM", 28, 112, 4), ("chat_template.json", templates.SMOLVLM),
        [limit("four_tiles", "odd", max_tiles=5, processor={"size": {"longest_edge": 56}}),
         limit("tokens", "square", image_tokens=39, processor={"size": {"longest_edge": 56}}),
         limit("one", "wide", max_tiles=1, processor={"size": {"longest_edge": 28}})],
        dtype=torch.bfloat16, spelling="native",
        generation={"eos_token_id": known.ids["<end_of_utterance>"]})


def idefics3():
    known = vocabularies.llama3_images()
    return Family(
        "idefics3", "Idefics3 as published: Llama 3, whose vocabulary has no tokens for the "
        "places of tiles; an edge that is no whole number of tiles; a block of three", 2, known,
        {"architectures": ["Idefics3ForConditionalGeneration"], "model_type": "idefics3",
         "image_token_id": known.ids["<image>"], "scale_factor": 3,
         "tie_word_embeddings": False, "torch_dtype": "bfloat16", "transformers_version": "4.46.0",
         "text_config": text("llama", known.rows, num_key_value_heads=4, rms_norm_eps=1e-5,
                             rope_theta=500000.0, max_position_embeddings=4096,
                             bos_token_id=known.ids["<|begin_of_text|>"],
                             eos_token_id=known.ids["<|eot_id|>"]),
         "vision_config": idefics3_tower(30, 5, 3)},
        idefics3_processors("Idefics3", 30, 70, 4), ("chat_template.json", templates.IDEFICS3),
        [limit("four_tiles", "wide", max_tiles=4, processor={"size": {"longest_edge": 60}})],
        spelling="native")


def internvl():
    return internvl_with("qwen2", "internvl", "InternVL3 as published: InternViT with layer scale, "
                         "Qwen 2, up to six tiles; BF16; names as 5.x saves them", 8)


def internvl3_5():
    return internvl_with("qwen3", "internvl3_5", "InternVL3.5: the same with Qwen 3, whose heads "
                         "are not a share of the width; BF16", 13, head_dim=16)


def internvl_with(language, name, description, seed, **more):
    known = vocabularies.internvl()
    return Family(
        name, description, seed, known,
        {"architectures": ["InternVLForConditionalGeneration"], "model_type": "internvl",
         "downsample_ratio": 0.5, "image_seq_length": 4,
         "image_token_id": known.ids["<IMG_CONTEXT>"], "projector_hidden_act": "gelu",
         "torch_dtype": "bfloat16", "transformers_version": "4.52.0.dev0",
         "vision_feature_layer": -1, "vision_feature_select_strategy": "default",
         "tie_word_embeddings": False,
         "text_config": text(language, known.rows, num_key_value_heads=2, rms_norm_eps=1e-6,
                             rope_theta=1000000.0, max_position_embeddings=4096,
                             bos_token_id=known.ids["<|endoftext|>"],
                             eos_token_id=known.ids["<|im_end|>"], **more),
         "vision_config": {
             "attention_bias": True, "hidden_act": "gelu", "hidden_size": 32,
             "image_size": [28, 28], "intermediate_size": 64, "layer_norm_eps": 1e-6,
             "layer_scale_init_value": 0.1, "model_type": "internvl_vision",
             "norm_type": "layer_norm", "num_attention_heads": 4, "num_hidden_layers": 3,
             "patch_size": [7, 7], "use_absolute_position_embeddings": True,
             "use_mask_token": False, "use_mean_pooling": True, "use_qk_norm": False}},
        {"preprocessor_config.json": {
            "crop_size": None, "crop_to_patches": False, "do_center_crop": None,
            "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
            "image_mean": [0.485, 0.456, 0.406],
            "image_processor_type": "GotOcr2ImageProcessorFast",
            "image_std": [0.229, 0.224, 0.225], "max_patches": 6, "min_patches": 1,
            "processor_class": "InternVLProcessor", "resample": 3,
            "rescale_factor": 0.00392156862745098, "size": {"height": 28, "width": 28}},
         "processor_config.json": {"image_seq_length": 4,
                                   "processor_class": "InternVLProcessor"}},
        ("chat_template.jinja", templates.INTERNVL),
        [limit("two_tiles", "wide", max_tiles=2, processor={"max_patches": 2}),
         limit("tokens", "square", image_tokens=20, processor={"max_patches": 4}),
         limit("one", "tall", max_tiles=1, processor={"max_patches": 1})], dtype=torch.bfloat16, spelling="saved5",
        generation={"_from_model_config": True, "eos_token_id": known.ids["<|im_end|>"]})


def granite_vision():
    known = vocabularies.granite()
    grids = [[28 * down, 28 * across] for down, across in
             ((1, 2), (1, 3), (1, 4), (2, 1), (2, 2), (3, 1), (4, 1))]
    return Family(
        "granite_vision", "Granite Vision 3.x as published: LLaVA-NeXT with SigLIP, features of "
        "four layers, and Granite with its multipliers, tied; BF16; names of 4.52", 1, known,
        {"architectures": ["LlavaNextForConditionalGeneration"], "model_type": "llava_next",
         "image_grid_pinpoints": grids, "image_token_index": known.ids[known.image],
         "multimodal_projector_bias": True, "projector_hidden_act": "gelu",
         "tie_word_embeddings": True, "use_image_newline_parameter": True,
         "vision_feature_layer": [-4, -3, -2, -1], "vision_feature_select_strategy": "full",
         "text_config": text("granite", known.rows, num_key_value_heads=2, rms_norm_eps=1e-5,
                             rope_theta=300000, max_position_embeddings=2048,
                             attention_multiplier=0.4, embedding_multiplier=0.7,
                             logits_scaling=2.0, residual_multiplier=1.7,
                             tie_word_embeddings=True, bos_token_id=known.ids["<|end_of_text|>"],
                             eos_token_id=known.ids["<|end_of_text|>"]),
         "vision_config": tower("siglip_vision_model", image=28, patch=7, layers=4),
         "torch_dtype": "bfloat16", "transformers_version": "4.49.0"},
        {"preprocessor_config.json": {
            "crop_size": {"height": 28, "width": 28}, "do_center_crop": True,
            "do_convert_rgb": True, "do_normalize": True, "do_pad": True, "do_rescale": True,
            "do_resize": True, "image_grid_pinpoints": grids, "image_mean": [0.5, 0.5, 0.5],
            "image_processor_type": "LlavaNextImageProcessor", "image_std": [0.5, 0.5, 0.5],
            "processor_class": "LlavaNextProcessor", "resample": 3,
            "rescale_factor": 0.00392156862745098, "size": {"height": 28, "width": 28}},
         "processor_config.json": {
             "image_token": "<image>", "num_additional_image_tokens": 0, "patch_size": 7,
             "processor_class": "LlavaNextProcessor", "vision_feature_select_strategy": "full"}},
        ("chat_template.json", templates.GRANITE),
        [], dtype=torch.bfloat16, spelling="native")


def qwen_vl_config(kind, known, vision, language, flat=False, **more):
    """`flat`: the text model's keys beside the tower's, as the first releases have them."""
    config = {"architectures": [kind + "ForConditionalGeneration"],
              "image_token_id": known.ids["<|image_pad|>"],
              "video_token_id": known.ids["<|video_pad|>"],
              "vision_start_token_id": known.ids["<|vision_start|>"],
              "vision_end_token_id": known.ids["<|vision_end|>"], "vision_config": vision,
              "transformers_version": "4.41.2", **more}
    language = {name: value for name, value in language.items() if name != "model_type" or not flat}
    return {**language, **config} if flat else {**config, "text_config": language}


def qwen_vl_processor(patch, least, most, **more):
    return {"preprocessor_config.json": {
        "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "merge_size": 2, "patch_size": patch,
        "temporal_patch_size": 2, "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2VLProcessor", **more,
        **({"min_pixels": least, "max_pixels": most} if patch == 4 else
           {"size": {"shortest_edge": least, "longest_edge": most}})}}


def qwen2_vl():
    known = vocabularies.qwen_vl()
    return Family(
        "qwen2_vl", "Qwen2-VL as published: text settings beside the tower's, min_pixels and "
        "max_pixels; BF16", 2, known,
        qwen_vl_config(
            "Qwen2VL", known,
            {"depth": 2, "embed_dim": 32, "hidden_size": 48, "num_heads": 4, "in_chans": 3,
             "mlp_ratio": 2, "patch_size": 4, "spatial_patch_size": 4, "temporal_patch_size": 2,
             "spatial_merge_size": 2},
            text("qwen2_vl", known.rows, num_key_value_heads=2, rms_norm_eps=1e-6,
                 rope_theta=1000000.0, max_position_embeddings=4096,
                 rope_scaling={"type": "mrope", "mrope_section": [1, 2, 3]},
                 sliding_window=128, use_sliding_window=False, max_window_layers=2,
                 bos_token_id=known.ids["<|endoftext|>"], eos_token_id=known.ids["<|im_end|>"]),
            flat=True, model_type="qwen2_vl", tie_word_embeddings=False, torch_dtype="bfloat16"),
        qwen_vl_processor(4, 16 * 64, 100 * 64), ("chat_template.json", templates.QWEN2_VL),
        [limit("tokens", "odd", image_tokens=24,
               processor={"min_pixels": 16 * 64, "max_pixels": 24 * 64})],
        dtype=torch.bfloat16, spelling="qwen",
        generation={"eos_token_id": [known.ids["<|im_end|>"], known.ids["<|endoftext|>"]]})


def qwen2_5_vl():
    known = vocabularies.qwen_vl()
    return Family(
        "qwen2_5_vl", "Qwen2.5-VL: windows of 2 x 2 rows, ragged at the edges, and one layer that "
        "sees all; gated tower; F32", 17, known,
        qwen_vl_config(
            "Qwen2_5_VL", known,
            {"depth": 3, "hidden_size": 32, "intermediate_size": 44, "num_heads": 4,
             "in_chans": 3, "out_hidden_size": 48, "patch_size": 5, "spatial_patch_size": 5,
             "temporal_patch_size": 2, "spatial_merge_size": 2, "tokens_per_second": 2,
             "window_size": 20, "fullatt_block_indexes": [1], "hidden_act": "silu",
             "model_type": "qwen2_5_vl"},
            text("qwen2_5_vl_text", known.rows, num_key_value_heads=2, rms_norm_eps=1e-6,
                 rope_theta=1000000.0, max_position_embeddings=4096,
                 rope_scaling={"type": "mrope", "mrope_section": [2, 2, 2]},
                 bos_token_id=known.ids["<|endoftext|>"], eos_token_id=known.ids["<|im_end|>"]),
            model_type="qwen2_5_vl", tie_word_embeddings=True, torch_dtype="float32"),
        qwen_vl_processor(5, 12 * 100, 90 * 100), ("chat_template.json", templates.QWEN2_VL),
        [limit("tokens", "square", image_tokens=30,
               processor={"size": {"shortest_edge": 12 * 100, "longest_edge": 30 * 100}})],
        spelling="qwen", generation={"eos_token_id": known.ids["<|im_end|>"]})


def qwen3_vl():
    known = vocabularies.qwen_vl()
    return Family(
        "qwen3_vl", "Qwen3-VL: a table of positions stretched to the grid, norms of queries and "
        "keys, interleaved M-RoPE, two inner layers fed by the tower; BF16", 21, known,
        qwen_vl_config(
            "Qwen3VL", known,
            {"deepstack_visual_indexes": [0, 2], "depth": 4, "hidden_act": "gelu_pytorch_tanh",
             "hidden_size": 32, "in_channels": 3, "intermediate_size": 44,
             "model_type": "qwen3_vl", "num_heads": 4, "num_position_embeddings": 36,
             "out_hidden_size": 48, "patch_size": 6, "spatial_merge_size": 2,
             "temporal_patch_size": 2},
            text("qwen3_vl_text", known.rows, layers=3, num_key_value_heads=2, head_dim=16,
                 rms_norm_eps=1e-6, rope_theta=5000000, max_position_embeddings=4096,
                 rope_scaling={"mrope_interleaved": True, "mrope_section": [4, 2, 2],
                               "rope_type": "default"},
                 bos_token_id=known.ids["<|endoftext|>"], eos_token_id=known.ids["<|im_end|>"]),
            model_type="qwen3_vl", tie_word_embeddings=False, torch_dtype="bfloat16"),
        qwen_vl_processor(6, 12 * 144, 80 * 144, image_mean=[0.5, 0.5, 0.5],
                          image_std=[0.5, 0.5, 0.5],
                          image_processor_type="Qwen2VLImageProcessorFast"),
        ("chat_template.json", templates.QWEN3_VL),
        [limit("tokens", "square", image_tokens=20,
               processor={"size": {"shortest_edge": 12 * 144, "longest_edge": 20 * 144}})],
        dtype=torch.bfloat16, spelling="native",
        generation={"eos_token_id": known.ids["<|im_end|>"]})


def qwen3_5():
    known = vocabularies.qwen_vl(vocabularies.bpe.QWEN3_5_SPLIT)
    return Family(
        "qwen3_5", "Qwen3.5: three layers of a gated delta net, one of gated attention with a "
        "quarter of each head rotated; twice as many value heads as key heads; F32", 8, known,
        qwen_vl_config(
            "Qwen3_5", known,
            {"deepstack_visual_indexes": [], "depth": 2, "hidden_act": "gelu_pytorch_tanh",
             "hidden_size": 32, "in_channels": 3, "intermediate_size": 44,
             "model_type": "qwen3_5", "num_heads": 4, "num_position_embeddings": 36,
             "out_hidden_size": 48, "patch_size": 6, "spatial_merge_size": 2,
             "temporal_patch_size": 2},
            text("qwen3_5_text", known.rows, layers=4, num_key_value_heads=2, head_dim=24,
                 rms_norm_eps=1e-6, max_position_embeddings=4096, attn_output_gate=True,
                 full_attention_interval=4, layer_types=["linear_attention"] * 3 +
                 ["full_attention"], linear_conv_kernel_dim=4, linear_key_head_dim=20,
                 linear_num_key_heads=2, linear_num_value_heads=4, linear_value_head_dim=36,
                 mamba_ssm_dtype="float32", mtp_num_hidden_layers=1,
                 rope_parameters={"mrope_interleaved": True, "mrope_section": [2, 2, 2],
                                  "partial_rotary_factor": 0.5, "rope_theta": 10000000,
                                  "rope_type": "default"},
                 eos_token_id=known.ids["<|im_end|>"]),
            model_type="qwen3_5", tie_word_embeddings=True, torch_dtype="float32"),
        qwen_vl_processor(6, 12 * 144, 80 * 144, image_mean=[0.5, 0.5, 0.5],
                          image_std=[0.5, 0.5, 0.5],
                          image_processor_type="Qwen2VLImageProcessorFast"),
        ("chat_template.jinja", templates.QWEN3_5),
        [limit("tokens", "square", image_tokens=20,
               processor={"size": {"shortest_edge": 12 * 144, "longest_edge": 20 * 144}})],
        spelling="native", generation={"eos_token_id": known.ids["<|im_end|>"]})


ALL = {make.__name__: make for make in (llava_next, llava_onevision, smolvlm, idefics3, internvl,
                                       internvl3_5, granite_vision, qwen2_vl, qwen2_5_vl, qwen3_vl, qwen3_5)}
