#!/usr/bin/env python3
"""Checks the rules of the house that a machine can check (docs/architecture.md).

Floors: a file includes its own folder or a lower floor, and folders on one floor do not see each other.
Libraries: Boost, JSON, intrinsics and threads are used only where they belong.
Usage: tools/check_structure.py [--root DIR]; prints each violation, exit status 1 when there is one.
"""
import argparse
import pathlib
import re
import sys

FLOORS = {
    "base": 0, "json": 1, "tensor": 1, "runtime": 1,
    "compute": 2, "formats": 2, "text": 2, "image": 2,
    "models": 3, "fetch": 3, "engine": 4, "benchmark": 5, "vision": 5, "convert": 5, "server": 6, "cli": 7,
}
# What may be named where: pattern -> folders (path prefixes below src/) that may.
RESTRICTED = [
    (r"#include <boost/(?!json)", ("runtime", "fetch", "vision", "server", "cli"), "Boost"),
    (r"#include [<\"](boost/json|json/)", ("json", "formats", "text", "server", "cli"), "JSON"),
    (r"#include <(imm|x86|arm_neon)\w*\.h>", ("compute/cpu",), "intrinsics"),
    (r"\bio_context\b|\bthread_pool\b(?!\.h|_)", ("runtime", "compute/cpu"), "an asynchronous runtime"),
    (r"std::async\b|\.detach\(\)|asio::detached|pthread_create", ("runtime",), "detached work"),
    (r"std::j?thread\b|start_thread\(", ("base/thread", "runtime", "compute/cpu"), "a thread"),
    (r"\bthread_local\b", (), "thread-local state"),
    (r"std::(cout|cerr)\b|\bf?printf\(|\babort\(\)|\bexit\(", ("cli",), "printing or ending the process"),
]
MAX_LINES = 800  # a defect; 400 is a lot


def strip_comments(text: str) -> str:
    """The code without comments, line numbers kept."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    return re.sub(r"(?<!:)//[^\n]*", "", text)


def check_file(path: pathlib.Path, below_src: str) -> list[str]:
    problems = []
    folder = below_src.split("/")[0]
    is_test = path.stem.endswith("_test") or path.stem.startswith("test_") or "testing" in below_src or "testdata" in below_src
    lines = strip_comments(path.read_text()).split("\n")
    if len(lines) > MAX_LINES:
        problems.append(f"{path}: {len(lines)} lines, expected at most {MAX_LINES}")
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        include = re.match(r'\s*#include "(\w+)/', line)
        if include and include[1] in FLOORS:
            other = include[1]
            if other != folder and FLOORS[other] >= FLOORS[folder]:
                problems.append(f"{where}: {folder} (floor {FLOORS[folder]}) includes {other} (floor {FLOORS[other]})")
        if is_test:
            continue
        for pattern, allowed, name in RESTRICTED:
            if re.search(pattern, line) and not below_src.startswith(allowed):
                problems.append(f"{where}: {name} outside {', '.join(allowed) or 'anywhere'}: {line.strip()}")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).parent.parent)
    root = parser.parse_args().root
    problems = []
    files = [p for p in sorted((root / "src").rglob("*")) if p.suffix in (".h", ".cc")]
    for path in files:
        below_src = path.relative_to(root / "src").as_posix()
        if below_src.split("/")[0] not in FLOORS:
            problems.append(f"{path}: folder is on no floor")
            continue
        problems += check_file(path, below_src)
    for path in sorted((root / "include").rglob("*.h")):
        for number, line in enumerate(path.read_text().split("\n"), 1):
            if re.search(r"#include <(boost|fmt|spdlog|imm)", line):
                problems.append(f"{path}:{number}: a public header names a private library")
    print("\n".join(problems) if problems else f"structure: {len(files)} files, no violations")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
