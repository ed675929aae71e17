"""Our side of a round: one `ocellus bench --json`, which measures the machine's peaks in the same breath.

It makes as many layers of the language model as the peers do and scales alike; decoding starts at an empty cache, as theirs.
"""
import dataclasses
import json
import subprocess

# What we store for a family of weights, unless --ours says something else.
TYPES = {"bf16": "bf16", "int8": "q8", "int4": "q4"}
PEAKS = ("f32", "bf16", "int8", "read")
TIMEOUT_S = 900


class Failed(Exception):
    pass


def peak(peaks: dict, name: str) -> float | None:
    """All cores together, in GFLOP/s or GB/s; None where the machine has no such instruction or it was not measured."""
    found = peaks.get(f"{name}_all")
    if found is None and isinstance(peaks.get(name), dict):
        found = peaks[name].get("all")
    return found if isinstance(found, (int, float)) and found > 0 else None


def pick(results: list, work: str, tokens: int) -> dict | None:
    """The result that stands for a group: eight rows of one step are eight streams."""
    wanted = {"tower": ("tower",), "prefill": ("prefill",), "decode": ("decode", "batch")}[work]
    for result in results:
        if result.get("work") not in wanted:
            continue
        if work == "tower" or (work == "prefill" and result.get("tokens") == tokens):
            return result
        if work == "decode" and result.get("streams", 1) == tokens:
            return result
    return None


def parse(text: str) -> dict:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Failed(f"ocellus bench: expected JSON: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("peaks"), dict) or not isinstance(found.get("results"), list):
        raise Failed("ocellus bench: expected an object with `peaks` and `results`")
    return found


@dataclasses.dataclass
class Ours:
    binary: str
    model: str
    layers: int
    threads: int
    seconds: float
    types: dict
    peaks_only: bool = False

    def command(self, work: str, tokens: int, family: str) -> list[str]:
        common = [self.binary, "bench", "--json", "--threads", str(self.threads), "--seconds", str(self.seconds)]
        if self.peaks_only:  # and the smallest piece of work, since something must be measured
            return [*common, "--random", "tinyllama-1.1b", "--layers", "1", "--work", "decode", "--context", "0"]
        weights = self.types[family]
        common += ["--random", self.model, "--layers", str(self.layers), "--weights", weights]
        if work == "tower":
            return [*common, "--tower-weights", weights, "--work", "tower"]
        if work == "prefill":
            return [*common, "--work", "prefill", "--tokens", str(tokens)]
        if tokens > 1:
            return [*common, "--work", "batch", "--streams", str(tokens), "--context", "0"]
        return [*common, "--work", "decode", "--context", "0"]

    def measure(self, work: str, tokens: int, family: str) -> dict:
        """{"command", "machine", "peaks", "result": the matching result or None}"""
        command = self.command(work, tokens, family)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Failed(f"{self.binary}: {error}") from None
        if done.returncode != 0:
            said = done.stderr.strip().split("\n")[0]
            raise Failed(f"{' '.join(command)}: exit status {done.returncode}: {said}")
        found = parse(done.stdout)
        result = None if self.peaks_only else pick(found["results"], work, tokens)
        return {"command": " ".join(command[1:]), "machine": found.get("machine", ""), "peaks": found["peaks"],
                "result": result}
