"""Installs into a fresh folder, builds a small outside project against it, and runs it.

Usage: install_test.py BUILD_DIR SOURCE_DIR
"""
import pathlib
import subprocess
import sys
import tempfile

build, source = map(pathlib.Path, sys.argv[1:3])


def run(*command):
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout


readme = (source / "README.md").read_text()
example = (source / "examples/ask.cc").read_text()
assert example in readme, "README.md does not show examples/ask.cc as it is"

with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    run("cmake", "--install", build, "--prefix", folder / "prefix")
    run("cmake", "-S", source / "tests/install/outside", "-B", folder / "outside", f"-DCMAKE_PREFIX_PATH={folder / 'prefix'}",
        f"-DEXAMPLE={source / 'examples/ask.cc'}")
    run("cmake", "--build", folder / "outside")
    # Of the installed headers, these are for C as well.
    for header in ("export.h", "ocellus_version.h"):
        run("cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c", "-include",
            folder / "prefix/include/ocellus" / header, "-I", folder / "prefix/include", "/dev/null")
    model = folder / "prefix/share/ocellus/models/demo"
    picture = source / "examples/pictures/scene.png"
    answer = run(folder / "outside/outside", model, picture, "How many objects are there?")
    assert answer.strip() == "4", answer
    # The installed program finds the installed demo model by itself.
    answer = run(folder / "prefix/bin/ocellus", "ask", picture, "How many objects are there?", "--temperature", "0")
    assert answer.strip() == "4", answer
print("installed, found and used")
