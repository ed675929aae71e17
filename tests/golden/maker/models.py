"""The golden models: what each checkpoint's files say, and what it is asked.

Every model is there for what is special about it; `about` says what. Sizes are as small as the
structure allows.
"""

import dataclasses

import torch

from . import templates, vocabularies

CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]


@dataclasses.dataclass
class Golden:
    name: str
    about: str
    seed: int  # found with --search: answers vary, and no greedy choice is close
    vocabulary: vocabularies.Vocabulary
    config: dict
    processors: dict  # file name: content
    cases: list
    generation: dict | None = None
    template: tuple | None = None  # (file, text)
    dtype: torch.dtype = torch.float32
    spelling: str = "old"
    shards: int = 1
    leftovers: bool = False


def case(id, image, question, preprocess="crop", **more):
    return {"id": id, "image": image, "preprocess": preprocess, "question": question, **more}


def tower(kind="clip_vision_model", image=42, patch=14, hidden=32, heads=4, layers=3, ff=64, **more):
    return {"model_type": kind, "hidden_size": hidden, "image_size": image, "intermediate_size": ff,
            "num_attention_heads": heads, "num_hidden_layers": layers, "patch_size": patch, **more}


def clip_preprocessor(image, **more):
    """preprocessor_config.json as 4.x writes it."""
    return {"crop_size": {"height": image, "width": image}, "do_center_crop": True,
            "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
            "image_mean": CLIP_MEAN, "image_processor_type": "CLIPImageProcessor",
            "image_std": CLIP_STD, "processor_class": "LlavaProcessor", "resample": 3,
            "rescale_factor": 0.00392156862745098, "size": {"shortest_edge": image}, **more}


def siglip_preprocessor(image):
    return {"do_convert_rgb": None, "do_normalize": True, "do_rescale": True, "do_resize": True,
            "image_mean": [0.5, 0.5, 0.5], "image_processor_type": "SiglipImageProcessor",
            "image_std": [0.5, 0.5, 0.5], "processor_class": "LlavaProcessor", "resample": 3,
            "rescale_factor": 0.00392156862745098, "size": {"height": image, "width": image}}


def processor(patch, strategy="default", extra=1, **more):
    return {"image_token": "<image>", "num_additional_image_tokens": extra, "patch_size": patch,
            "processor_class": "LlavaProcessor", "vision_feature_select_strategy": strategy, **more}


def text(kind="llama", rows=0, hidden=48, heads=4, layers=2, ff=96, **more):
    return {"model_type": kind, "vocab_size": rows, "hidden_size": hidden,
            "intermediate_size": ff, "num_hidden_layers": layers, "num_attention_heads": heads,
            **more}


def llava(vocabulary, vision, language, **more):
    return {"architectures": ["LlavaForConditionalGeneration"], "ignore_index": -100,
            "image_token_index": vocabulary.ids[vocabulary.image], "model_type": "llava",
            "projector_hidden_act": "gelu", "text_config": language, "vision_config": vision,
            "vision_feature_layer": -2, "vision_feature_select_strategy": "default", **more}


def clip_llama():
    words = vocabularies.llama()
    return Golden(
        "clip_llama", "LLaVA-1.5 as published: CLIP tower, Llama, F32, names of 4.x", 2, words,
        llava(words, tower(projection_dim=16, vocab_size=300),
              text(rows=words.rows, rms_norm_eps=1e-5, max_position_embeddings=512,
                   torch_dtype="float32"),
              pad_token_id=words.ids["<pad>"], tie_word_embeddings=False,
              torch_dtype="float32", transformers_version="4.39.3"),
        {"preprocessor_config.json": clip_preprocessor(42), "processor_config.json": processor(14)},
        [case("photo", "photo.png", "What is in this picture?"),
         case("wide_pad", "wide.png", "What colour is the square on the left?", "pad"),
         case("rgba", "rgba.png", "Ça va? 你好 🙂"),
         case("turns", "tall.png", "And the other one?",
              turns=[{"question": "What colour is the circle?", "answer": "It is red."}])],
        generation={"_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2,
                    "pad_token_id": words.ids["<pad>"], "transformers_version": "4.39.3"},
        template=("tokenizer_config.json", templates.LLAVA))


