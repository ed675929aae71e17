"""One case in a process of its own, in the peers' environment: builds it, then measures it whenever a line comes.

Standard input: one line "measure SECONDS" for each round; the end of input ends the process.
Standard output: a JSON object a line: first {"ready", "settings", "version"}, then {"seconds"} and, where it decodes, {"head_seconds"} for each round.
"""
import json
import sys
import time

from cases import Case
from shapes import Decoder


def runner(case: Case, decoder: Decoder, threads: int, options: dict):
    """(what to time by the name of its figure, its settings, its version); only the engine that is asked for is loaded."""
    if case.engine == "openvino":
        import openvino_runner as engine
    elif case.engine == "torch":
        import torch_runner as engine
    else:
        raise ValueError(f"engine: expected openvino or torch, found {case.engine}")
    return engine.make(case, decoder, threads, options)


def measure(run, least: float) -> float:
    """The best of as many runs as fit into `least` seconds, two at least: others use the machine, and can only slow a run."""
    best, runs, begun = float("inf"), 0, time.perf_counter()
    while runs < 2 or time.perf_counter() - begun < least:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
        runs += 1
    return best


def main() -> None:
    spec = json.loads(sys.argv[1])
    case, decoder = Case(**spec["case"]), Decoder(**spec["decoder"])
    timed, settings, version = runner(case, decoder, spec["threads"], spec.get("options", {}))
    for run in timed.values():
        run()  # the first one packs weights and chooses kernels
    print(json.dumps({"ready": True, "settings": settings, "version": version}), flush=True)
    for line in sys.stdin:
        least = float(line.split()[1]) / len(timed)
        print(json.dumps({name: measure(run, least) for name, run in timed.items()}), flush=True)


if __name__ == "__main__":
    main()
