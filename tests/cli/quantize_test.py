"""`ocellus quantize` and `ocellus inspect FILE.gguf` as a person or a script would use them.

Needs only Python's standard library; what the `gguf` package (and numpy) reads is checked where that package is installed.
OCELLUS_BINARY names the program, OCELLUS_SOURCE_DIR the checkout.
"""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

try:
    import gguf
    import numpy as np
    from gguf import quants
except ImportError:
    gguf = None

BINARY = os.environ["OCELLUS_BINARY"]
SOURCE = pathlib.Path(os.environ["OCELLUS_SOURCE_DIR"])
GOLDEN = SOURCE / "tests" / "golden"
DEMO = SOURCE / "models" / "demo"


def run(*arguments):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, timeout=120, check=False)


class InFolder(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)

    def tearDown(self):
        self.temporary.cleanup()

    def quantize(self, source, name, *arguments):
        target = self.folder / name
        result = run("quantize", source, target, "--json", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return target, json.loads(result.stdout)


class Command(InFolder):
    def test_summary_and_files(self):
        target, summary = self.quantize(DEMO, "demo.gguf", "--weights", "q8_0")
        self.assertEqual([f["path"] for f in summary["files"]], [str(target), str(self.folder / "mmproj-demo.gguf")])
        for file in summary["files"]:
            self.assertEqual(pathlib.Path(file["path"]).stat().st_size, file["bytes"])
        self.assertEqual(sum(f["bytes"] for f in summary["files"]), summary["bytes"])
        self.assertLess(summary["bytes"], summary["source_bytes"])
        self.assertEqual(set(summary["files"][0]["types"]), {"f32", "q8_0"})
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["demo.gguf", "mmproj-demo.gguf"])

    def test_the_pair_answers(self):
        target, _ = self.quantize(DEMO, "demo.gguf", "--weights", "q8_0")
        picture = SOURCE / "examples" / "pictures" / "scene.png"
        answer = run("ask", picture, "How many objects are there?", "--model", target, "--temperature", "0")
        whole = run("ask", picture, "How many objects are there?", "--model", DEMO, "--temperature", "0")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual(answer.stdout, whole.stdout)

    def test_errors(self):
        target, _ = self.quantize(DEMO, "demo.gguf", "--weights", "f16")
        for code, says, arguments in [
                (2, b"exists already", (DEMO, target, "--weights", "q8_0")),
                (2, b"is being read", (target, target, "--weights", "q8_0", "--force")),
                (2, b"--weights", (DEMO, target)),
                (2, b"q4_9", (DEMO, target, "--weights", "q4_9")),
                (2, b"ends in .gguf", (DEMO, self.folder / "demo", "--weights", "q8_0")),
                (4, b"/no/such", ("/no/such", self.folder / "a.gguf", "--weights", "q8_0")),
                (3, b"/no/such", (DEMO, "/no/such/a.gguf", "--weights", "q8_0"))]:
            result = run("quantize", *arguments)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(says, result.stderr)
        self.assertEqual(run("quantize", DEMO, target, "--weights", "q8_0", "--force").returncode, 0)

    def test_inspect(self):
        target, _ = self.quantize(DEMO, "demo.gguf", "--weights", "q4_0")
        report = json.loads(run("inspect", target, "--json").stdout)
        self.assertEqual(report["kind"], "gguf")
        self.assertEqual(report["metadata"]["general.architecture"], "llama")
        self.assertEqual(report["metadata"]["llama.block_count"], 4)
        self.assertIs(report["metadata"]["tokenizer.ggml.add_bos_token"], True)
        self.assertEqual(report["metadata"]["tokenizer.ggml.tokens"], {"array_of": "string", "count": 832})
        self.assertEqual(sum(t["tensors"] for t in report["types"].values()), len(report["tensors"]))
        self.assertEqual(sum(t["bytes"] for t in report["tensors"]), report["weight_bytes"])
        mmproj = json.loads(run("inspect", self.folder / "mmproj-demo.gguf", "--json").stdout)
        self.assertEqual(len(mmproj["metadata"]["clip.vision.image_mean"]), 3)
        self.assertNotIn("pair", mmproj)
        self.assertEqual(report["pair"]["weight_bytes"], report["weight_bytes"] + mmproj["weight_bytes"])
        self.assertGreater(report["pair"]["kv_cache_bytes"], 0)
        self.assertIn(b"memory with", run("inspect", target).stdout)