def mistral_gqa():
    words = vocabularies.llama()
    return Golden(
        "mistral_gqa", "Mistral with 2 KV heads for 6, a head size of its own, no window; names of "
        "4.52; tower with gelu; several end tokens", 2, words,
        llava(words, tower(image=28, patch=7, hidden_act="gelu", layer_norm_eps=1e-6),
              text("mistral", words.rows, heads=6, num_key_value_heads=2, head_dim=16,
                   rms_norm_eps=1e-5, rope_theta=1000000.0, sliding_window=None,
                   max_position_embeddings=1024, hidden_act="silu"),
              pad_token_id=words.ids["<pad>"], torch_dtype="float32",
              transformers_version="4.52.4", image_seq_length=16),
        {"preprocessor_config.json": clip_preprocessor(28), "processor_config.json": processor(7)},
        [case("photo", "photo.jpg", "Describe the picture."),
         case("exif", "exif_6.jpg", "Is it upside down?"),
         case("system", "palette_transparent.png", "How many squares?", "pad",
              system="Answer with one word.")],
        # The second one comes in the middle of an answer.
        generation={"bos_token_id": 1, "eos_token_id": [2, 157], "transformers_version": "4.52.4"},
        template=("chat_template.jinja", templates.MISTRAL), spelling="native")


def bf16_shards():
    words = vocabularies.llama("first")
    return Golden(
        "bf16_shards", "BF16 in three shards, everything as 5.x saves it: names, rope_parameters, "
        "dtype, image_token_id, processor_config.json with the image processor inside", 1, words,
        {"architectures": ["LlavaForConditionalGeneration"], "dtype": "bfloat16",
         "image_seq_length": 9, "image_token_id": words.ids["<image>"], "model_type": "llava",
         "multimodal_projector_bias": True, "pad_token_id": words.ids["<pad>"],
         "projector_hidden_act": "gelu", "tie_word_embeddings": False,
         "text_config": text(
             rows=words.rows, attention_bias=False, bos_token_id=1, dtype="bfloat16",
             eos_token_id=2, head_dim=12, hidden_act="silu", max_position_embeddings=2048,
             mlp_bias=False, num_key_value_heads=2, rms_norm_eps=1e-5,
             rope_parameters={"rope_theta": 50000.0, "rope_type": "default"}),
         "transformers_version": "5.0.0",
         "vision_config": tower(hidden_act="quick_gelu", layer_norm_eps=1e-5, num_channels=3),
         "vision_feature_layer": -1, "vision_feature_select_strategy": "default"},
        {"processor_config.json": processor(14, image_processor={
            key: value for key, value in clip_preprocessor(42).items() if key != "processor_class"})},
        [case("photo", "photo.png", "What is in this picture?"),
         case("lossless", "lossless.webp", "Où est la maison bleue ?"),
         case("tall_pad", "tall.png", "Which street is it?", "pad")],
        generation={"_from_model_config": True, "bos_token_id": 1, "eos_token_id": 2,
                    "transformers_version": "5.0.0"},
        template=("chat_template.jinja", templates.LLAVA), dtype=torch.bfloat16,
        spelling="saved5", shards=3)


