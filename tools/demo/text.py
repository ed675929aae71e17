"""The demo model's tokenizer: byte-fallback BPE in the shape of Llama's tokenizer.json, trained on what the generator writes."""
import functools
import json
import pathlib
import random

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from demo.questions import describe, make_question
from demo.scenes import make_scene

BOS, EOS, UNK, PAD, IMAGE = "<s>", "</s>", "<unk>", "<pad>", "<image>"
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}"
    "{% if message['content'] is string %}{{ message['content'] + ' ' }}"
    "{% else %}{{ message['content'][0]['text'] + ' ' }}{% endif %}"
    "{% else %}"
    "{{ message['role'].upper() + ': ' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<image>\n' }}{% endif %}{% endfor %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% endif %}"
    "{% if message['role'] == 'user' %}{{ ' ' }}{% else %}{{ eos_token }}{% endif %}"
    "{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)


def train_tokenizer(vocabulary: int, seed: int) -> Tokenizer:
    rng = random.Random(f"tokenizer {seed}")

    def texts():
        for _ in range(6000):
            scene = make_scene(rng)
            _, question, answer = make_question(rng, scene)
            yield f"USER: {question} ASSISTANT: {answer}"
            yield f"USER: {question.upper() if rng.random() < 0.1 else question} ASSISTANT: {describe(scene)}"

    tokenizer = Tokenizer(models.BPE(unk_token=UNK, byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    # Only while training: pieces must not reach across words.
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    specials = [UNK, BOS, EOS] + [f"<0x{i:02X}>" for i in range(256)]
    printable = [chr(c) for c in range(33, 127)]
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=specials, initial_alphabet=printable,
                                  limit_alphabet=200, show_progress=False, min_frequency=20)
    tokenizer.train_from_iterator(texts(), trainer)
    # Byte pieces are ordinary vocabulary, not special tokens: a user who types "<0x41>" types six characters.
    trained = json.loads(tokenizer.to_str())
    vocab, merges = trained["model"]["vocab"], trained["model"]["merges"]
    final = Tokenizer(models.BPE(vocab=vocab, merges=[tuple(m) for m in merges], unk_token=UNK, byte_fallback=True,
                                 fuse_unk=True))
    final.normalizer = tokenizer.normalizer
    final.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                       decoders.Strip(" ", 1, 0)])
    final.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in (UNK, BOS, EOS, IMAGE, PAD)])
    bos = final.token_to_id(BOS)
    final.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", pair=f"{BOS} $A {BOS} $B",
                                                         special_tokens=[(BOS, bos)])
    return final


class Conversation:
    """Turns as token ids, exactly as the chat template and the tokenizer give them, with a mask of what is an answer."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self.bos, self.eos, self.image = (tokenizer.token_to_id(t) for t in (BOS, EOS, IMAGE))
        self._encode = functools.lru_cache(200_000)(self._encode_text)

    def _encode_text(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def ids(self, turns: list[tuple[str, str]], image_tokens: int) -> tuple[list[int], list[bool]]:
        ids, mask = [self.bos], [False]
        for i, (question, answer) in enumerate(turns):
            # Special tokens cut the text; what stands between two of them is tokenized by itself.
            if i == 0:
                ids += self._encode("USER: ") + [self.image] * image_tokens
                prompt = f"\n{question} ASSISTANT:"
            else:
                prompt = f"USER: {question} ASSISTANT:"
            prompt_ids = self._encode(prompt)
            whole = self._encode(f"{prompt} {answer}")
            assert whole[:len(prompt_ids)] == prompt_ids, "an answer's first piece must not reach into the prompt"
            ids += prompt_ids
            mask += [False] * (len(ids) - len(mask))
            ids += whole[len(prompt_ids):] + [self.eos]
            mask += [True] * (len(ids) - len(mask))
        return ids, mask


def write_tokenizer(tokenizer: Tokenizer, folder: pathlib.Path) -> None:
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "LlamaTokenizer", "bos_token": BOS, "eos_token": EOS, "unk_token": UNK, "pad_token": PAD,
        "image_token": IMAGE, "add_bos_token": True, "add_eos_token": False, "legacy": True, "model_max_length": 1024,
        "clean_up_tokenization_spaces": False, "padding_side": "left", "processor_class": "LlavaProcessor",
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
