#!/usr/bin/env python3
"""The table over small journals made here, and the files that it reads; no peer is needed."""
import json
import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import llama_bench  # noqa: E402
import ours  # noqa: E402
import report  # noqa: E402
from cases import Case, all_cases, figure  # noqa: E402
from journal import Journal, Mismatch  # noqa: E402
from shapes import Decoder, Tower, weight_bytes  # noqa: E402

SETTINGS = {"cpu": "a processor", "threads": 2, "prompt": 512, "ours": {"bf16": "bf16", "int8": "q8", "int4": "q4"},
            "decoder": {"layers": 4, "all_layers": 32}}
PREFILL = Case("openvino", "prefill", "int8", 512, 128)
DECODE = Case("openvino", "decode", "int4-g32", 1, 32)


def our_entry(case: Case, number: int, value: float | None, peaks: dict, **more) -> dict:
    result = None if value is None else {"work": case.work, "weights": "q8", "tokens": 512, "value": value,
                                         "unit": "tokens/s", "limit": 80, "limit_of": "f32", "share": 0.5} | more
    return {"group": case.group, "round": number, "key": "ours", "machine": "avx512", "peaks": peaks, "result": result,
            "load": 0.5}


def peer_entry(case: Case, number: int, seconds: float) -> dict:
    return {"group": case.group, "round": number, "key": case.key, "seconds": seconds, "settings": "THREADS=2",
            "version": "1.0", "load": 1.5}


class WithFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "deeper" / "journal.jsonl"

    def journal(self, *entries: dict) -> Journal:
        journal = Journal(self.path, SETTINGS)
        for entry in entries:
            journal.add(entry)
        return journal


class ShapesTest(unittest.TestCase):
    def test_sizes_are_those_of_the_model(self):
        self.assertEqual((Tower().patches, Tower().tokens), (576, 577))
        self.assertEqual(Decoder().layer_weights, 202_375_168)
        self.assertEqual(Decoder(layers=2).scale(), 16)

    def test_flops_by_hand_for_a_tiny_shape(self):
        tiny = Decoder(layers=1, all_layers=1, width=2, heads=1, head_dim=2, ff=3)
        self.assertEqual(tiny.layer_weights, 4 * 4 + 3 * 6)
        # Two rows: 2 · 2 · 34 in the matrices; scores and sums over 1 + 2 positions, 2 · 2 · 2 each.
        self.assertEqual(tiny.layer_flops(2), 136 + 24)
        eye = Tower(layers=1, width=2, heads=1, ff=3, patch=1, side=1, projected=4)
        self.assertEqual(eye.flops(), 2 * 3 * 2 + (2 * 2 * (16 + 12) + 4 * 4 * 2) + 2 * (8 + 16))

    def test_bytes_of_a_weight_include_its_scale(self):
        self.assertEqual([weight_bytes(w) for w in ("bf16", "int8", "int4-g128", "int4-g32")], [2, 1, 0.515625, 0.5625])
        with self.assertRaises(ValueError):
            weight_bytes("int3")


class CasesTest(unittest.TestCase):
    def test_names_are_unique_and_each_group_has_one_type_of_ours(self):
        cases = all_cases()
        self.assertEqual(len({case.key for case in cases}), len(cases))
        self.assertLessEqual({case.family for case in cases}, set(ours.TYPES))

    def test_limits(self):
        self.assertEqual(DECODE.limit, "read")
        self.assertEqual(PREFILL.limit, "int8")
        self.assertEqual(Case("openvino", "prefill", "int8", 512).limit, "bf16")  # weights alone are integers
        self.assertEqual(Case("openvino", "tower", "int8static", 577).limit, "int8")

    def test_a_figure_is_scaled_to_the_whole_model(self):
        found = figure(PREFILL, {"seconds": 2.0}, Decoder(layers=4))
        self.assertAlmostEqual(found.value, 512 / 16)
        self.assertAlmostEqual(found.used, 4 * Decoder().layer_flops(512) / 2 / 1e9)
        self.assertEqual(figure(Case("torch", "tower", "bf16", 577), {"seconds": 0.5}, Decoder()).value, 500)

    def test_the_last_layer_counts_once(self):
        found = figure(DECODE, {"seconds": 0.1, "head_seconds": 0.2}, Decoder(layers=4))
        self.assertAlmostEqual(found.value, 1 / (0.8 + 0.2))
        self.assertAlmostEqual(found.used, (32 * 202_375_168 * 0.5625 + 4096 * 32064) / 1e9)


