"""Ocellus as a part of another project: add_subdirectory changes nothing of the host's, and its program builds and runs.

Usage: host_test.py SOURCE_DIR [--build] [CMAKE_OPTION...]; without --build the host is only configured.
"""
import pathlib
import subprocess
import sys
import tempfile

source = pathlib.Path(sys.argv[1])
options = sys.argv[2:]
build = "--build" in options
if build:
    options.remove("--build")


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    run("cmake", "-S", source / "tests/install/host", "-B", folder / "host", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
        "-DCMAKE_CXX_FLAGS_RELEASE=-O1", "-DOCELLUS_PRECOMPILE=ON",  # it is the longest of the tests
        f"-DOCELLUS={source}", f"-DEXAMPLE={source / 'examples/ask.cc'}", *options)
    installed = (folder / "host/ocellus/cmake_install.cmake").read_text()
    assert "file(INSTALL" not in installed, installed
    if build:
        run("cmake", "--build", folder / "host", "--target", "host")
        answer = run(folder / "host/host", source / "models/demo", source / "examples/pictures/scene.png",
                     "How many objects are there?")
        assert answer.strip() == "4", answer
print("built and asked" if build else "configured")
