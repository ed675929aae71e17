"""What generation_config.json says reaches the answer, from folders, packed models and GGUF files.

Needs only Python's standard library. OCELLUS_BINARY names the program, OCELLUS_SOURCE_DIR the checkout.
"""
import json
import shutil
import unittest

from quantize_test import GOLDEN, InFolder, run

MODEL = GOLDEN / "clip_llama" / "model"
PICTURE = GOLDEN / "images" / "photo.png"


class GenerationConfig(InFolder):
    def model(self, **settings):
        folder = self.folder / f"model{len(list(self.folder.iterdir()))}"
        shutil.copytree(MODEL, folder)
        file = folder / "generation_config.json"
        file.chmod(0o644)
        file.write_text(json.dumps({"bos_token_id": 1, "eos_token_id": 2} | settings))
        return folder

    def ask(self, model, *arguments):
        return run("ask", PICTURE, "What is this?", "--model", model, "-t", "0", "--logprobs", "--json", "--max-tokens", "12", *arguments)

    def tokens(self, model, *arguments):
        result = self.ask(model, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [token["id"] for token in json.loads(result.stdout)["logprobs"]]

    def test_rules_for_tokens(self):
        plain = self.tokens(MODEL)
        first, *rest = plain
        self.assertNotIn(first, self.tokens(self.model(suppress_tokens=[first])))
        self.assertNotEqual(self.tokens(self.model(begin_suppress_tokens=[first]))[0], first)
        self.assertNotIn(first, self.tokens(self.model(bad_words_ids=[[first]])))
        unique = self.tokens(self.model(no_repeat_ngram_size=1))
        self.assertEqual(len(unique), len(set(unique)))
        forced = self.tokens(self.model(forced_eos_token_id=2, max_new_tokens=12), "--max-tokens", "3")
        self.assertEqual(forced[:2], plain[:2])
        self.assertLessEqual(len(forced), 3)
        self.assertNotEqual(forced, plain[:3])

    def test_packed_and_gguf_keep_it(self):
        banned = self.tokens(MODEL)[0]
        source = self.model(suppress_tokens=[banned])
        answer = self.tokens(source)
        for command, name in (("pack", "m.ocellus"), ("quantize", "m.gguf")):
            target = self.folder / name
            weights = ["--weights", "f32"] if command == "quantize" else []
            made = run(command, source, target, *weights)
            self.assertEqual(made.returncode, 0, made.stderr)
            self.assertEqual(self.tokens(target), answer, name)

    def test_beams_are_refused_by_name_unless_accepted(self):
        model = self.model(num_beams=4)
        refused = self.ask(model)
        self.assertEqual(refused.returncode, 4, refused.stdout)
        error = json.loads(refused.stdout)["error"]
        self.assertIn("generation_config.json: num_beams: expected 1, found 4", error["message"])
        self.assertIn("--sample-instead", error["message"])
        self.assertEqual(self.tokens(model, "--sample-instead"), self.tokens(MODEL))

    def test_wrong_ids_are_named(self):
        refused = self.ask(self.model(bad_words_ids=[[1 << 19]]))
        self.assertEqual(refused.returncode, 4, refused.stdout)
        self.assertIn("generation_config.json: bad_words_ids", json.loads(refused.stdout)["error"]["message"])


if __name__ == "__main__":
    unittest.main()
