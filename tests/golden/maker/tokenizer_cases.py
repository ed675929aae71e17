"""Texts that tokenizers get wrong, and the ids that transformers gives them."""

import random

# One entry of texts, spaces and line ends visible.
FIXED = [
    "", " ", "  ", "   ", "    ", "        ", "\n", "\n\n", "\n\n\n", "\t", "\t\t", "\r\n", " \n", "\n ",
    " \t \n ", "a", " a", "  a", "a ", "a  ", " a ", "a\n", "\na", "a\n\nb", "a \n b", "\ta", "a\tb",
    "Hello", "hello world", "Hello, world!", " Hello", "Hello ", "HELLO WORLD", "hElLo", "helloworld",
    "What is in this picture?", "What colour is the circle on the left?", "circle", " circle", "circles",
    "It's", "it's I'm you're we've they'll he'd", "IT'S I'M YOU'RE", "'s", "' s", "don't can't", "o'clock",
    "\u2019s curly \u2018quotes\u2019 \u201clike these\u201d",
    "1", "12", "123", "1234", "12345", "1234567890", "3.14159", "1,000,000", "-42", "1e10", "0x1F", "50%",
    "1 2 3", "a1b2c3", "v2.0.1", "\u00bd \u00b2 \u2167 \u0663\u0664",
    ".", "...", "?!", "!!!", "---", "a.b", "a, b; c: d", "(a)", "[b]", "{c}", "<d>", "\"q\"", "`code`",
    "a/b\\c", "x = y + z * 2;", "#include <stdio.h>", "for (int i = 0; i < 10; ++i) {\n    f(i);\n}",
    "https://example.org/a?b=c&d=e#f", "name@example.org", "$5.00 \u20ac5 \u00a35 \u00a55", "@#$%^&*~|",
    "caf\u00e9", "cafe\u0301", "na\u00efve r\u00e9sum\u00e9", "\u00c5ngstr\u00f6m A\u030angstro\u0308m",
    "\u1e9b\u0323", "\ufb01ligature", "Stra\u00dfe \u1e9e", "\u0130stanbul \u0131\u015f\u0131k",
    "O\u00f9 est la maison bleue \u00e0 c\u00f4t\u00e9 de l'\u00e9cole ?", "Gr\u00f6\u00dfe und Farbe",
    "\u0427\u0442\u043e \u043d\u0430 \u043a\u0430\u0440\u0442\u0438\u043d\u043a\u0435?", "\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac",
    "\u8fd9\u5f20\u56fe\u7247\u91cc\u6709\u4ec0\u4e48\uff1f", "\u3053\u306e\u5199\u771f\u306b\u306f\u4f55\u304c\u3042\u308a\u307e\u3059\u304b\u3002",
    "\uc774 \uc0ac\uc9c4\uc5d0 \ubb34\uc5c7\uc774 \uc788\ub098\uc694?", "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "\u0645\u0627 \u0647\u0630\u0627\u061f", "\u05de\u05d4 \u05d6\u05d4", "\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902",
    "\u0e20\u0e32\u0e1e\u0e19\u0e35\u0e49", "ti\u1ebfng Vi\u1ec7t", "\u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8", "\u12a0\u121b\u122d\u129b",
    "\U0001f642", "\U0001f642\U0001f642", "a\U0001f642b", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "\u2764\ufe0f", "1\ufe0f\u20e3", "\U0001d54f\U0001d550",
    "\U00020000\U0002a6d6", "\U0010ffff", "\ue000 private", "\ufffd", "\ufeffbom", "a\u0000b", "\u0001\u0002\u001f\u007f",
    "\u0080\u009f", "\u00a0", "a\u00a0b", "\u2003em\u2003space", "\u3000", "a\u200bb", "\u200f\u202eabc", "a\u2028b\u2029c", "\u0085next", "\u000b\u000c",
    "\u0301", "e\u0301\u0302\u0303", "\u0915\u094d\u0937", "\u2581", "\u2581a", "a\u2581b", " \u2581 ", "\u0120", "\u010a\u0120",
    "<s>", "</s>", "<unk>", "<pad>", "<image>", "<0x41>", "<0xE2><0x96>", "<s>a</s>", "a<s>b", "a <s> b", " <s>", "<s> ", "<s><s>", "< s >", "<S>",
    "<image>\nWhat?", "USER: <image>\nWhat is this? ASSISTANT:", "USER: <image> <image>", "a<image>b", "<imag", "<image", "image>",
    "<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>", "<|reserved_special_token_69|>",
    "<|im_start|>user\nHi<|im_end|>\n", "<|endoftext|>", "a <|im_end|> b", "<|im_start|", "[INST] <image>\nHi [/INST]", "</s><s>[INST]",
    "a <l> b", "a  <l>  b", "a<l>b", "<l> b", " <l>", "a <r> b", "a  <r>  b", "a<r>b", "<r> ", "a <lr> b", "a \n<lr>\t b", "<lr><lr>", "<l><r>", "<r> <l>",
    "blue", "bluebell", "skyblue", "a blue b", "blue,blue", "_blue", "[word]", "a[word]b", "a [word] b", "<lone>", "a<lone>b", "a <lone> b",
    "ASSISTANT:", "ASSISTANT: ", "USER:", "\nUSER:", "Describe the red circle.", "Yes, it is.", "No, it isn't.",
    "a" * 50, "ab" * 40, " " * 33, "\n" * 20, "0" * 30, "!" * 17, "\u00e9" * 9, "\U0001f642" * 5, "\u4ec0\u4e48" * 8,
    "The quick brown fox jumps over the lazy dog. " * 6, "There is a red circle at the top of the picture.\n" * 5,
]
ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz     ", "ABCdef 123.,!?'\n\t", "\u00e9\u00e0\u00fc\u00f1\u00f8 \u0301\u0308aeo", "\u0430\u0431\u0432\u0433 \u4e00\u4e01\u4e03 \u3042\u3044",
    "\U0001f600\U0001f601\u200d\ufe0f a", "<>|s/image_ \u2581", " \n\r\t\u00a0x", "0123456789 ,.", "'sStTrReEvVmMlLdD ", "\u0000\u007f\u0080\ud7ff\ue000\uffff\U00010000",
]


def texts():
    rng = random.Random(20240229)
    made = []
    for index in range(40):
        letters = ALPHABETS[index % len(ALPHABETS)]
        made.append("".join(rng.choice(letters) for _ in range(rng.randint(1, 60))))
    return FIXED + made


def run(models, load):
    """{texts, tokenizers}; `models`: names; `load`: name to tokenizer."""
    wanted = texts()
    out = []
    for name in models:
        tokenizer = load(name)

        def ids(text, special, **more):
            return tokenizer(text, add_special_tokens=special, **more).input_ids

        plain = [ids(text, False) for text in wanted]
        out.append({
            "model": name, "class": type(tokenizer).__name__,
            "ids": plain,
            "ids_with_special": [ids(text, True) for text in wanted],
            "ids_as_typed": [ids(text, False, split_special_tokens=True) for text in wanted],
            "decoded": [tokenizer.decode(found, skip_special_tokens=False) for found in plain],
            "decoded_without_special": [tokenizer.decode(found, skip_special_tokens=True)
                                        for found in plain]})
    return {"texts": wanted, "tokenizers": out}