def f16_tied_bpe():
    words = vocabularies.llama3()
    return Golden(
        "f16_tied_bpe", "F16, tied embeddings, byte-level BPE, llama3 rope scaling, a reserved "
        "token as the picture's", 5, words,
        llava(words, tower(),
              text(rows=words.rows, hidden=64, heads=4, num_key_value_heads=2, head_dim=16,
                   rms_norm_eps=1e-5, rope_theta=500000.0, max_position_embeddings=1024,
                   rope_scaling={"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                                 "original_max_position_embeddings": 64, "rope_type": "llama3"},
                   bos_token_id=words.ids["<|begin_of_text|>"],
                   eos_token_id=[words.ids["<|end_of_text|>"], words.ids["<|eom_id|>"],
                                 words.ids["<|eot_id|>"]], tie_word_embeddings=True),
              tie_word_embeddings=True, torch_dtype="float16", transformers_version="4.45.0"),
        {"preprocessor_config.json": clip_preprocessor(42),
         "processor_config.json": processor(14, image_token=words.image)},
        [case("photo", "photo.png", "What is in this picture?"),
         case("system", "large.png", "It's 12345 things, isn't it?\n\nYes:  no", system="Be brief."),
         case("turns", "grey.png", "Why?",
              turns=[{"question": "Is it grey?", "answer": "Yes."},
                     {"question": "Are you sure?", "answer": "Yes, I am."}])],
        template=("chat_template.json", templates.llama3(words.image)), dtype=torch.float16)


def multi_feature_full():
    words = vocabularies.llama("always")
    return Golden(
        "multi_feature_full", "three tower layers side by side, class token kept, projector "
        "without bias and with another activation; Metaspace `always`", 4, words,
        llava(words, tower(image=28, layers=4, hidden=24, ff=48),
              text(rows=words.rows, rms_norm_eps=1e-5),
              multimodal_projector_bias=False, vision_feature_layer=[-2, -1, 1],
              vision_feature_select_strategy="full", projector_hidden_act="gelu_pytorch_tanh",
              torch_dtype="float32", transformers_version="4.48.0"),
        {"preprocessor_config.json": clip_preprocessor(28),
         "processor_config.json": processor(14, "full")},
        [case("photo", "photo.png", "What is in this picture?"),
         case("upscale", "small.png", "Is it small?"),
         case("cmyk", "photo.bmp", "Where is the house?", "pad")],
        generation={"eos_token_id": 2}, template=("chat_template.json", templates.LLAVA))


def mistral_window():
    words = vocabularies.llama("never")
    return Golden(
        "mistral_window", "Mistral with a sliding window shorter than the prompt; the tower's "
        "embeddings (layer 0) among the features; Metaspace `never`; BF16", 3, words,
        llava(words, tower(image=28, layers=2, hidden=24, ff=48),
              text("mistral", words.rows, num_key_value_heads=2, sliding_window=12, rms_norm_eps=1e-5),
              vision_feature_layer=[0, -1], torch_dtype="bfloat16", transformers_version="4.40.0"),
        {"preprocessor_config.json": clip_preprocessor(28), "processor_config.json": processor(14)},
        [case("photo", "photo.png", "What is in this picture?"),
         case("system", "progressive.jpg", "What can you see on the right of the street?",
              system="You look at pictures.")],
        template=("chat_template.jinja", templates.VICUNA), dtype=torch.bfloat16)


def linear_rope():
    words = vocabularies.llama("first", old_merges=True, legacy_field=False)
    return Golden(
        "linear_rope", "linear rope scaling (4.x spelling `type`), biases in attention and MLP, "
        "Metaspace `first`, merges as strings, no processor_config.json", 1, words,
        llava(words, tower(layers=2, layer_norm_eps=1e-4),
              text(rows=words.rows, heads=6, num_key_value_heads=3, attention_bias=True,
                   mlp_bias=True, rms_norm_eps=1e-4, rope_theta=20000.0,
                   rope_scaling={"type": "linear", "factor": 4.0}),
              vision_feature_layer=1, torch_dtype="float32", transformers_version="4.37.2"),
        {"preprocessor_config.json": clip_preprocessor(42)},
        [case("photo", "photo.png", "What is in this picture?"),
         case("gif", "animated.gif", "  two  spaces and\ta tab"),
         case("turns", "square.png", "Is it blue?", "pad",
              turns=[{"question": "What is it?", "answer": "A house."}])],
        generation={"eos_token_id": 2, "max_new_tokens": 40},
        template=("tokenizer_config.json", templates.VICUNA))


def config_minimal():
    words = vocabularies.llama()
    vision = tower(layers=2)
    language = text(rows=words.rows)
    del vision["model_type"], language["model_type"]
    return Golden(
        "config_minimal", "every field left out that can be: the reference's defaults; sizes of "
        "the image processor as plain numbers; no chat template; leftover tensors of old files",
        2, words,
        {"model_type": "llava", "image_token_index": words.ids["<image>"],
         "text_config": language, "vision_config": vision},
        {"preprocessor_config.json": {"crop_size": 42, "size": 42}},
        [case("photo", "photo.png", "What is in this picture?"),
         case("odd", "odd.png", "What colour is the triangle?"),
         case("dot", "dot.png", "What is it?")],
        leftovers=True)


def siglip_llama():
    words = vocabularies.llama3()
    return Golden(
        "siglip_llama", "SigLIP tower (no class token, exact square, unused pooling head in the "
        "file) with Llama 3: the family of caption models; BF16", 3, words,
        llava(words, tower("siglip_vision_model"),
              text(rows=words.rows, num_key_value_heads=2, rms_norm_eps=1e-5, rope_theta=500000.0,
                   bos_token_id=words.ids["<|begin_of_text|>"],
                   eos_token_id=words.ids["<|eot_id|>"]),
              image_seq_length=9, vision_feature_select_strategy="full", torch_dtype="bfloat16",
              transformers_version="4.46.0"),
        {"preprocessor_config.json": siglip_preprocessor(42),
         "processor_config.json": processor(14, "full", 0, image_token=words.image)},
        [case("photo", "photo.png", "Write a caption for this image."),
         case("wide", "wide.png", "Write a long description.", system="You caption images.")],
        template=("tokenizer_config.json", templates.llama3(words.image)), dtype=torch.bfloat16)


def qwen2_chatml():
    words = vocabularies.qwen2()
    return Golden(
        "qwen2_chatml", "Qwen 2 (biases on q, k, v; tied; a window that is switched off) with "
        "SigLIP and ChatML; F16; names of 4.52", 1, words,
        llava(words, tower("siglip_vision_model", vision_use_head=False, layers=2,
                           hidden_act="gelu_pytorch_tanh", layer_norm_eps=1e-6),
              text("qwen2", words.rows, num_key_value_heads=2, rms_norm_eps=1e-6,
                   rope_theta=1000000.0, sliding_window=8, use_sliding_window=False,
                   max_window_layers=0, tie_word_embeddings=True,
                   bos_token_id=words.ids["<|endoftext|>"], eos_token_id=words.ids["<|im_end|>"]),
              vision_feature_layer=-1, vision_feature_select_strategy="full",
              tie_word_embeddings=True, torch_dtype="float16", transformers_version="4.52.0"),
        {"preprocessor_config.json": siglip_preprocessor(42),
         "processor_config.json": processor(14, "full", 0)},
        [case("photo", "photo.png", "What is in this picture?"),
         case("grey16", "grey_alpha.png", "How many of 1234567 are there?"),
         case("system", "row.png", "Cafe\u0301 or caf\u00e9?", system="Be exact.")],
        generation={"bos_token_id": words.ids["<|endoftext|>"],
                    "eos_token_id": [words.ids["<|im_end|>"], words.ids["<|endoftext|>"]],
                    "do_sample": True, "temperature": 0.7, "top_k": 20, "top_p": 0.8,
                    "repetition_penalty": 1.05},
        template=("chat_template.json", templates.CHATML), dtype=torch.float16, spelling="native")


def spm_only():
    words = vocabularies.llama_spm()
    return Golden(
        "spm_only", "tokenizer.model without tokenizer.json, added_tokens.json beside it; "
        "Vicuna's prompt; F16", 1, words,
        llava(words, tower(layers=2),
              text(rows=words.rows, rms_norm_eps=1e-5, num_key_value_heads=4),
              pad_token_id=words.ids["<pad>"], torch_dtype="float16", transformers_version="4.36.0"),
        {"preprocessor_config.json": clip_preprocessor(42)},
        [case("photo", "photo.png", "What is in this picture?"),
         case("turns", "full_chroma.jpg", "And now?",
              turns=[{"question": "Is it red?", "answer": "No, it isn't."}])],
        generation={"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
                    "max_length": 4096, "temperature": 0.9, "top_p": 0.6},
        template=("tokenizer_config.json", templates.VICUNA), dtype=torch.float16)


ALL = {make.__name__: make for make in (
    clip_llama, mistral_gqa, bf16_shards, f16_tied_bpe, multi_feature_full, mistral_window,
    linear_rope, config_minimal, siglip_llama, qwen2_chatml, spm_only)}
