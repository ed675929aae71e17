#!/usr/bin/env python3
"""Writes sampling.json: what transformers makes of logits under generation_config.json's samplers.

Usage: tests/golden/make_sampling.py [--out tests/golden/sampling.json]; needs transformers and torch.
Each case has a file, a history whose first `prompt` ids are the prompt, logits, and the probabilities that the reference draws
from; without do_sample the token that it takes.
"""
import argparse
import json
import pathlib

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

VOCABULARY, END = 12, [1, 5]
LOGITS = [2.0, 1.5, 1.4, 1.0, 0.5, 0.0, -0.5, -1.0, -2.0, 3.0, 2.5, -4.0]
HISTORY, PROMPT = [9, 0, 6, 9, 11, 3, 9], 4  # after 9 came 0 and 11; after 3, 9 nothing

SAMPLE = {"do_sample": True}
CASES = [
    {}, SAMPLE, SAMPLE | {"top_k": 3}, SAMPLE | {"temperature": 0.7, "top_p": 0.6}, SAMPLE | {"min_p": 0.3},
    *[SAMPLE | {"typical_p": p} for p in (0.05, 0.3, 0.5, 0.9, 0.99, 1.0)],
    *[SAMPLE | {"temperature": t, "typical_p": 0.6} for t in (0.3, 3.0)],
    *[SAMPLE | {"epsilon_cutoff": e} for e in (0.01, 0.1, 0.5, 0.9)],
    *[SAMPLE | {"eta_cutoff": e} for e in (0.001, 0.05, 0.3)],
    *[SAMPLE | {"top_h": h} for h in (0.2, 0.5, 0.8)],
    SAMPLE | {"temperature": 1.5, "top_h": 0.9, "top_k": 5, "top_p": 0.95, "min_p": 0.05, "typical_p": 0.9, "epsilon_cutoff": 0.02, "eta_cutoff": 0.02},
    *[{"no_repeat_ngram_size": n} for n in (1, 2, 3, 7, 8)],
    SAMPLE | {"no_repeat_ngram_size": 2, "repetition_penalty": 1.3},
    {"repetition_penalty": 4.0}, SAMPLE | {"repetition_penalty": 0.5},
    {"bad_words_ids": [[9], [3, 9, 10], [0, 2]]}, {"bad_words_ids": [[9], [9, 10], [9, 10], [1]]}, SAMPLE | {"bad_words_ids": [[1], [5, 5], [2]]},
    {"sequence_bias": [[[9], -1.5], [[9, 0], 1.5], [[3, 9, 8], 7.0]]}, SAMPLE | {"sequence_bias": [[[0], -2.5], [[11, 3, 9, 4], 3.0]], "repetition_penalty": 1.5},
    {"suppress_tokens": [9, 10]}, SAMPLE | {"suppress_tokens": [0, 100]},
    SAMPLE | {"begin_suppress_tokens": [9]},  # the answer has begun
    SAMPLE | {"min_new_tokens": 4}, SAMPLE | {"min_new_tokens": 3}, SAMPLE | {"min_length": 8}, SAMPLE | {"min_length": 7},
    {"forced_eos_token_id": 5, "max_new_tokens": 4}, {"forced_eos_token_id": [5, 1], "max_new_tokens": 5}, SAMPLE | {"forced_eos_token_id": [5, 1], "max_new_tokens": 4},
    {"forced_bos_token_id": 7},
    SAMPLE | {"exponential_decay_length_penalty": [1, 2.0]}, SAMPLE | {"exponential_decay_length_penalty": [3, 2.0]},
    SAMPLE | {"remove_invalid_values": True, "renormalize_logits": True, "suppress_tokens": [9]},
]
BEGINNINGS = [{"begin_suppress_tokens": [9]}, {"forced_bos_token_id": 7}, {"forced_bos_token_id": 7, "begin_suppress_tokens": [7]},
              SAMPLE | {"no_repeat_ngram_size": 1}, SAMPLE | {"min_new_tokens": 1}, SAMPLE | {"exponential_decay_length_penalty": [0, 2.0]}]


def run(model, file, history, prompt):
    config = GenerationConfig(**file, eos_token_id=END)
    config.update(**{k: v for k, v in GenerationConfig._get_default_generation_params().items() if getattr(config, k, None) is None})
    config._eos_token_tensor = torch.tensor(END)
    config.max_length = prompt + (config.max_new_tokens or 512)
    ids = torch.tensor([history])
    processors = model._get_logits_processor(config, input_ids_seq_length=prompt, encoder_input_ids=ids, device="cpu", model_kwargs={})
    scores = processors(ids, torch.tensor([LOGITS]))[0]
    case = {"generation_config": file, "history": history, "prompt": prompt, "logits": LOGITS}
    if config.do_sample:
        return case | {"probabilities": [round(p, 6) for p in scores.double().softmax(-1).tolist()]}
    return case | {"token": int(scores.argmax())}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "sampling.json")
    out = parser.parse_args().out
    model = LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1))
    cases = [run(model, file, HISTORY, PROMPT) for file in CASES]
    cases += [run(model, file, history, len(history)) for file in BEGINNINGS for history in ([9], [9, 0])]
    cases += [run(model, file, [9, 7], 1) for file in BEGINNINGS]
    lines = ",\n".join(json.dumps(case) for case in cases)
    out.write_text(f'{{"end_tokens": {json.dumps(END)}, "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
