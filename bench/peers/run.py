#!/usr/bin/env python3
"""Measures OpenVINO and PyTorch at the work of LLaVA-1.5-7B beside `ocellus bench`, in turn, beside the machine's peaks.

The peers run in an environment of their own (bench/peers/setup). Each group of cases goes A B C A B C …: ours, which also
measures the peaks, then every peer, for a number of rounds. Results are written to --out as they come; the same command
again goes on where it was cut short, and only prints the table once everything is there.
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import llama_bench  # noqa: E402
import ours  # noqa: E402
import peer  # noqa: E402
import report  # noqa: E402
from cases import all_cases  # noqa: E402
from journal import Journal, Mismatch  # noqa: E402
from shapes import Decoder  # noqa: E402


def cache_folder() -> pathlib.Path:
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "ocellus" / "peers"


def cpu_name() -> str:
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().split("\n"):
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def parse_types(given: list[str]) -> dict:
    types = dict(ours.TYPES)
    for each in given:
        family, equals, name = each.partition("=")
        if family not in types or not equals or not name:
            raise SystemExit(f"--ours: expected bf16=TYPE, int8=TYPE or int4=TYPE, found {each}")
        types[family] = name
    return types


def log(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def missing_programs(given) -> str | None:
    if not (given.environment / "bin" / "python").exists():
        return f"{given.environment}: expected the peers' environment; make it: bench/peers/setup --into {given.environment}"
    if shutil.which(given.ocellus) is None:
        return f"{given.ocellus}: expected the program; build it, or name it with --ocellus"
    return None


class Run:
    def __init__(self, given, cases, journal: Journal):
        self.given, self.cases, self.journal = given, cases, journal
        self.decoder = Decoder(**journal.settings["decoder"])
        self.ours = ours.Ours(given.ocellus, given.random, given.layers, given.threads, given.seconds, parse_types(given.ours),
                              given.peaks_only)
        self.python = str(given.environment / "bin" / "python")

    def missing(self, group: tuple, number: int) -> bool:
        keys = ["ours", *(case.key for case in self.cases if case.group == group)]
        return any(self.journal.find(group, number, key) is None for key in keys)

    def groups(self) -> dict[tuple, list[int]]:
        """The rounds that each group still lacks. A round is measured whole or again: its ratios are of neighbours."""
        groups = {}
        for group in dict.fromkeys(case.group for case in self.cases):
            rounds = [number for number in range(self.given.rounds) if self.missing(group, number)]
            if rounds:
                groups[group] = rounds
        return groups

    def everything(self) -> None:
        for group, rounds in self.groups().items():
            self.group(group, rounds)

    def group(self, group: tuple, rounds: list[int]) -> None:
        peers = []
        try:
            for case in (case for case in self.cases if case.group == group):
                try:
                    log(f"{case.key}: building")
                    peers.append(peer.Peer(self.python, case, self.decoder, self.given.threads,
                                           {"torch_compile": not self.given.torch_eager}, self.given.timeout))
                except peer.Failed as error:
                    self.note(group, rounds[0], case.key, {"error": str(error)})
            for number in rounds:
                self.round(group, number, peers)
        finally:
            for each in peers:
                each.close()

    def round(self, group: tuple, number: int, peers: list) -> None:
        try:
            self.note(group, number, "ours", self.ours.measure(*group))
        except ours.Failed as error:
            self.note(group, number, "ours", {"error": str(error)})
        for each in peers:
            try:
                found = each.measure(self.given.seconds)
                self.note(group, number, each.case.key, found | {"settings": each.settings, "version": each.version})
            except peer.Failed as error:
                self.note(group, number, each.case.key, {"error": str(error)})

    def note(self, group: tuple, number: int, key: str, found: dict) -> None:
        self.journal.add({"group": group, "round": number, "key": key, "load": os.getloadavg()[0],
                          "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")} | found)
        if "error" in found:
            log(f"round {number + 1}: {found['error']}")
        elif key != "ours":
            log(f"round {number + 1}: {key}: {1e3 * found['seconds']:.1f} ms")
        elif found["result"]:
            log(f"round {number + 1}: ours: {found['result']['value']:.1f} {found['result']['unit']}")
        else:
            log(f"round {number + 1}: peaks only")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ocellus", default="build/release/bin/ocellus", help="the program (default %(default)s)")
    parser.add_argument("--random", default="llava-1.5-7b", help="the model that ours is given (default %(default)s)")
    parser.add_argument("--ours", action="append", default=[], metavar="FAMILY=TYPE",
                        help="our weights beside a family: bf16=bf16, int8=q8, int4=q4 by default")
    parser.add_argument("--peaks-only", action="store_true", help="of ours only the machine's peaks")
    parser.add_argument("--environment", type=pathlib.Path, default=cache_folder(),
                        help="where bench/peers/setup put the peers (default %(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/peers.jsonl"),
                        help="the journal (default %(default)s)")
    parser.add_argument("--fresh", action="store_true", help="throw an existing journal away")
    parser.add_argument("--report", action="store_true", help="measure nothing, print what the journal has")
    parser.add_argument("--only", action="append", default=[], metavar="WORD",
                        help="cases whose name has the word, e.g. prefill, torch, int4; --list shows them")
    parser.add_argument("--list", action="store_true", help="print the cases' names")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="least time for each figure of a round")
    parser.add_argument("--layers", type=int, default=4, help="of the language model that the peers run (of 32)")
    parser.add_argument("--prompt", type=int, default=512, help="tokens of the prefill")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--torch-eager", action="store_true", help="do not compile PyTorch's graphs (faster to start)")
    parser.add_argument("--timeout", type=float, default=900, help="seconds for a peer's building or one measurement")
    parser.add_argument("--llama-bench", type=pathlib.Path, help="a file of `llama-bench -o json`: its rows are added")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    return parser.parse_args()


def main() -> int:
    given = options()
    cases = [case for case in all_cases(given.prompt) if not given.only or any(word in case.key for word in given.only)]
    if given.list:
        print("\n".join(case.key for case in cases))
        return 0
    settings = {"cpu": cpu_name(), "threads": given.threads, "prompt": given.prompt, "seconds": given.seconds,
                "random": given.random, "torch": "eager" if given.torch_eager else "compiled", "ours": parse_types(given.ours),
                "decoder": {"layers": given.layers, "all_layers": Decoder().all_layers}}
    try:
        extra = llama_bench.read(given.llama_bench) if given.llama_bench else []
        if given.fresh and not given.report:
            given.out.unlink(missing_ok=True)
        journal = Journal(given.out, None if given.report else settings)
    except (llama_bench.BadFile, Mismatch) as error:
        print(error, file=sys.stderr)
        return 2
    if not given.report:
        run = Run(given, cases, journal)
        problem = missing_programs(given) if run.groups() else None
        if problem:
            print(problem, file=sys.stderr)
            return 2
        try:
            run.everything()
        except KeyboardInterrupt:
            log(f"stopped; the same command goes on from {given.out}")
            return 130
    rows = report.rows_of(journal, all_cases(journal.settings["prompt"]) if given.report else cases, extra)
    if given.json:
        print(json.dumps({"settings": journal.settings, "peaks": report.peaks_of(journal), "load": report.load_of(journal),
                          "errors": journal.errors(), "results": rows}, ensure_ascii=False))
    else:
        print(report.preface(journal, extra, given.markdown) + "\n")
        print(report.table(rows, given.markdown))
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
