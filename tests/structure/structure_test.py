#!/usr/bin/env python3
"""tools/check_structure.py on made-up trees: each rule is seen to fail, and to pass what it allows."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "check_structure.py"


class StructureTest(unittest.TestCase):
    def check(self, files):
        """Returns (exit status, output) for a tree of {path: text}."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in ("src", "include"):
                (root / name).mkdir()
            for path, text in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            done = subprocess.run([sys.executable, str(TOOL), "--root", folder], capture_output=True, text=True)
            return done.returncode, done.stdout + done.stderr

    def assert_passes(self, files):
        status, output = self.check(files)
        self.assertEqual(status, 0, output)

    def assert_fails(self, files, *expected):
        status, output = self.check(files)
        self.assertEqual(status, 1, output)
        for text in expected:
            self.assertIn(text, output)

    def test_empty_tree_passes(self):
        self.assert_passes({})

    def test_lower_floors_may_be_included(self):
        self.assert_passes({"src/compute/a.cc": '#include "tensor/t.h"\n#include "image/i.h"\n#include "compute/b.h"\n',
                            "src/convert/c.cc": '#include "models/m.h"\n#include "engine/e.h"\n'})

    def test_higher_floor(self):
        self.assert_fails({"src/engine/a.cc": '#include "base/b.h"\n#include "vision/v.h"\n'},
                          "a.cc:2", "engine (floor 4) includes vision (floor 5)")

    def test_same_floor(self):
        for folder, other in (("compute", "formats"), ("fetch", "text"), ("image", "json"), ("convert", "vision"),
                              ("benchmark", "convert")):
            self.assert_fails({f"src/{folder}/a.cc": f'#include "{other}/b.h"\n'}, f"{folder} (floor")

    def test_every_ending_is_read(self):
        for ending in (".h", "-inl.h", ".hpp", ".inc", ".ipp", ".tcc", ".cc", ".cpp"):
            self.assert_fails({f"src/base/a{ending}": '#include "json/json.h"\n'}, f"a{ending}:1")

    def test_spaces_and_angle_brackets(self):
        self.assert_fails({"src/base/a.h": "#  include <json/json.h>\n"}, "base (floor 0) includes json (floor 1)")

    def test_comments_are_not_code(self):
        self.assert_passes({"src/base/a.h": '// #include "json/json.h"\n/* std::thread\n_mm_add_ps( */\n'})

    def test_tests_keep_to_the_floors(self):
        self.assert_fails({"src/base/a_test.cc": '#include "json/json.h"\n'}, "base (floor 0)")

    def test_unknown_folder(self):
        self.assert_fails({"src/stuff/a.h": ""}, "on no floor")

    def test_restricted_names(self):
        for path, text, name in (
                ("models/a.cc", "#include <boost/asio.hpp>\n", "Boost"),
                ("engine/a.cc", '#include "json/json.h"\n', "JSON"),
                ("compute/cpu/gemm/a.cc", "#include <immintrin.h>\n", "intrinsics"),
                ("compute/cpu/gemm/a-inl.h", "x = _mm512_setzero_ps();\n", "intrinsics"),
                ("image/a.cc", "__m256i x;\n", "intrinsics"),
                ("engine/a.cc", "boost::asio::io_context io;\n", "an asynchronous runtime"),
                ("vision/a.cc", "auto f = std::async(g);\n", "detached work"),
                ("vision/a.cc", "std::jthread t;\n", "a thread"),
                ("compute/cpu/gemm/a.cc", "std::thread t;\n", "a thread"),
                ("compute/a.cc", "auto t = base::start_thread(name, body);\n", "a thread"),
                ("base/a.cc", "thread_local int x;\n", "thread-local state"),
                ("runtime/a.cc", "thread_local int x;\n", "thread-local state"),
                ("base/a.cc", "std::cerr << x;\n", "printing"),
                ("base/a.cc", "abort();\n", "printing")):
            with self.subTest(path=path, text=text):
                self.assert_fails({f"src/{path}": text}, name)

    def test_restricted_names_where_they_belong(self):
        self.assert_passes({"src/runtime/a.cc": "#include <boost/asio.hpp>\nstd::jthread t;\n",
                            "src/compute/cpu/isa/avx2/a-inl.h": "#include <immintrin.h>\n__m256 v;\n",
                            "src/compute/cpu/pool/a.cc": "std::jthread t;\n",
                            "src/base/thread.cc": "std::jthread t;\n",
                            "src/engine/a.h": "std::thread::id owner;\n",
                            "src/engine/a_test.cc": "std::jthread t;\nstd::cerr << 1;\n",
                            "src/cli/a.cc": "std::cout << 1;\n"})

    def test_rooms_may_lie_in_a_row(self):
        self.assert_passes({"src/compute/cpu/gemm/a.h": '#include "compute/cpu/isa/blocking.h"\n',
                            "src/compute/cpu/isa/avx2/a.cc": '#include "compute/cpu/gemm/a.h"\n',
                            "src/compute/cpu/backend.cc": '#include "compute/cpu/isa/avx2/a.h"\n'})

    def test_rooms_in_a_cycle(self):
        self.assert_fails({"src/compute/cpu/gemm/a.h": '#include "compute/cpu/quant/q.h"\n',
                           "src/compute/cpu/quant/q.h": '#include "compute/cpu/pool/p.h"\n',
                           "src/compute/cpu/pool/p-inl.h": '#include "compute/cpu/gemm/a.h"\n'},
                          "in a cycle", "compute/cpu/gemm -> compute/cpu/quant")

    def test_room_that_includes_the_backend(self):
        self.assert_fails({"src/compute/cpu/gemm/a.cc": '#include "compute/cpu/backend.h"\n',
                           "src/compute/cpu/backend.cc": '#include "compute/cpu/gemm/a.h"\n'}, "in a cycle")

    def test_tests_may_include_any_room(self):
        self.assert_passes({"src/compute/cpu/gemm/a_test.cc": '#include "compute/cpu/backend.h"\n',
                            "src/compute/cpu/testing/b.h": '#include "compute/cpu/backend.h"\n',
                            "src/compute/cpu/backend.cc": '#include "compute/cpu/gemm/a.h"\n'})

    def test_long_file(self):
        self.assert_passes({"src/base/a.inc": "\n" * 799})
        self.assert_fails({"src/base/a.inc": "\n" * 801}, "lines, expected at most 800")

    def test_public_headers(self):
        self.assert_passes({"include/ocellus/a.h": '#include "ocellus/b.h"\n#include <string>\n'})
        for line in ("#include <boost/json.hpp>", '#include "base/result.h"', "#include <fmt/format.h>",
                     "#include <immintrin.h>"):
            self.assert_fails({"include/ocellus/a.h": line + "\n"}, "public header")


if __name__ == "__main__":
    unittest.main()