class ReportTest(WithFolder):
    def rows(self, *entries, extra=()):
        return report.rows_of(self.journal(*entries), all_cases(), list(extra))

    def test_shares_are_of_the_peaks_of_the_same_round(self):
        gflops = 4 * Decoder().layer_flops(512) / 1e9
        rows = self.rows(our_entry(PREFILL, 0, None, {"int8_all": 800.0}), peer_entry(PREFILL, 0, gflops / 400),
                         our_entry(PREFILL, 1, None, {"int8_all": 400.0}), peer_entry(PREFILL, 1, gflops / 200))
        self.assertEqual(len(rows), 1)
        self.assertAlmostEqual(rows[0]["share"], 0.5)
        self.assertEqual(rows[0]["rounds"], 2)
        self.assertIsNone(rows[0]["ours_faster"])

    def test_ratio_is_the_median_of_the_rounds_ratios(self):
        entries = []
        for number, (value, seconds) in enumerate(((64.0, 2.0), (32.0, 2.0), (32.0, 8.0))):
            entries += [our_entry(PREFILL, number, value, {}), peer_entry(PREFILL, number, seconds)]
        mine, peer = self.rows(*entries)
        self.assertEqual((mine["engine"], mine["value"]), ("ocellus", 32))
        self.assertAlmostEqual(peer["ours_faster"], 2.0)  # 2, 1 and 4; the medians alone would say 1
        self.assertIsNone(peer["share"])
        self.assertAlmostEqual(mine["spread"], 1.0)

    def test_a_time_of_ours_is_turned_into_a_rate(self):
        tower = Case("openvino", "tower", "bf16", 577)
        rows = self.rows(our_entry(tower, 0, 250.0, {}, unit="ms"), peer_entry(tower, 0, 0.5))
        self.assertAlmostEqual(rows[1]["ours_faster"], 2.0)
        rows = self.rows(our_entry(tower, 0, 0.25, {}, unit="s"))
        self.assertEqual((rows[0]["value"], rows[0]["unit"]), (250, "ms"))  # as the peers' rows

    def test_errors_are_said_and_make_no_row(self):
        failed = {"group": PREFILL.group, "round": 0, "key": PREFILL.key, "error": "it would not start"}
        journal = self.journal(our_entry(PREFILL, 0, 30.0, {"read": {"one": 1.0, "all": 30.0}}), failed)
        self.assertEqual([r["engine"] for r in report.rows_of(journal, all_cases(), [])], ["ocellus"])
        said = report.preface(journal, llama_bench.parse(json.dumps([LLAMA]), "file"), markdown=True)
        self.assertIn("- settings: llama.cpp abc: 2 threads", said)
        self.assertIn("- failed: it would not start", said)
        self.assertIn("read 30.0 GB/s", said)
        self.assertIn("load average while measuring: 0.5 to 0.5", said)

    def test_rows_of_llama_bench_stand_beside_their_family(self):
        extra = llama_bench.parse(json.dumps([LLAMA | {"model_type": "llama 7B Q8_0"}, LLAMA | {"model_type": "llama 7B Q2_K"}]),
                                  "file")
        rows = self.rows(our_entry(PREFILL, 0, 60.0, {"int8_all": 800.0}), peer_entry(PREFILL, 0, 2.0),
                         our_entry(DECODE, 0, None, {}), peer_entry(DECODE, 0, 0.1), extra=extra)
        self.assertEqual([(r["engine"], r["work"]) for r in rows],
                         [("ocellus", "prefill"), ("openvino", "prefill"), ("llama.cpp", "prefill"), ("llama.cpp", "prefill"),
                          ("openvino", "decode")])
        self.assertAlmostEqual(rows[2]["ours_faster"], 3.0)
        self.assertAlmostEqual(rows[2]["share"], 2 * 6.738e9 * 20 / 1e9 / 800)
        self.assertIsNone(rows[3]["ours_faster"])

    def test_the_table_has_a_line_a_row(self):
        rows = self.rows(our_entry(PREFILL, 0, 30.0, {"int8_all": 800.0, "f32_all": 200.0}), peer_entry(PREFILL, 0, 2.0))
        text = report.table(rows, markdown=False).split("\n")
        self.assertEqual(len(text), 3)
        self.assertRegex(text[1], r"^prefill +q8 +ocellus +512 +30\.0 +tokens/s +– +– +200 f32 +50\.0 % +–$")
        self.assertRegex(text[2], r"^prefill +int8 a8-g128 +openvino +512 +32\.0 +tokens/s .* 0\.94×$")
        marked = report.table(rows, markdown=True).split("\n")
        self.assertEqual({line.count("|") for line in marked}, {12})


