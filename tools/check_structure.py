#!/usr/bin/env python3
"""Checks the rules of the house that a machine can check (docs/architecture.md).

Floors      a file includes its own folder or a lower floor; folders on one floor do not see each other
Rooms       the folders below src/compute/cpu include each other without cycles, and src/compute/cpu itself
            includes them, never the reverse
Restricted  Boost, JSON, intrinsics, threads, printing: only where they belong
Size        no file is longer than MAX_LINES

Every file that is compiled or included is read, whatever its ending. Tests may use any thread, library
or room, but keep to the floors.

Usage: tools/check_structure.py [--root DIR]; prints each violation, exit status 1 when there is one.
"""
import argparse
import pathlib
import re
import sys

# Folders that are listed here need not exist yet.
FLOORS = {
    "base": 0,
    "capi": 0,  # nothing but the public headers
    "json": 1, "tensor": 1, "runtime": 1, "image": 1,
    "compute": 2, "formats": 2, "text": 2, "fetch": 2,
    "models": 3,
    "engine": 4,
    "benchmark": 5, "convert": 5, "vision": 5,
    "server": 6,
    "cli": 7,
}
ENDINGS = (".h", ".hh", ".hpp", ".hxx", ".inc", ".inl", ".ipp", ".tcc", ".c", ".cc", ".cpp", ".cxx")
# What may be named where: pattern -> path prefixes below src/ that may.
RESTRICTED = [
    (r"#include <boost/(?!json)", ("runtime/", "fetch/", "vision/", "server/", "cli/"), "Boost"),
    (r"#include [<\"](boost/json|json/)", ("json/", "formats/", "text/", "models/", "convert/", "server/", "cli/"), "JSON"),
    (r"#include <(\w*mmintrin|\w*intrin|arm_\w+)\.h>|\b_mm\d*_\w+\(|\b__m(128|256|512)\w*\b", ("compute/cpu/isa/",),
     "intrinsics"),
    (r"\bio_context\b|\bthread_pool\b(?!\.h|_)", ("runtime/", "compute/cpu/pool/"), "an asynchronous runtime"),
    (r"std::async\b|\.detach\(\)|asio::detached|pthread_create", ("runtime/",), "detached work"),
    (r"std::j?thread\b(?!::id)|\bstart_thread\(", ("base/thread", "runtime/", "compute/cpu/pool/"), "a thread"),
    (r"\bthread_local\b", (), "thread-local state"),
    (r"std::(cout|cerr|clog)\b|\bf?printf\(|\babort\(\)|\bexit\(", ("cli/",), "printing or ending the process"),
]
ROOMS = "compute/cpu"
MAX_LINES = 800  # a defect; 400 is a lot


def strip_comments(text: str) -> str:
    """The code without comments, line numbers kept."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    return re.sub(r"(?<!:)//[^\n]*", "", text)


def is_test(below_src: str) -> bool:
    """Whether the file is compiled into tests only."""
    *folders, name = below_src.split("/")
    stem = name.split(".")[0]
    return stem.endswith("_test") or stem.startswith("test_") or "testing" in folders or "testdata" in folders


class Source:
    """One file below src/."""

    def __init__(self, path: pathlib.Path, below_src: str):
        self.path = path
        self.below_src = below_src
        self.folder = below_src.split("/")[0]
        self.room = below_src.rsplit("/", 1)[0]
        self.is_test = is_test(below_src)
        self.lines = strip_comments(path.read_text(errors="replace")).split("\n")

    def includes(self):
        """Yields (line number, path below src/) of what it includes from src/."""
        for number, line in enumerate(self.lines, 1):
            found = re.match(r'\s*#\s*include\s+["<]([\w.-]+/[\w./-]+)[">]', line)
            if found:
                yield number, found[1]


def check_floors(source: Source) -> list[str]:
    problems = []
    floor = FLOORS[source.folder]
    for number, included in source.includes():
        other = included.split("/")[0]
        if other in FLOORS and other != source.folder and FLOORS[other] >= floor:
            problems.append(f"{source.path}:{number}: {source.folder} (floor {floor}) includes {other} "
                            f"(floor {FLOORS[other]})")
    return problems


def check_restricted(source: Source) -> list[str]:
    if source.is_test:
        return []
    problems = []
    for number, line in enumerate(source.lines, 1):
        for pattern, allowed, name in RESTRICTED:
            if re.search(pattern, line) and not source.below_src.startswith(allowed):
                where = ", ".join(allowed) or "nowhere"
                problems.append(f"{source.path}:{number}: {name}, allowed in {where}: {line.strip()}")
    return problems


def check_size(source: Source) -> list[str]:
    if len(source.lines) <= MAX_LINES:
        return []
    return [f"{source.path}: {len(source.lines)} lines, expected at most {MAX_LINES}"]


def check_rooms(sources: list[Source]) -> list[str]:
    """Cycles among the folders of ROOMS. A folder and those inside it are different rooms."""
    arrows = {}  # room -> {room it includes: where}
    for source in sources:
        if source.is_test or not source.below_src.startswith(ROOMS + "/"):
            continue
        for number, included in source.includes():
            room = included.rsplit("/", 1)[0]
            if included.startswith(ROOMS + "/") and room != source.room:
                arrows.setdefault(source.room, {}).setdefault(room, f"{source.path}:{number}")
    problems = []
    state = {}  # room -> "open" while its arrows are followed, then "done"

    def follow(room: str, trail: list[str]) -> None:
        state[room] = "open"
        for other, where in sorted(arrows.get(room, {}).items()):
            if state.get(other) == "open":
                cycle = trail[trail.index(other):] + [other]
                problems.append(f"{where}: the rooms include each other in a cycle: {' -> '.join(cycle)}")
            elif other not in state:
                follow(other, trail + [other])
        state[room] = "done"

    for room in sorted(arrows):
        if room not in state:
            follow(room, [room])
    return problems


def check_public(root: pathlib.Path) -> list[str]:
    problems = []
    for path in sorted(p for p in (root / "include").rglob("*") if p.suffix in ENDINGS):
        for number, line in enumerate(strip_comments(path.read_text()).split("\n"), 1):
            if re.search(r'#\s*include\s+[<"](boost|fmt|spdlog|\w*intrin\.h|(?!ocellus/)[\w-]+/)', line):
                problems.append(f"{path}:{number}: a public header includes what is not public: {line.strip()}")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent)
    root = parser.parse_args().root
    problems, sources = [], []
    for path in sorted(p for p in (root / "src").rglob("*") if p.suffix in ENDINGS):
        below_src = path.relative_to(root / "src").as_posix()
        if below_src.split("/")[0] not in FLOORS:
            problems.append(f"{path}: the folder is on no floor")
            continue
        sources.append(Source(path, below_src))
    for source in sources:
        problems += check_floors(source) + check_restricted(source) + check_size(source)
    problems += check_rooms(sources) + check_public(root)
    print("\n".join(problems) if problems else f"structure: {len(sources)} files, no violations")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
