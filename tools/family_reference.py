"""What transformers computes for models whose pictures become tiles: every family but LLaVA-1.5.

The processor is transformers' own with its Pillow image processor; messages hold pictures and text
in any order. Weights are upcast to f32, attention is eager, the answer greedy.
"""

import json
import pathlib

import numpy as np
import torch
import transformers

# Named in the order of tools/compare_reference.py.
PIXELS = ("pixel_values", "image_sizes", "image_grid_thw")


def end_tokens(folder, config):
    """generation_config.json first, then the language model's configuration."""
    path = folder / "generation_config.json"
    given = json.loads(path.read_text())["eos_token_id"] if path.exists() else None
    ids = given if given is not None else config.get_text_config().eos_token_id
    if ids is None:
        return []
    return list(ids) if isinstance(ids, (list, tuple)) else [ids]


class FamilyReference:
    """A checkpoint, loaded by transformers."""

    def __init__(self, folder, processor_settings=None, model_settings=None):
        """Settings of the image processor, and of the model, instead of the checkpoint's."""
        self.dir = pathlib.Path(folder)
        self.model = transformers.AutoModelForImageTextToText.from_pretrained(
            self.dir, dtype=torch.float32, attn_implementation="eager").eval()
        self.config = self.model.config
        for name, value in (model_settings or {}).items():
            setattr(self.config, name, value)
        # AutoProcessor takes no backend where there is a video processor too.
        self.processor = transformers.AutoProcessor.from_pretrained(self.dir)
        self.processor.image_processor = transformers.AutoImageProcessor.from_pretrained(
            self.dir, backend="pil", **(processor_settings or {}))
        self.tokenizer = self.processor.tokenizer

    def inputs(self, messages):
        return self.processor.apply_chat_template(
            messages, tokenize=True, return_dict=True, return_tensors="pt",
            add_generation_prompt=True)

    @torch.no_grad()
    def embeddings(self, inputs):
        """Rows that replace image tokens, all pictures, in the order of the prompt."""
        given = {name: value for name, value in inputs.items()
                 if name in ("pixel_values", "image_sizes", "image_grid_thw", "batch_num_images",
                             "pixel_attention_mask")}
        found = self.model.model.get_image_features(**given, return_dict=True).pooler_output
        rows = list(found) if isinstance(found, (list, tuple)) else [found]
        return torch.cat([part.reshape(-1, part.shape[-1]) for part in rows])

    @torch.no_grad()
    def trace(self, messages, max_tokens=32):
        """Every stage, as numpy arrays by their names in the trace file."""
        inputs = self.inputs(messages)
        end = end_tokens(self.dir, self.config)
        settings = transformers.GenerationConfig(
            do_sample=False, max_new_tokens=max_tokens, output_logits=True,
            return_dict_in_generate=True, eos_token_id=end or None,
            pad_token_id=end[0] if end else 0)
        # The checkpoint's own sampling settings would otherwise leak into a greedy answer.
        self.model.generation_config = settings
        out = self.model.generate(**inputs, generation_config=settings)
        length = inputs["input_ids"].shape[1]
        stages = {name: np.asarray(inputs[name]) for name in PIXELS if name in inputs}
        if "pixel_values" in inputs:
            stages["pixel_values"] = stages["pixel_values"].astype(np.float32)
            stages["image_embeddings"] = self.embeddings(inputs).float().numpy()
        return {
            **stages,
            "input_ids": inputs["input_ids"][0].numpy().astype(np.int64),
            "logits": torch.cat(out.logits).float().numpy(),
            "tokens": out.sequences[0, length:].numpy().astype(np.int64),
        }
