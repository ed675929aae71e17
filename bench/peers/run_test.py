#!/usr/bin/env python3
"""run.py from end to end, with stand-ins for the peers' interpreter and for ocellus: order, going on, failures."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

RUN = pathlib.Path(__file__).resolve().parent / "run.py"

# Speaks the worker's protocol; notes each measurement. It fails for the engine named in the file `broken`.
WORKER = """
import json, pathlib, sys
folder, case = pathlib.Path(__file__).parent.parent.parent, json.loads(sys.argv[2])["case"]
broken = folder / "broken"
if broken.exists() and broken.read_text() == case["engine"]:
    sys.exit("no such engine here")
print(json.dumps({"ready": True, "settings": "some", "version": "9"}), flush=True)
for line in sys.stdin:
    with (folder / "order").open("a") as file:
        file.write(case["engine"] + "\\n")
    print(json.dumps({"seconds": 0.5}), flush=True)
"""
OCELLUS = """
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
with (folder / "order").open("a") as file:
    file.write("ocellus\\n")
value = lambda flag: sys.argv[sys.argv.index(flag) + 1]
print(json.dumps({"machine": "stand-in", "peaks": {"bf16_all": 400.0}, "results": [
    {"work": value("--work"), "weights": value("--weights"), "tokens": int(value("--tokens")), "streams": 1,
     "value": 16.0, "unit": "tokens/s", "limit": 32.0, "limit_of": "bf16", "share": 0.5}]}))
"""


class RunTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.program("environment/bin/python", WORKER)
        self.program("ocellus", OCELLUS)

    def program(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(0o755)

    def run_it(self, *flags: str) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, str(RUN), "--ocellus", str(self.folder / "ocellus"), "--environment",
                               str(self.folder / "environment"), "--out", str(self.folder / "journal.jsonl"), "--threads", "1",
                               "--only", "prefill/bf16", "--json", *flags],
                              capture_output=True, text=True, timeout=300, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})

    def results(self, *flags: str) -> dict:
        done = self.run_it(*flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def order(self) -> list[str]:
        """What was measured since the last call."""
        path = self.folder / "order"
        lines = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def test_measures_in_turn_and_only_once(self):
        found = self.results("--rounds", "2")
        self.assertEqual(self.order(), ["ocellus", "openvino", "torch"] * 2)
        self.assertEqual([r["engine"] for r in found["results"]], ["ocellus", "openvino", "torch"])
        # Four layers in half a second are 128 tokens a second over 32 layers; ours says 16.
        self.assertEqual(found["results"][1]["value"], 128)
        self.assertEqual(found["results"][1]["ours_faster"], 0.125)
        self.assertEqual(self.results("--rounds", "2"), found)
        self.assertEqual(self.order(), [])

    def test_more_rounds_and_unfinished_rounds_are_measured_later(self):
        self.results("--rounds", "1")
        journal = self.folder / "journal.jsonl"
        lines = journal.read_text().split("\n")
        self.order()
        journal.write_text("\n".join(lines[:-2]) + "\n" + lines[-2][:20])  # torch's line was being written
        found = self.results("--rounds", "2")
        self.assertEqual(self.order(), ["ocellus", "openvino", "torch"] * 2)
        self.assertEqual([r["rounds"] for r in found["results"]], [2, 2, 2])

    def test_a_peer_that_fails_is_said_and_tried_again(self):
        (self.folder / "broken").write_text("torch")
        found = self.results("--rounds", "1")
        self.assertEqual(self.order(), ["ocellus", "openvino"])
        self.assertEqual(len(found["errors"]), 1)
        self.assertIn("no such engine here", found["errors"][0])
        (self.folder / "broken").unlink()
        found = self.results("--rounds", "1")
        self.assertEqual((found["errors"], len(found["results"])), ([], 3))

    def test_without_ours_the_peers_are_still_measured(self):
        self.program("ocellus", "import sys; sys.exit('no such flag')")
        found = self.results("--rounds", "1")
        self.assertEqual([(r["engine"], r["share"]) for r in found["results"]], [("openvino", None), ("torch", None)])
        self.assertIn("no such flag", found["errors"][0])

    def test_what_is_missing_is_named_before_anything_is_measured(self):
        for name in ("ocellus", "environment/bin/python"):
            (self.folder / name).rename(self.folder / "away")
            done = self.run_it()
            self.assertEqual(done.returncode, 2)
            self.assertIn(str(self.folder / name.split("/")[0]), done.stderr)
            (self.folder / "away").rename(self.folder / name)
        self.assertEqual(self.order(), [])

    def test_other_settings_are_refused(self):
        self.results("--rounds", "1")
        done = self.run_it("--layers", "2")
        self.assertEqual(done.returncode, 2)
        self.assertIn("another decoder", done.stderr)
        self.assertEqual(self.run_it("--layers", "2", "--rounds", "1", "--fresh").returncode, 0)

    def test_a_journal_can_be_read_without_measuring(self):
        self.assertEqual(self.run_it("--report").returncode, 2)
        self.results("--rounds", "1")
        self.order()
        self.assertEqual(len(self.results("--report")["results"]), 3)
        self.assertEqual(self.order(), [])


if __name__ == "__main__":
    unittest.main()
