"""The tokenizers of the golden models: files to write, and the ids that configurations need."""

import dataclasses
import functools

from . import bpe

LLAMA3_EXTRA = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>",
                "<|finetune_right_pad_id|>", "<|start_header_id|>", "<|end_header_id|>",
                "<|eom_id|>", "<|eot_id|>", "<|reserved_special_token_69|>"]
SMOLVLM_EXTRA = (["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<fake_token_around_image>",
                  "<image>", "<global-img>", "<end_of_utterance>"] +
                 [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)])
QWEN2_EXTRA = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>"]


@dataclasses.dataclass
class Vocabulary:
    files: dict  # name: JSON value or bytes
    size: int  # rows that ids need
    image: str
    ids: dict  # added tokens
    config: dict  # tokenizer_config.json without a chat template

    @property
    def rows(self):
        """As published: rounded up, with rows that no token has."""
        return (self.size + 63) // 64 * 64


def _config(tokens, **fields):
    """tokenizer_config.json as 4.x writes it."""
    decoder = {str(token["id"]): {key: token[key] for key in
                                  ("content", "lstrip", "normalized", "rstrip", "single_word", "special")}
               for token in tokens}
    return {"added_tokens_decoder": decoder, "clean_up_tokenization_spaces": False,
            "model_max_length": 1000000000000000019884624838656, **fields}


@functools.cache
def llama(prefix="normalizer", old_merges=False, legacy_field=None):
    pieces, merges = bpe.llama_pieces()
    file = bpe.llama_json(pieces, merges, ["<image>", "<pad>"], prefix)
    if old_merges:
        file["model"]["merges"] = [" ".join(pair) for pair in merges]
        del file["model"]["ignore_merges"]  # younger than this spelling
    ids = {token["content"]: token["id"] for token in file["added_tokens"]}
    fields = {"add_bos_token": True, "add_eos_token": False, "bos_token": "<s>",
              "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
              "tokenizer_class": "LlamaTokenizer", "processor_class": "LlavaProcessor"}
    if legacy_field is not None:
        fields["legacy"] = legacy_field
    return Vocabulary({"tokenizer.json": file,
                       "special_tokens_map.json": {"bos_token": "<s>", "eos_token": "</s>",
                                                   "unk_token": "<unk>", "pad_token": "<pad>"}},
                      len(pieces) + 2, "<image>", ids, _config(file["added_tokens"], **fields))


@functools.cache
def llama_spm():
    """tokenizer.model alone, with what is added in added_tokens.json, as the first releases had it."""
    pieces, _ = bpe.llama_pieces()
    ids = {"<unk>": 0, "<s>": 1, "</s>": 2, "<image>": len(pieces), "<pad>": len(pieces) + 1}
    tokens = [bpe.added(index, content) for content, index in ids.items()]
    config = _config(tokens, add_bos_token=True, add_eos_token=False, bos_token="<s>",
                     eos_token="</s>", unk_token="<unk>", pad_token="<pad>",
                     tokenizer_class="LlamaTokenizer", legacy=True, sp_model_kwargs={})
    return Vocabulary({"tokenizer.model": bpe.spm_model(pieces),
                       "added_tokens.json": {"<image>": ids["<image>"], "<pad>": ids["<pad>"]},
                       "special_tokens_map.json": {"bos_token": "<s>", "eos_token": "</s>",
                                                   "unk_token": "<unk>", "pad_token": "<pad>"}},
                      len(pieces) + 2, "<image>", ids, config)


def _byte_level(file, image, **fields):
    ids = {token["content"]: token["id"] for token in file["added_tokens"]}
    size = max(ids.values()) + 1
    return Vocabulary({"tokenizer.json": file}, size, image, ids,
                      _config(file["added_tokens"], **fields))


def added_flags():
    """Added tokens that swallow spaces, want to stand alone, or are no special tokens."""
    pieces, merges = bpe.llama_pieces()
    file = bpe.llama_json(pieces, merges, ["<image>"], "normalizer")
    flags = {"<l>": {"lstrip": True}, "<r>": {"rstrip": True},
             "<lr>": {"lstrip": True, "rstrip": True}, "[word]": {"special": False},
             "blue": {"special": False, "single_word": True},
             "<lone>": {"single_word": True}}
    start = len(pieces) + 1
    file["added_tokens"] += [bpe.added(start + index, content, **more)
                             for index, (content, more) in enumerate(flags.items())]
    return file


def added_normalized():
    """Old Llama files: special tokens that are looked for after normalising."""
    pieces, merges = bpe.llama_pieces()
    file = bpe.llama_json(pieces, merges, ["<image>"], "normalizer")
    for token in file["added_tokens"][:3]:
        token["normalized"] = True
    return file