@unittest.skipIf(gguf is None, "the gguf package is not installed")
class Package(InFolder):
    """What the reference package makes of the files."""

    def tensors(self, path):
        return {t.name: t for t in gguf.GGUFReader(path).tensors}

    def test_same_keys_and_tensors_as_a_converter_writes(self):
        for name in ("mistral_gqa", "qwen2_chatml"):
            target, _ = self.quantize(GOLDEN / name / "model", f"{name}.gguf", "--weights", "f32", "--tower-weights", "f32")
            for ours, theirs in ((target, "lm.gguf"), (self.folder / f"mmproj-{name}.gguf", "mmproj.gguf")):
                a, b = gguf.GGUFReader(ours), gguf.GGUFReader(GOLDEN / "gguf" / name / theirs)
                for key, field in b.fields.items():
                    if key.startswith("GGUF.") or key == "tokenizer.ggml.scores":
                        continue
                    with self.subTest(model=name, key=key):
                        self.assertEqual(a.fields[key].types, field.types)
                        if key != "tokenizer.ggml.tokens" and key != "tokenizer.ggml.token_type":
                            self.assertEqual(a.fields[key].contents(), field.contents())
                        else:  # ours are as many as the embeddings have rows
                            known = field.contents()
                            self.assertEqual(a.fields[key].contents()[:len(known)], known)
                first, second = self.tensors(ours), self.tensors(GOLDEN / "gguf" / name / theirs)
                self.assertEqual(set(first), set(second))
                for each, tensor in second.items():
                    self.assertEqual(list(first[each].shape), list(tensor.shape), each)
                    if tensor.tensor_type == gguf.GGMLQuantizationType.F32:
                        np.testing.assert_array_equal(first[each].data, tensor.data, each)

    def wide_pair(self):
        """Rows of 256 values: whole blocks of every type."""
        random = np.random.default_rng(3)
        writer = gguf.GGUFWriter(self.folder / "wide.gguf", "llama")
        for key, value in (("context_length", 64), ("embedding_length", 256), ("block_count", 1), ("feed_forward_length", 512),
                           ("attention.head_count", 4)):
            writer.add_uint32(f"llama.{key}", value)
        writer.add_tokenizer_model("llama")
        tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
        writer.add_token_list(tokens)
        writer.add_token_scores([0.0] * len(tokens))
        writer.add_token_types([2, 3, 3] + [6] * 256)
        shapes = {"token_embd": (len(tokens), 256), "output_norm": (256,), "output": (len(tokens), 256), "blk.0.attn_norm": (256,),
                  "blk.0.attn_q": (256, 256), "blk.0.attn_k": (256, 256), "blk.0.attn_v": (256, 256), "blk.0.attn_output": (256, 256),
                  "blk.0.ffn_norm": (256,), "blk.0.ffn_gate": (512, 256), "blk.0.ffn_up": (512, 256), "blk.0.ffn_down": (256, 512)}
        values = {f"{name}.weight": random.normal(0, 0.05, shape).astype(np.float32) for name, shape in shapes.items()}
        for name, value in values.items():
            writer.add_tensor(name, value)
        self.finish(writer)
        writer = gguf.GGUFWriter(self.folder / "mmproj-wide.gguf", "clip")
        for key, value in (("image_size", 28), ("patch_size", 14), ("embedding_length", 32), ("feed_forward_length", 32), ("block_count", 1),
                           ("attention.head_count", 2)):
            writer.add_uint32(f"clip.vision.{key}", value)
        for name, shape in {"v.class_embd": (32,), "v.patch_embd.weight": (32, 3, 14, 14), "v.position_embd.weight": (5, 32),
                            "mm.0.weight": (256, 32), "mm.2.weight": (256, 256)}.items():
            writer.add_tensor(name, random.normal(0, 0.05, shape).astype(np.float32))
        self.finish(writer)
        return values

    @staticmethod
    def finish(writer):
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()

    def test_every_type_expands_to_the_same_values(self):
        values = self.wide_pair()
        # Root mean square error over that of the values, at most: a little above what the types can do on normal values.
        limits = {"f16": 0.001, "bf16": 0.003, "q8_0": 0.007, "q6_k": 0.02, "q5_k": 0.04, "q5_0": 0.05, "q5_1": 0.05, "q4_k": 0.08,
                  "q4_0": 0.1, "q4_1": 0.09, "q3_k": 0.16, "q2_k": 0.33}
        for kind, limit in limits.items():
            rounded, _ = self.quantize(self.folder / "wide.gguf", f"{kind}.gguf", "--weights", kind)
            expanded, _ = self.quantize(rounded, f"{kind}-f32.gguf", "--weights", "f32")
            theirs, ours = self.tensors(rounded), self.tensors(expanded)
            self.assertEqual(theirs["blk.0.ffn_up.weight"].tensor_type.name, kind.upper())
            for name, value in values.items():
                with self.subTest(type=kind, tensor=name):
                    tensor = theirs[name]
                    expected = quants.dequantize(tensor.data, tensor.tensor_type).reshape(value.shape)
                    np.testing.assert_array_equal(ours[name].data.reshape(value.shape), expected)
                    error = np.sqrt(np.mean((expected - value) ** 2) / np.mean(value**2))
                    self.assertLess(error, limit)
                    if kind in ("q8_0", "q5_0", "q5_1", "q4_0", "q4_1") and tensor.tensor_type.name == kind.upper():
                        np.testing.assert_array_equal(tensor.data, quants.quantize(value, tensor.tensor_type))


if __name__ == "__main__":
    unittest.main()
