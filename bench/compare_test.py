#!/usr/bin/env python3
"""compare.py over small files made here."""
import contextlib
import copy
import io
import json
import pathlib
import tempfile
import unittest

import compare

RESULTS = [
    {"work": "prefill", "weights": "bf16", "tokens": 512, "streams": 1, "value": 30.0, "unit": "tokens/s",
     "limit": 400.0, "share": 0.90},
    {"work": "decode", "weights": "q4_0", "tokens": 1, "streams": 1, "value": 10.0, "unit": "tokens/s",
     "limit": 40.0, "share": 0.80},
    {"work": "load", "weights": "bf16", "tokens": 0, "streams": 1, "value": 200.0, "unit": "ms",
     "limit": None, "share": None},
]


def bench(results=RESULTS, **peaks) -> dict:
    return {"machine": "avx512, 2 threads", "peaks": {"bf16_all": 400.0, "read_all": 40.0} | peaks,
            "results": copy.deepcopy(results)}


class CompareTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_on(self, before, after, *flags) -> tuple[int, str, str]:
        paths = []
        for name, content in (("a.json", before), ("b.json", after)):
            paths.append(self.folder / name)
            paths[-1].write_text(content if isinstance(content, str) else json.dumps(content))
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = compare.main([*map(str, paths), *flags])
        return status, out.getvalue(), err.getvalue()

    def verdicts(self, before, after, *flags) -> list[str]:
        return [row["verdict"] for row in json.loads(self.run_on(before, after, "--json", *flags)[1])["results"]]

    def changed(self, at: int, **fields) -> dict:
        after = bench()
        after["results"][at] |= fields
        return after

    def test_the_same_file_has_no_regression(self):
        self.assertEqual(self.verdicts(bench(), bench()), ["same"] * 3)
        self.assertEqual(self.run_on(bench(), bench(), "--check")[0], 0)

    def test_a_slower_machine_is_no_regression(self):
        after = self.changed(0, value=15.0, limit=200.0)
        self.assertEqual(self.verdicts(bench(), after)[0], "same")

    def test_a_faster_machine_hides_no_regression(self):
        after = self.changed(0, value=33.0, limit=800.0, share=0.5)
        self.assertEqual(self.verdicts(bench(), after)[0], "worse")

    def test_threshold_is_relative_to_the_share_before(self):
        self.assertEqual(self.verdicts(bench(), self.changed(1, share=0.761))[1], "same")    # -4.9 %
        self.assertEqual(self.verdicts(bench(), self.changed(1, share=0.759))[1], "worse")   # -5.1 %
        self.assertEqual(self.verdicts(bench(), self.changed(1, share=0.759), "--threshold", "6")[1], "same")
        self.assertEqual(self.verdicts(bench(), self.changed(1, share=0.841))[1], "better")

    def test_without_a_limit_the_figure_counts_and_a_longer_time_is_worse(self):
        self.assertEqual(self.verdicts(bench(), self.changed(2, value=300.0))[2], "worse")
        self.assertEqual(self.verdicts(bench(), self.changed(2, value=100.0))[2], "better")

    def test_another_unit_without_a_share_cannot_be_compared(self):
        after = self.changed(2, unit="s")
        self.assertEqual(self.verdicts(bench(), after)[2], "not comparable")
        self.assertEqual(self.run_on(bench(), after, "--check")[0], 1)

    def test_a_result_that_is_gone_fails_the_check_and_a_new_one_does_not(self):
        fewer = bench(RESULTS[:2])
        self.assertEqual(self.verdicts(bench(), fewer), ["same", "same", "gone"])
        self.assertEqual(self.run_on(bench(), fewer, "--check")[0], 1)
        self.assertEqual(self.verdicts(fewer, bench()), ["same", "same", "new"])
        self.assertEqual(self.run_on(fewer, bench(), "--check")[0], 0)

    def test_a_share_of_nothing_before_is_compared_by_the_figure(self):
        before, after = self.changed(0, share=0), self.changed(0, value=10.0, share=0.9)
        row = json.loads(self.run_on(before, after, "--json")[1])["results"][0]
        self.assertEqual((row["by"], row["verdict"]), ("value", "worse"))

    def test_only_check_turns_a_regression_into_a_status(self):
        after = self.changed(0, share=0.1)
        self.assertEqual(self.run_on(bench(), after)[0], 0)
        status, out, _ = self.run_on(bench(), after, "--check")
        self.assertEqual(status, 1)
        self.assertIn("worse: work prefill weights bf16 tokens 512 streams 1", out)

    def test_the_machines_own_change_is_shown(self):
        _, out, _ = self.run_on(bench(), bench(read_all=50.0))
        self.assertRegex(out, r"read_all +40\.0 +50\.0 +\+25\.0 %")
        other = bench() | {"machine": "avx2, 8 threads"}
        self.assertIn("the machines differ", self.run_on(bench(), other)[1])

    def test_peaks_that_a_machine_lacks_are_left_out(self):
        peaks = json.loads(self.run_on(bench(int8_all=None), bench(int8_all=900.0), "--json")[1])["peaks"]
        self.assertEqual([p["peak"] for p in peaks], ["bf16_all", "read_all"])

    def test_markdown_has_a_rule_and_as_many_cells_in_each_line(self):
        lines = self.run_on(bench(), bench(), "--markdown")[1].split("\n\n")[0].split("\n")
        self.assertEqual(len({line.count("|") for line in lines}), 1)
        self.assertRegex(lines[1], r"^\| -+ \|.*-: \|$")

    def test_results_without_streams_mean_one(self):
        before = bench()
        for result in before["results"]:
            del result["streams"]
        self.assertEqual(self.verdicts(before, bench()), ["same"] * 3)

    def test_bad_files_are_named(self):
        twice = bench(RESULTS[:1] * 2)
        for bad, message in (("{", "expected JSON"), ([], "`results`"), ({"results": [3]}, "results[0]"),
                             ({"results": [{"work": "load"}]}, "`value`"), (twice, "second time"),
                             ({"results": [{"work": "load", "value": True}]}, "`value`")):
            status, _, err = self.run_on(bench(), bad)
            self.assertEqual(status, 2, bad)
            self.assertIn("b.json: ", err)
            self.assertIn(message, err)
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(compare.main([str(self.folder / "absent"), str(self.folder / "absent")]), 2)


if __name__ == "__main__":
    unittest.main()
