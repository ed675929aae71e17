"""Tiny BPE vocabularies in the shapes in which checkpoints ship them.

Trained here rather than with a library so that the same pieces come out with any version.
"""

import collections
import json

from tokenizers import Regex, pre_tokenizers

SPACE = "\u2581"  # SentencePiece's visible space

LLAMA3_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
                r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2_SPLIT = LLAMA3_SPLIT.replace(r"\p{N}{1,3}", r"\p{N}")
# Marks belong to letters.
QWEN3_5_SPLIT = QWEN2_SPLIT.replace(r"\p{L}+|", r"[\p{L}\p{M}]+|").replace(
    r"[^\s\p{L}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]")


def training_text():
    """Captions and questions of every combination of a few words, and some of other scripts."""
    colours = ["red", "green", "blue", "yellow", "black", "white"]
    things = ["circle", "square", "triangle", "house", "picture", "image", "person", "street"]
    places = ["left", "right", "top", "bottom", "centre", "background"]
    lines = []
    for i, colour in enumerate(colours):
        for j, thing in enumerate(things):
            place = places[(i + j) % len(places)]
            lines += [f"What colour is the {thing} on the {place}?",
                      f"There is a {colour} {thing} at the {place} of the picture.",
                      f"How many {thing}s can you see? I see {i + j} of them.",
                      f"USER: Describe the {colour} {thing}. ASSISTANT: The {thing} is {colour}.",
                      f"user: Is it {colour}? assistant: Yes, it is. No, it isn't."]
    lines += ["Où est la maison bleue à côté de l'école ?", "Größe und Farbe des Bildes: schön.",
              "Что на картинке? Красный круг.", "这张图片里有什么？一个红色的圆。",
              "この写真には何がありますか。", "ما هذا؟", "Ελληνικά γράμματα", "हिन्दी में क्या है?"] * 3
    return lines


def train(words, merges_wanted):
    """Classic BPE: the most frequent pair first, ties by text. Words: {tuple of pieces: count}."""
    words = dict(words)
    merges = []
    while len(merges) < merges_wanted:
        pairs = collections.Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = {_merge(word, best): count for word, count in words.items()}
    return merges


def _merge(word, pair):
    out, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def llama_pieces(merges_wanted=200, letters_wanted=110):
    """(pieces in order of id, merges) with <unk> <s> </s>, 256 bytes, merged pieces, letters."""
    words = collections.Counter()
    letters = collections.Counter()
    for line in training_text():
        for word in line.split(" "):
            spelled = SPACE + word
            words[tuple(spelled)] += 1
            letters.update(spelled)
    order = sorted(letters, key=lambda letter: (-letters[letter], letter))[:letters_wanted]
    known = set(order)
    words = {word: count for word, count in words.items() if known.issuperset(word)}
    made = []
    for left, right in train(words, merges_wanted):
        if left + right not in made:  # two ways to the same piece: one entry
            made.append(left + right)
    made += [SPACE * n for n in (2, 3, 4, 8) if SPACE * n not in made]
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + made + order
    return pieces, spm_merges(pieces)


def spm_merges(pieces):
    """Every pair of pieces whose join is a piece, by the id of the join: what SentencePiece does
    when it looks for the best-scored neighbours (score: minus the id)."""
    ids = {piece: index for index, piece in enumerate(pieces)}
    merges = []
    for piece, index in ids.items():
        if index < 259:
            continue
        pairs = [(piece[:i], piece[i:]) for i in range(1, len(piece))
                 if piece[:i] in ids and piece[i:] in ids]
        merges += sorted(pairs, key=lambda pair: (ids[pair[0]], ids[pair[1]]))
    return merges


def added(index, content, special=True, normalized=False, lstrip=False, rstrip=False,
          single_word=False):
    return {"id": index, "content": content, "single_word": single_word, "lstrip": lstrip,
            "rstrip": rstrip, "normalized": normalized, "special": special}


