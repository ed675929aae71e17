#!/usr/bin/env python3
"""Fails when the compiler keeps accumulators of the register tiles in memory.

    spills_test.py kernels.cc.o ...

Looks at every innermost loop with multiply-adds or dot products in functions whose name holds "tile", and counts
vector instructions that touch the stack. There must be none: each costs as much as the arithmetic
it stands beside, and nothing else tells (GCC 12 does so unless two of its passes are off).
"""

import re
import shutil
import subprocess
import sys

SKIPPED = 77  # ctest: SKIP_RETURN_CODE
HEADER = re.compile(r"^[0-9a-f]+ <(.*)>:$")
LINE = re.compile(r"^\s*([0-9a-f]+):\s+(?:\{vex\}\s+)?(\S+)\s*(.*)$")
# Stack slots are addressed by rsp, or by rbp where it is the frame's base.
BY_STACK = re.compile(r"\(%rsp[,)]")
BY_FRAME = re.compile(r"\(%rbp[,)]")
PRODUCTS = ("vfmadd", "vpdpbusd", "vdpbf16ps", "vpmaddwd")
VECTOR = re.compile(r"%[yz]mm\d")


def functions(object_file):
    """Yields (name, [(address, mnemonic, operands)])."""
    text = subprocess.run(
        ["objdump", "-dC", "--no-show-raw-insn", object_file],
        check=True, capture_output=True, text=True).stdout
    name, body = None, []
    for line in text.splitlines():
        header, instruction = HEADER.match(line), LINE.match(line)
        if header:
            if name:
                yield name, body
            name, body = header.group(1), []
        elif instruction and name:
            body.append((int(instruction.group(1), 16), instruction.group(2), instruction.group(3)))
    if name:
        yield name, body


def innermost_loops(body):
    """Yields the instructions of loops that hold no other loop: a jump back, and what lies between."""
    loops = []
    for address, mnemonic, operands in body:
        target = re.match(r"([0-9a-f]+) <", operands) if mnemonic.startswith("j") else None
        if target and body[0][0] <= int(target.group(1), 16) <= address:
            loops.append((int(target.group(1), 16), address))
    for first, last in loops:
        if not any(first <= f and l <= last and (f, l) != (first, last) for f, l in loops):
            yield [i for i in body if first <= i[0] <= last]


def check(object_file):
    """Returns (loops seen, complaints)."""
    loops, complaints = 0, []
    for name, body in functions(object_file):
        short = re.sub(r"\(.*", "", name.replace("(anonymous namespace)::", ""))
        if "tile" not in short:
            continue
        has_frame = any(m == "mov" and o == "%rsp,%rbp" for _, m, o in body)
        for loop in innermost_loops(body):
            sums = [i for i in loop if i[1].startswith(PRODUCTS)]
            if not sums:
                continue
            loops += 1
            spills = [i for i in loop if VECTOR.search(i[2]) and
                      (BY_STACK.search(i[2]) or (has_frame and BY_FRAME.search(i[2])))]
            if spills:
                complaints.append(f"{object_file}: {short}: {len(spills)} vector instructions on the stack beside "
                                  f"{len(sums)} multiply-adds, for example: {spills[0][1]} {spills[0][2]}")
    return loops, complaints


def main():
    if shutil.which("objdump") is None:
        print("skipped: there is no objdump")
        return SKIPPED
    complaints = []
    for object_file in sys.argv[1:]:
        loops, found = check(object_file)
        print(f"{object_file}: {loops} loops of tiles")
        complaints += found
        # The smallest tables have tiles of up to four rows.
        if loops < 4:
            complaints.append(f"{object_file}: expected at least 4 loops, one for each number of rows; found {loops}")
    print("\n".join(complaints))
    return 1 if complaints or len(sys.argv) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