@functools.cache
def llama3():
    file = bpe.byte_level_json(bpe.LLAMA3_SPLIT, 200, LLAMA3_EXTRA, bos=LLAMA3_EXTRA[0])
    return _byte_level(file, "<|reserved_special_token_69|>", bos_token="<|begin_of_text|>",
                       eos_token="<|eot_id|>", pad_token="<|finetune_right_pad_id|>",
                       tokenizer_class="PreTrainedTokenizerFast",
                       model_input_names=["input_ids", "attention_mask"])


@functools.cache
def llama3_images():
    """Llama 3 with what Idefics3 adds; the tiles' places are plain text."""
    extra = LLAMA3_EXTRA[:-1] + ["<fake_token_around_image>", "<image>", "<end_of_utterance>"]
    file = bpe.byte_level_json(bpe.LLAMA3_SPLIT, 200, extra, bos=extra[0])
    return _byte_level(file, "<image>", bos_token="<|begin_of_text|>",
                       eos_token="<|eot_id|>", pad_token="<|finetune_right_pad_id|>",
                       tokenizer_class="PreTrainedTokenizerFast",
                       model_input_names=["input_ids", "attention_mask"])


@functools.cache
def smolvlm():
    file = bpe.byte_level_json(None, 180, SMOLVLM_EXTRA)
    return _byte_level(file, "<image>", bos_token="<|im_start|>", eos_token="<end_of_utterance>",
                       pad_token="<|im_end|>", unk_token="<|endoftext|>", add_prefix_space=False,
                       tokenizer_class="GPT2Tokenizer")


@functools.cache
def granite():
    extra = ["<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>", "<image>"]
    file = bpe.byte_level_json(None, 180, extra)
    return _byte_level(file, "<image>", bos_token="<|end_of_text|>", eos_token="<|end_of_text|>",
                       pad_token="<|end_of_text|>", unk_token="<|end_of_text|>",
                       add_prefix_space=False, tokenizer_class="GPT2Tokenizer")


@functools.cache
def qwen2():
    file = bpe.byte_level_json(bpe.QWEN2_SPLIT, 180, QWEN2_EXTRA, nfc=True, old_merges=True)
    return _byte_level(file, "<image>", bos_token=None, eos_token="<|im_end|>",
                       pad_token="<|endoftext|>", unk_token=None, errors="replace",
                       add_prefix_space=False, split_special_tokens=False,
                       tokenizer_class="Qwen2Tokenizer")


@functools.cache
def qwen_vl(split=bpe.QWEN2_SPLIT):
    extra = QWEN2_EXTRA[:-1] + ["<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
                                "<|video_pad|>"]
    file = bpe.byte_level_json(split, 180, extra, nfc=True, old_merges=True)
    return _byte_level(file, "<|image_pad|>", bos_token=None, eos_token="<|im_end|>",
                       pad_token="<|endoftext|>", unk_token=None, errors="replace",
                       add_prefix_space=False, split_special_tokens=False,
                       tokenizer_class="Qwen2Tokenizer")


@functools.cache
def internvl():
    extra = QWEN2_EXTRA[:-1] + ["<img>", "</img>", "<IMG_CONTEXT>", "<video>"]
    file = bpe.byte_level_json(bpe.QWEN2_SPLIT, 180, extra, nfc=True, old_merges=True)
    return _byte_level(file, "<IMG_CONTEXT>", bos_token=None, eos_token="<|im_end|>",
                       pad_token="<|endoftext|>", unk_token=None, errors="replace",
                       add_prefix_space=False, split_special_tokens=False,
                       tokenizer_class="Qwen2Tokenizer", start_image_token="<img>",
                       end_image_token="</img>", context_image_token="<IMG_CONTEXT>",
                       video_token="<video>",
                       extra_special_tokens={"start_image_token": "<img>",
                                             "end_image_token": "</img>",
                                             "context_image_token": "<IMG_CONTEXT>",
                                             "video_token": "<video>"})


def write(vocabulary, folder, template=None):
    """`template`: (where it stands, text) or None."""
    for name, value in vocabulary.files.items():
        if isinstance(value, bytes):
            (folder / name).write_bytes(value)
        else:
            bpe.write_json(folder / name, value, indent=None if name == "tokenizer.json" else 2)
    config = dict(vocabulary.config)
    if template is not None:
        place, text = template
        if place == "tokenizer_config.json":
            config["chat_template"] = text
        elif place == "chat_template.json":
            bpe.write_json(folder / place, {"chat_template": text})
        else:
            (folder / place).write_text(text, encoding="utf-8")
    bpe.write_json(folder / "tokenizer_config.json", dict(sorted(config.items())))


