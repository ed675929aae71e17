"""tools/eval_quantised.py: its judgement, its arithmetic, and a run of it with the demo model.

What needs numpy and gguf is skipped where they are missing. OCELLUS_BINARY names the program, OCELLUS_SOURCE_DIR the checkout.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["OCELLUS_SOURCE_DIR"])
sys.path.insert(0, str(SOURCE / "tools"))
from quality import report as reports  # noqa: E402

try:
    import gguf
    import numpy as np
    from quality import activations, measure, safetensors_io
except ImportError:
    np = None


def row(kind, kl, exact, error=0.001):
    part = {"kl": kl, "exact": exact, "growth": (kl / exact - 1, error), "top1": 0.9}
    return {"type": kind, "prompt": part, "generated": part}


class Judgement(unittest.TestCase):
    def verdicts(self, types, tower=(), accuracy=None):
        model = {"name": "m", "types": types, "tower": list(tower), "rows": {"prompt": 9, "generated": 4}, "entropy": 2.5}
        report = {"models": [model], "accuracy": accuracy or {}}
        report["criteria"] = reports.criteria(report)
        for markdown in (False, True):
            self.assertIn("q4_0", reports.render(report, markdown))
        return [each["ok"] for each in report["criteria"]]

    def test_each_limit_is_held_apart(self):
        tower = {"type": "bf16", "share": 0.02, "features": 0.001, "prompt": {"kl": 0.002}, "generated": {"kl": 0.002}}
        types = [row("q4_0", 0.104, 0.1), row("q8_0", 0.002, 0.001), {"type": "q8", "skipped": "not a type of this build"}]
        accuracy = {"f32": 97.0, "q4_0": 96.0, "q8_0": 96.5}
        self.assertEqual(self.verdicts(types, [tower], accuracy), [True] * 5)
        self.assertEqual(self.verdicts([row("q4_0", 0.106, 0.1), types[1]], [tower], accuracy), [False, True, True, True, True])
        self.assertEqual(self.verdicts([types[0], row("q8_0", 0.007, 0.001)], [tower], accuracy), [True, False, True, True, True])
        self.assertEqual(self.verdicts(types, [{**tower, "share": 0.11}], accuracy), [True, True, False, True, True])
        self.assertEqual(self.verdicts(types, [tower], {**accuracy, "q4_0": 95.9}), [True, True, True, False, True])
        self.assertEqual(self.verdicts(types, [tower], {**accuracy, "q8_0": 96.4}), [True, True, True, True, False])

    def test_what_the_rows_cannot_decide_is_not_judged(self):
        self.assertEqual(self.verdicts([row("q4_0", 0.106, 0.1, error=0.02)])[0], None)
        self.assertEqual(self.verdicts([row("q4_0", 0.106, 0.1, error=0.002)])[0], False)
        self.assertEqual(self.verdicts([row("q4_0", 0.101, 0.1)])[1:], [None] * 4)


@unittest.skipIf(np is None, "needs numpy and gguf")
class Arithmetic(unittest.TestCase):
    def setUp(self):
        self.rng = np.random.default_rng(1)

    def test_activations_are_rounded_as_ggml_does(self):
        x = self.rng.standard_normal((7, 512)).astype(np.float32) * 3
        x[0, :32] = 0
        kind = gguf.GGMLQuantizationType.Q8_0
        np.testing.assert_array_equal(activations.q8_0(x), gguf.quants.dequantize(gguf.quants.quantize(x, kind), kind))
        kind = gguf.GGMLQuantizationType.BF16
        np.testing.assert_array_equal(activations.bf16(x), gguf.quants.dequantize(gguf.quants.quantize(x, kind), kind))
        k = activations.q8_k(x).reshape(-1, 256)
        blocks = x.reshape(-1, 256)
        largest = np.abs(blocks).max(axis=1, keepdims=True)
        self.assertLess(float((np.abs(k - blocks) / largest).max()), 0.5001 / 127 + 1 / 127)  # 127 stands for what would be 128
        step = largest / 127
        np.testing.assert_allclose(np.rint(k / step), k / step, atol=1e-3)

    def test_divergence(self):
        a, b = (self.rng.standard_normal((50, 9)) for _ in range(2))
        p, q = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (a, b))
        np.testing.assert_allclose(measure.divergences(a, b), (p * np.log(p / q)).sum(axis=1))
        self.assertEqual(measure.divergences(a, a + 3).max() < 1e-12, True)
        growth, error = measure.growth(np.full(50, 1.1), np.full(50, 1.0))
        self.assertAlmostEqual(growth, 0.1)
        self.assertAlmostEqual(error, 0)
        self.assertAlmostEqual(measure.entropy(a * measure.temperature_for(a, 1.5)), 1.5, places=4)

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.safetensors"
            writer = safetensors_io.Writer(path, {"a": (np.float16, (2, 3)), "b": (np.float32, (4,))})
            b = writer.add("b", np.arange(4))
            a = writer.add("a", np.full((2, 3), 1 / 3))
            self.assertFalse(path.exists())
            writer.close()
            found = safetensors_io.read(path)
            np.testing.assert_array_equal(found["a"].astype(np.float32), a)
            np.testing.assert_array_equal(found["b"], b)


@unittest.skipIf(np is None, "needs numpy and gguf")
class Run(unittest.TestCase):
    def test_the_demo_model(self):
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run([sys.executable, SOURCE / "tools/eval_quantised.py", "--ocellus", os.environ["OCELLUS_BINARY"],
                                   "--models", "demo", "--types", "q8_0,q4_0,q4_k", "--tower-types", "bf16", "--no-llama-cpp",
                                   "--cache", cache, "--json"],
                                  capture_output=True, text=True, timeout=250, check=False)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        (model,) = json.loads(done.stdout)["models"]
        self.assertLess(model["numpy"], 1e-4)
        q8_0, q4_0, q4_k = model["types"]
        self.assertIn("whole blocks", q4_k["skipped"])
        for part in reports.PARTS:
            self.assertGreater(q4_0[part]["exact"], q8_0[part]["exact"])
            self.assertGreater(q8_0[part]["exact"], 0)
            self.assertLess(abs(q4_0[part]["growth"][0]), 0.5)
        self.assertGreater(model["tower"][0]["share"], 0)


if __name__ == "__main__":
    unittest.main()