def llama_json(pieces, merges, extra, prefix):
    """tokenizer.json of the Llama 2 family.

    extra: contents of added tokens after the pieces. prefix: "normalizer" (Prepend and Replace,
    every stretch of text gets its own prefix) or a Metaspace prepend scheme: first, always, never.
    """
    first = len(pieces)
    tokens = [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")]
    tokens += [added(first + i, content) for i, content in enumerate(extra)]
    bos = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    steps = [{"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
             {"type": "ByteFallback"}, {"type": "Fuse"}]
    if prefix != "never":
        steps.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    normalizer = {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": SPACE},
        {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}]}
    metaspace = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": prefix,
                 "split": False}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens,
        "normalizer": normalizer if prefix == "normalizer" else None,
        "pre_tokenizer": None if prefix == "normalizer" else metaspace,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [bos, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [bos, {"Sequence": {"id": "A", "type_id": 0}},
                     {"SpecialToken": {"id": "<s>", "type_id": 1}},
                     {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": steps},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>",
                  "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
                  "byte_fallback": True, "ignore_merges": False,
                  "vocab": {piece: index for index, piece in enumerate(pieces)}, "merges": merges}}


def byte_letters():
    """GPT-2's printable stand-ins for the 256 bytes, in the order of its vocabulary."""
    kept = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [b for b in range(256) if b not in kept]
    return [chr(b) for b in kept] + [chr(256 + i) for i in range(len(rest))]


def split_step(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated",
            "invert": False}


def byte_level_json(pattern, merges_wanted, extra, bos=None, nfc=False, old_merges=False):
    """tokenizer.json of the byte-level families (Llama 3, Qwen 2): {..} and the id of `bos`.

    pattern: None splits digits, then as GPT-2 does (SmolLM). extra: contents of the added tokens,
    which follow the vocabulary. old_merges: merges as "left right" strings, the spelling before
    tokenizers 0.20.
    """
    first_step = (pre_tokenizers.Digits(individual_digits=True) if pattern is None
                  else pre_tokenizers.Split(Regex(pattern), "isolated"))
    splitter = pre_tokenizers.Sequence([
        first_step,
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)])
    words = collections.Counter()
    for line in training_text():
        for word, _ in splitter.pre_tokenize_str(line):
            words[tuple(word)] += 1
    merges = train(words, merges_wanted)
    vocabulary = byte_letters()
    for left, right in merges:
        if left + right not in vocabulary:
            vocabulary.append(left + right)
    first = len(vocabulary)
    tokens = [added(first + i, content) for i, content in enumerate(extra)]
    step = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
            "use_regex": pattern is None}
    split = {"type": "Digits", "individual_digits": True} if pattern is None else split_step(pattern)
    post = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False,
            "use_regex": True}
    if bos is not None:
        index = first + extra.index(bos)
        start = {"SpecialToken": {"id": bos, "type_id": 0}}
        second = {"SpecialToken": {"id": bos, "type_id": 1}}
        post = {"type": "Sequence", "processors": [post, {
            "type": "TemplateProcessing",
            "single": [start, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [start, {"Sequence": {"id": "A", "type_id": 0}}, second,
                     {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {bos: {"id": bos, "ids": [index], "tokens": [bos]}}}]}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens,
        "normalizer": {"type": "NFC"} if nfc else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, step]},
        "post_processor": post,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                    "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": "" if nfc else None,
                  "end_of_word_suffix": "" if nfc else None, "fuse_unk": False,
                  "byte_fallback": False, "ignore_merges": bos is not None,
                  "vocab": {piece: index for index, piece in enumerate(vocabulary)},
                  "merges": [" ".join(pair) for pair in merges] if old_merges else merges}}


def spm_model(pieces):
    """tokenizer.model: the same pieces as a SentencePiece protocol buffer (BPE, byte fallback)."""
    from sentencepiece import sentencepiece_model_pb2 as pb

    proto = pb.ModelProto()
    kinds = pb.ModelProto.SentencePiece
    for index, piece in enumerate(pieces):
        kind = kinds.NORMAL
        if index == 0:
            kind = kinds.UNKNOWN
        elif index < 3:
            kind = kinds.CONTROL
        elif index < 259:
            kind = kinds.BYTE
        score = float(259 - index) if kind == kinds.NORMAL else 0.0
        proto.pieces.add(piece=piece, score=score, type=kind)
    proto.trainer_spec.model_type = pb.TrainerSpec.BPE
    proto.trainer_spec.vocab_size = len(pieces)
    proto.trainer_spec.byte_fallback = True
    proto.trainer_spec.unk_id, proto.trainer_spec.bos_id = 0, 1
    proto.trainer_spec.eos_id, proto.trainer_spec.pad_id = 2, -1
    proto.normalizer_spec.name = "identity"
    proto.normalizer_spec.add_dummy_prefix = True
    proto.normalizer_spec.remove_extra_whitespaces = False
    proto.normalizer_spec.escape_whitespaces = True
    return proto.SerializeToString(deterministic=True)


def write_json(path, value, indent=2):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent) + "\n", encoding="utf-8")