class JournalTest(WithFolder):
    def test_goes_on_after_a_half_written_line(self):
        self.journal(peer_entry(PREFILL, 0, 2.0))
        with self.path.open("a") as file:
            file.write('{"group": ["pre')
        again = self.journal(peer_entry(PREFILL, 1, 3.0))
        self.assertEqual(sorted(again.rounds(PREFILL.group, PREFILL.key)), [0, 1])
        self.assertEqual(sorted(Journal(self.path, None).rounds(PREFILL.group, PREFILL.key)), [0, 1])

    def test_a_failure_is_replaced_by_a_later_success(self):
        journal = self.journal(peer_entry(PREFILL, 0, 2.0) | {"error": "no memory"})
        self.assertIsNone(journal.find(PREFILL.group, 0, PREFILL.key))
        journal.add(peer_entry(PREFILL, 0, 2.0))
        self.assertEqual(journal.find(PREFILL.group, 0, PREFILL.key)["seconds"], 2.0)
        self.assertEqual(journal.errors(), [])

    def test_other_settings_are_not_mixed_in(self):
        self.journal()
        with self.assertRaisesRegex(Mismatch, "another threads"):
            Journal(self.path, SETTINGS | {"threads": 8})

    def test_another_file_is_not_written_to(self):
        self.path.parent.mkdir()
        self.path.write_text('{"results": []}\n')
        with self.assertRaisesRegex(Mismatch, "another file"):
            Journal(self.path, SETTINGS)
        with self.assertRaises(Mismatch):
            Journal(self.path.parent / "absent", None)


LLAMA = {"model_type": "llama 7B Q4_0", "model_size": 3825065984, "model_n_params": 6738000000, "n_prompt": 512, "n_gen": 0,
         "n_threads": 2, "avg_ts": 20.0, "build_commit": "abc"}


class LlamaBenchTest(unittest.TestCase):
    def parse(self, *tests):
        return llama_bench.parse(json.dumps(tests), "file.json")

    def test_prompt_and_generation(self):
        prefill, decode = self.parse(LLAMA, LLAMA | {"n_prompt": 0, "n_gen": 128, "avg_ts": 8.0})
        self.assertEqual((prefill["work"], prefill["tokens"], prefill["family"], prefill["weights"]),
                         ("prefill", 512, "int4", "Q4_0"))
        self.assertAlmostEqual(prefill["used"], 269.52)
        self.assertEqual((decode["work"], decode["tokens"], decode["limit_name"]), ("decode", 1, "read"))
        self.assertAlmostEqual(decode["used"], 30.6, places=2)

    def test_both_at_once_and_a_filled_cache_are_left_out(self):
        self.assertEqual(self.parse(LLAMA | {"n_gen": 128}, LLAMA | {"n_depth": 512}), [])
        self.assertEqual(len(self.parse(LLAMA | {"n_depth": 0})), 1)

    def test_types(self):
        for name, family, kind in (("llama 7B BF16", "bf16", "BF16"), ("llama 7B mostly Q8_0", "int8", "Q8_0"),
                                   ("llama 7B Q4_K - Medium", "int4", "Q4_K - Medium"), ("llama 7B Q6_K", "Q6_K", "Q6_K")):
            self.assertEqual(llama_bench.family_of(name), (family, kind))

    def test_older_files_without_sizes_have_no_share(self):
        test = {k: v for k, v in LLAMA.items() if k not in ("model_size", "model_n_params")}
        self.assertIsNone(self.parse(test)[0]["used"])

    def test_bad_files_are_named(self):
        for text, message in (("", "expected JSON"), ("{}", "expected the list"), ("[1]", r"\[0\]: expected an object"),
                              (json.dumps([LLAMA | {"avg_ts": "fast"}]), "avg_ts: expected a number"),
                              (json.dumps([LLAMA | {"n_gen": None}]), "n_gen")):
            with self.assertRaisesRegex(llama_bench.BadFile, message):
                llama_bench.parse(text, "file.json")


class OursTest(unittest.TestCase):
    def test_peaks_in_either_spelling_and_zero_for_no_such_instruction(self):
        self.assertEqual(ours.peak({"int8_all": 900.0}, "int8"), 900)
        self.assertEqual(ours.peak({"int8": {"one": 450.0, "all": 900.0}}, "int8"), 900)
        self.assertIsNone(ours.peak({"bf16_all": 0}, "bf16"))
        self.assertIsNone(ours.peak({}, "read"))

    def test_the_result_of_the_group_is_picked(self):
        results = [{"work": "prefill", "tokens": 576}, {"work": "prefill", "tokens": 512}, {"work": "tower", "tokens": 577},
                   {"work": "decode", "tokens": 1}, {"work": "batch", "tokens": 1, "streams": 8}]
        self.assertIs(ours.pick(results, "prefill", 512), results[1])
        self.assertIs(ours.pick(results, "tower", 577), results[2])
        self.assertIs(ours.pick(results, "decode", 1), results[3])
        self.assertIs(ours.pick(results, "decode", 8), results[4])
        self.assertIsNone(ours.pick(results, "decode", 4))

    def test_other_output_is_refused(self):
        for text in ("", "[]", '{"peaks": {}}', '{"peaks": [], "results": []}'):
            with self.assertRaises(ours.Failed):
                ours.parse(text)


if __name__ == "__main__":
    unittest.main()
