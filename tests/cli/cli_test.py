"""The real `ocellus` binary, as a person or a script would use it.

Needs only Python's standard library. OCELLUS_BINARY names the program, OCELLUS_SOURCE_DIR the checkout.
"""
import base64
import http.server
import json
import os
import pathlib
import shutil
import signal
import stat
import struct
import subprocess
import tempfile
import threading
import unittest

BINARY = os.environ["OCELLUS_BINARY"]
SOURCE = pathlib.Path(os.environ["OCELLUS_SOURCE_DIR"])
PICTURES = SOURCE / "examples" / "pictures"
DEMO = SOURCE / "models" / "demo"


def some_picture() -> pathlib.Path:
    return sorted(PICTURES.glob("*.png"))[0]


def run(*arguments, **options):
    """Runs ocellus to its end; the demo model is the default."""
    environment = {**os.environ, "OCELLUS_MODEL": str(DEMO), **options.pop("env", {})}
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, timeout=120,
                          env=environment, check=False, **options)


def read_safetensors(path):
    """name -> (dtype, shape, bytes)."""
    data = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    body = data[8 + size:]
    return {name: (t["dtype"], t["shape"], body[slice(*t["data_offsets"])]) for name, t in header.items()}


class Ask(unittest.TestCase):
    question = "How many objects are there?"

    def ask_json(self, *arguments, picture=None):
        result = run("ask", picture or some_picture(), self.question, "--json", "--temperature", "0",
                     *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def test_streams_text_to_stdout(self):
        result = run("ask", some_picture(), self.question, "--temperature", "0")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout.decode().strip(), self.ask_json()["answer"].strip())
        self.assertEqual(result.stderr, b"")

    def test_json_has_counts_and_timings(self):
        answer = self.ask_json()
        self.assertEqual(answer["finish_reason"], "stop")
        self.assertGreater(answer["tokens"]["prompt"], answer["tokens"]["image"])
        self.assertGreater(answer["tokens"]["generated"], 0)
        self.assertGreaterEqual(answer["seconds"]["total"], answer["seconds"]["first_token"])

    def test_max_tokens_limits(self):
        answer = self.ask_json("--max-tokens", "1")
        self.assertEqual(answer["tokens"]["generated"], 1)
        self.assertEqual(answer["finish_reason"], "length")

    def test_stop_text_is_never_shown(self):
        whole = self.ask_json()["answer"]
        stop = whole[-1]
        cut = self.ask_json("--stop", stop)["answer"]
        self.assertEqual(cut, whole[:whole.index(stop)])

    def test_same_answer_whatever_the_settings_of_speed(self):
        expected = self.ask_json()["answer"]
        for arguments in (["--no-kv-cache"], ["--no-speculation"], ["--threads", "1"], ["--dtype", "f32"]):
            self.assertEqual(self.ask_json(*arguments)["answer"], expected, arguments)

    def test_seed_repeats_a_sampled_answer(self):
        sampled = [json.loads(run("ask", some_picture(), self.question, "--json", "--temperature", "1.5",
                                  "--seed", "7").stdout)["answer"] for _ in range(2)]
        self.assertEqual(sampled[0], sampled[1])

    def test_every_example_picture_answers(self):
        for picture in sorted(PICTURES.iterdir()):
            if picture.suffix in {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}:
                with self.subTest(picture=picture.name):
                    self.assertTrue(self.ask_json(picture=picture)["answer"])


    def test_json_has_ids_and_log_probabilities(self):
        plain = self.ask_json()
        self.assertEqual(len(plain["ids"]), plain["tokens"]["generated"])
        self.assertNotIn("logprobs", plain)
        answer = self.ask_json("--logprobs", "--top-logprobs", "3")
        self.assertEqual(answer["ids"], plain["ids"])
        self.assertEqual([token["id"] for token in answer["logprobs"]], answer["ids"])
        for token in answer["logprobs"]:
            self.assertLessEqual(token["logprob"], 0)
            self.assertEqual(len(token["top_logprobs"]), 3)
            self.assertEqual(token["top_logprobs"][0]["id"], token["id"])  # greedy
            self.assertEqual(bytes(token["bytes"]).decode(), token["token"])
        for arguments in (["--logprobs"], ["--json", "--top-logprobs", "3"], ["--json", "--logprobs", "--top-logprobs", "21"]):
            self.assertEqual(run("ask", some_picture(), self.question, *arguments).returncode, 2, arguments)

    def test_options_of_sampling_reach_the_model(self):
        self.assertEqual(self.ask_json("--logit-bias", "7=100", "--max-tokens", "2")["ids"], [7, 7])
        longer = self.ask_json("--ignore-eos", "--max-tokens", "20")
        self.assertEqual((longer["tokens"]["generated"], longer["finish_reason"]), (20, "length"))
        self.assertGreaterEqual(self.ask_json("--min-tokens", "5")["tokens"]["generated"], 5)
        # Each token once: the penalty is more than any of these logits can win back.
        repeated = self.ask_json("--logit-bias", "7=2", "--logit-bias", "8=1.5", "--ignore-eos", "--max-tokens", "30")
        penalised = self.ask_json("--logit-bias", "7=2", "--logit-bias", "8=1.5", "--ignore-eos", "--max-tokens", "30",
                                  "--presence-penalty", "2", "--frequency-penalty", "2")
        self.assertGreater(len(set(penalised["ids"])), len(set(repeated["ids"])))
        # One token is the most typical: whatever the seed, it is drawn.
        hot = ("--temperature", "5", "--max-tokens", "8", "--ignore-eos")
        drawn = {tuple(self.ask_json(*hot, "--seed", seed)["ids"]) for seed in "123"}
        typical = {tuple(self.ask_json(*hot, "--seed", seed, "--typical-p", "0.000001")["ids"]) for seed in "123"}
        self.assertEqual((len(drawn), len(typical)), (3, 1))
        for wrong in ("7", "=1", "7=", "7=x", "x=1", "7=1e999"):
            self.assertEqual(run("ask", some_picture(), self.question, "--logit-bias", wrong).returncode, 2, wrong)

    def test_thoughts_are_no_part_of_the_answer(self):
        model = ("--model", SOURCE / "tests/golden/families/qwen3_5/model", "--max-tokens", "6")
        thinking = self.ask_json(*model)
        self.assertEqual((thinking["answer"], thinking["tokens"]["thought"]), ("", 6))
        self.assertNotEqual(thinking["thoughts"], "")
        off = self.ask_json(*model, "--thinking", "off")
        self.assertEqual((off["thoughts"], off["tokens"]["thought"]), ("", 0))
        self.assertNotEqual(off["answer"], "")
        self.assertEqual(self.ask_json()["thoughts"], "")  # whose template knows none

        def text(*arguments):
            result = run("ask", some_picture(), self.question, "--temperature", "0", *model, *arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            return result.stdout, result.stderr

        out, err = text()
        self.assertEqual(out, b"\n")
        self.assertIn(b"tokens ran out", err)
        self.assertNotIn(thinking["thoughts"].encode(), err)
        out, err = text("--thoughts", "show")
        self.assertEqual(out, b"\n")
        self.assertTrue(err.startswith(thinking["thoughts"].encode()), err)
        self.assertEqual(text("--thinking", "off")[0].decode(), off["answer"] + "\n")

    def test_answers_of_a_form_have_no_thoughts(self):
        model = ("--model", SOURCE / "tests/golden/families/qwen3_5/model", "--choice", "yes")
        answer = self.ask_json(*model)
        self.assertEqual((answer["answer"], answer["thoughts"]), ("yes", ""))
        self.assertEqual(answer["tokens"]["prompt"], self.ask_json(*model, "--thinking", "off")["tokens"]["prompt"])
        refused = run("ask", some_picture(), self.question, *model, "--thinking", "on")
        self.assertEqual(refused.returncode, 2)
        self.assertIn(b"thinking: expected off", refused.stderr)

    def test_several_images(self):
        one, two = PICTURES / "scene.png", PICTURES / "stop.jpg"
        answers = [json.loads(run("ask", *arguments, self.question, "--json", "--temperature", "0").stdout)
                   for arguments in (["--image", one, "--image", two], [one, two], [one, "-i", two],
                                     ["-i", one, "-i", two, "--seed", "1"])]
        for answer in answers:
            self.assertEqual(answer["tokens"]["image"], 2 * self.ask_json()["tokens"]["image"])
            self.assertEqual(answer["ids"], answers[0]["ids"])
        self.assertEqual(self.ask_json()["ids"],
                         json.loads(run("ask", "--image", some_picture(), self.question, "--json",
                                        "--temperature", "0").stdout)["ids"])

    def test_pictures_from_pipes(self):
        content = some_picture().read_bytes()
        expected = self.ask_json()["answer"]

        def answer(picture, **options):
            result = run("ask", picture, self.question, "--temperature", "0", **options)
            self.assertEqual(result.returncode, 0, result.stderr)
            return result.stdout.decode().strip()

        self.assertEqual(answer("-", input=content), expected)
        self.assertEqual(answer("/dev/stdin", input=content), expected)
        self.assertEqual(answer(some_picture().absolute().as_uri()), expected)
        with tempfile.TemporaryDirectory() as folder:
            fifo = pathlib.Path(folder) / "a b.png"
            os.mkfifo(fifo)
            for name in (fifo, fifo.as_uri()):
                writer = threading.Thread(target=fifo.write_bytes, args=(content,))
                writer.start()
                self.assertEqual(answer(name), expected)
                writer.join()
        twice = run("ask", "-", "-", self.question, input=content)
        self.assertEqual(twice.returncode, 2)
        self.assertIn(b"one picture from standard input", twice.stderr)


class Messages(unittest.TestCase):
    question = "What is at the top left?"

    def conversation(self, image):
        return json.dumps({"messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": str(image)}},
                                         {"type": "text", "text": "How many objects are there?"}]},
            {"role": "assistant", "content": "4"},
            {"role": "user", "content": self.question}]}).encode()

    def ask(self, *arguments, **options):
        result = run("ask", *arguments, "--json", "--temperature", "0", **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        answer = json.loads(result.stdout)
        return answer["ids"], answer["tokens"]["prompt"]

    def test_the_same_as_its_options(self):
        expected = self.ask("--system", "Be short.", "--earlier", "How many objects are there?", "4", some_picture(),
                            self.question)
        self.assertEqual(self.ask("--messages", "-", input=self.conversation(some_picture())), expected)
        data = "data:image/png;base64," + base64.b64encode(some_picture().read_bytes()).decode()
        self.assertEqual(self.ask("--messages", "-", input=self.conversation(data)), expected)
        with tempfile.TemporaryDirectory() as folder:
            # A path is one from the file's folder, wherever the program runs.
            file = pathlib.Path(folder) / "talk.json"
            shutil.copy(some_picture(), pathlib.Path(folder) / "its own.png")
            for image in ("its own.png", (pathlib.Path(folder) / "its own.png").as_uri()):
                file.write_bytes(self.conversation(image))
                self.assertEqual(self.ask("--messages", file), expected)

    def test_errors_name_file_message_and_field(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "talk.json"
            file.write_text(json.dumps([{"role": "user", "content": "a"}, {"role": "tool", "content": "b"}]))
            result = run("ask", "--messages", file)
            self.assertEqual(result.returncode, 2)
            self.assertIn(f"{file}: messages[1].role: expected system".encode(), result.stderr)
            file.write_text(json.dumps([{"role": "user", "content": [
                {"type": "image_url", "image_url": "missing.png"}, {"type": "text", "text": "What?"}]}]))
            result = run("ask", "--messages", file)
            self.assertEqual(result.returncode, 3)
            self.assertIn(f"{folder}/missing.png".encode(), result.stderr)
            for arguments in (["What?"], ["--image", "a.png"], ["--system", "x"], ["--earlier", "q", "a"]):
                self.assertEqual(run("ask", "--messages", file, *arguments).returncode, 2, arguments)
            self.assertEqual(run("ask", "--messages", pathlib.Path(folder) / "none.json").returncode, 3)


class Progress(unittest.TestCase):
    def test_nothing_unless_asked_for_where_stderr_is_a_file(self):
        quiet, loud = (run("ask", some_picture(), "What is it?", *arguments) for arguments in ([], ["--progress"]))
        self.assertEqual(quiet.stderr, b"")
        stages = [line.split()[1] for line in loud.stderr.decode().splitlines() if line.startswith("ocellus: ")]
        self.assertEqual(stages, ["loading", "queue", "fetch", "decode", "tower", "prefill"])
        self.assertEqual(run("ask", some_picture(), "What is it?", "--progress", "--quiet").returncode, 2)


class AskUrl(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=str(PICTURES))

            def log_message(self, *arguments):
                pass

        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        cls.thread = threading.Thread(target=cls.server.serve_forever)
        cls.thread.start()
        cls.url = f"http://127.0.0.1:{cls.server.server_port}/{some_picture().name}"

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.thread.join()
        cls.server.server_close()

    def test_private_address_is_refused(self):
        result = run("ask", self.url, "What is it?")
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn(b"expected 80 or 443, found", result.stderr)
        self.assertIn(b"--allow-host 127.0.0.1:", result.stderr)

    def test_allowed_host_answers_like_the_file(self):
        host = f"127.0.0.1:{self.server.server_port}"
        by_url = run("ask", self.url, "How many objects are there?", "--temperature", "0", "--allow-host", host)
        by_path = run("ask", some_picture(), "How many objects are there?", "--temperature", "0")
        self.assertEqual(by_url.returncode, 0, by_url.stderr)
        self.assertEqual(by_url.stdout, by_path.stdout)


class Errors(unittest.TestCase):
    def expect(self, code, *arguments, says=b"", **options):
        result = run(*arguments, **options)
        self.assertEqual(result.returncode, code, result.stderr)
        self.assertIn(says, result.stderr)
        self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)
        return result

    def test_usage(self):
        self.expect(2)
        self.expect(2, "ask")
        self.expect(2, "ask", "x.png", "What?", "--top-p", "2")
        self.expect(2, "ask", "x.png", "What?", "--no-such-option")

    def test_completion_and_manual(self):
        script = run("completion", "bash").stdout.decode()
        def complete(*words):
            line = f"{script}\nCOMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _ocellus; printf '%s\\n' \"${{COMPREPLY[@]}}\""
            return set(subprocess.run(["bash", "-c", line], capture_output=True, check=True, cwd=SOURCE).stdout.decode().split())
        self.assertTrue({"ask", "serve", "inspect"} <= complete("ocellus", "''"))
        self.assertEqual(complete("ocellus", "as"), {"ask"})
        self.assertEqual(complete("ocellus", "ask", "--temp"), {"--temperature"})
        self.assertEqual(complete("ocellus", "ask", "READ"), {"README.md"})
        self.assertEqual(complete("ocellus", "ask", "--top-k", "READ"), set())
        for shell, begin in (("zsh", "#compdef ocellus"), ("fish", "# Completion")):
            self.assertTrue(run("completion", shell).stdout.decode().startswith(begin))
        page = run("man").stdout.decode()
        self.assertTrue(page.startswith(".TH OCELLUS 1"))
        self.assertIn("\\fB\\-\\-temperature\\fR", page)
        self.expect(2, "completion", "tcsh", says=b"tcsh")

    def test_names_that_are_nearly_right(self):
        self.expect(2, "aks", says=b"did you mean ask?")
        self.expect(2, "nothing-like-it", says=b"is no command (see")
        self.expect(2, "ask", "x.png", "What?", "--temprature", "0", says=b"did you mean --temperature?")
        self.expect(2, "ask", "x.png", "What?", "--temprature=0", says=b"did you mean --temperature?")

    def test_help_on_a_command(self):
        self.assertEqual(run("help", "ask").stdout, run("ask", "--help").stdout)
        self.assertEqual(run("help").stdout, run("--help").stdout)

    def test_options_anywhere_and_the_last_counts(self):
        first = run("ask", "-t", "0", some_picture(), "How many objects are there?", "-n", "1", "-n", "9")
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertEqual(first.stdout, run("ask", some_picture(), "How many objects are there?", "-t", "0", "-n", "9").stdout)

    def test_weight_types_in_any_case(self):
        for name in ("Q8_0", "q8_0", "BF16", "Q4_K_M", "q4_k_s"):
            result = run("ask", some_picture(), "How many objects are there?", "-t", "0", "--weights", name)
            self.assertEqual(result.returncode, 0, result.stderr)
        self.expect(2, "ask", some_picture(), "What?", "--weights", "q9", says=b"found q9")

    def test_seeds(self):
        for seed in ("-1", "18446744073709551616", "1e3", "x", "1.5", ""):
            self.expect(2, "ask", some_picture(), "What?", "--seed", seed, says=b"--seed")
        seeds = [json.loads(run("ask", some_picture(), "What?", "-n", "1", "--json", *more).stdout)["seed"]
                 for more in ([], [], ["--seed", "18446744073709551615"])]
        self.assertNotEqual(seeds[0], seeds[1])
        self.assertEqual(seeds[2], 18446744073709551615)

    def test_long_arguments_are_cut(self):
        result = self.expect(3, "ask", "x" * 5000, "What?")
        self.assertLess(len(result.stderr), 2500)
        self.expect(2, "ask", "x.png", "What?", "--weights", "q" * 5000, says=b" ... ")

    def test_missing_picture(self):
        self.expect(3, "ask", "missing.png", "What?", says=b"missing.png")

    def test_not_a_picture(self):
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            file.write(b"this is text, whatever its name says")
            file.flush()
            self.expect(3, "ask", file.name, "What?")

    def test_truncated_picture(self):
        with tempfile.NamedTemporaryFile(suffix=".png") as file:
            file.write(some_picture().read_bytes()[:-40])
            file.flush()
            self.expect(3, "ask", file.name, "What?")

    def test_missing_and_damaged_models(self):
        self.expect(4, "ask", some_picture(), "What?", "--model", "/no/such/folder", says=b"/no/such/folder")
        with tempfile.TemporaryDirectory() as folder:
            model = pathlib.Path(folder) / "model"
            shutil.copytree(DEMO, model)
            weights = model / "model.safetensors"
            weights.write_bytes(weights.read_bytes()[:-100])
            self.expect(4, "ask", some_picture(), "What?", "--model", model, says=b"model.safetensors")

    def test_json_errors_are_json(self):
        result = self.expect(3, "ask", "missing.png", "What?", "--json")
        self.assertEqual(json.loads(result.stdout)["error"]["code"], "not_found")

    def test_help_is_not_an_error(self):
        for command in ([], ["ask"], ["inspect"], ["trace"], ["bench"], ["pack"], ["quantize"]):
            result = run(*command, "--help")
            self.assertEqual(result.returncode, 0, command)
            for line in result.stdout.decode().splitlines():
                self.assertLessEqual(len(line), 100, command)
        shown = run("ask", "--help").stdout.decode()
        for text in ("Usage: ocellus ask [IMAGE|URL... QUESTION] [OPTIONS]\n", "\nPrompt:\n", "\nAnswer:\n", "\nModel:\n",
                     "\nOutput:\n", "HOST[:PORT]|CIDR\n", "(default: all cores)"):
            self.assertIn(text, shown)
        self.assertEqual(run("--version").returncode, 0)

    def test_repeatable_options_take_one_value_each(self):
        """Picture and question may follow them."""
        question = "How many objects are there?"
        for option in (["--stop", "."], ["--allow-host", "10.0.0.0/8"], ["--earlier", "What is it?", "A square."]):
            result = run("ask", *option, some_picture(), question, "--temperature", "0")
            self.assertEqual(result.returncode, 0, result.stderr)
        self.expect(2, "ask", "--earlier", "What is it?", says=b"--earlier")


class StandardOutput(unittest.TestCase):
    """What cannot be written is an error, of every command."""
    commands = (["ask", some_picture(), "How many objects are there?"],
                ["ask", some_picture(), "How many objects are there?", "--json"],
                ["inspect", some_picture()], ["inspect", DEMO], ["inspect", DEMO, "--json"],
                ["--help"], ["ask", "--help"], ["--version"])

    def run_into(self, stdout, arguments):
        return subprocess.run([BINARY, *map(str, arguments)], stdout=stdout, stderr=subprocess.PIPE, timeout=60,
                              check=False, env={**os.environ, "OCELLUS_MODEL": str(DEMO)})

    def test_full_disk(self):
        for arguments in self.commands:
            with self.subTest(arguments=arguments), open("/dev/full", "wb") as full:
                result = self.run_into(full, arguments)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertIn(b"No space left", result.stderr)
                self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)

    def test_closed_pipe(self):
        for arguments in self.commands:
            with self.subTest(arguments=arguments):
                reader, writer = os.pipe()
                os.close(reader)
                result = self.run_into(writer, arguments)
                os.close(writer)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertIn(b"closed", result.stderr)


class Interrupt(unittest.TestCase):
    def test_ctrl_c_while_fetching(self):
        """A server that never answers: the picture is being waited for when the signal comes."""
        asked = threading.Event()
        release = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.set()
                release.wait(30)

            def log_message(self, *arguments):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            host = f"127.0.0.1:{server.server_port}"
            process = subprocess.Popen([BINARY, "ask", f"http://{host}/a.png", "What?", "--allow-host", host],
                                       stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                                       env={**os.environ, "OCELLUS_MODEL": str(DEMO)})
            self.assertTrue(asked.wait(30))
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
            self.assertEqual(process.returncode, 130)
        finally:
            release.set()
            server.shutdown()
            thread.join()
            server.server_close()


class Inspect(unittest.TestCase):
    def test_model(self):
        result = run("inspect", DEMO, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertEqual(report["kind"], "model")
        self.assertGreater(len(report["tensors"]), 10)
        short, long = run("inspect", DEMO), run("inspect", DEMO, "--tensors")
        self.assertEqual((short.returncode, long.returncode), (0, 0))
        self.assertLess(short.stdout.count(b"\n"), 12)
        self.assertEqual(long.stdout.count(b"\n") - short.stdout.count(b"\n"), 129)
        self.assertTrue(long.stdout.startswith(short.stdout))
        with tempfile.TemporaryDirectory() as folder:  # a name that is no text
            odd = pathlib.Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe"))
            shutil.copytree(DEMO, odd)
            self.assertEqual(json.loads(run("inspect", odd, "--json").stdout.decode("utf-8"))["kind"], "model")
            hub = pathlib.Path(folder) / "models--org--demo" / "snapshots" / "1"
            shutil.copytree(DEMO, hub)
            named = run("inspect", "org/demo", env={"HF_HUB_CACHE": folder})
            self.assertEqual(named.returncode, 0, named.stderr)

    def test_picture(self):
        result = run("inspect", some_picture(), "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout)
        self.assertEqual(report["kind"], "picture")
        piped = json.loads(run("inspect", "-", "--json", input=some_picture().read_bytes()).stdout)
        self.assertEqual({**piped, "path": report["path"]}, report)
        self.assertEqual(report["format"], "PNG")
        self.assertGreater(report["image_tokens"], 0)

    def test_a_bound_on_pictures_is_said(self):
        with tempfile.TemporaryDirectory() as folder:
            model = pathlib.Path(folder) / "model"
            shutil.copytree(SOURCE / "tests/golden/families/qwen2_5_vl/model", model)
            for file, change in {"preprocessor_config.json": {"size": {"shortest_edge": 1200, "longest_edge": 200000}},
                                 "config.json": {"max_position_embeddings": 4096}}.items():
                content = json.loads((model / file).read_text())
                (content["text_config"] if "text_config" in content else content).update(change)
                (model / file).write_text(json.dumps(content))
            picture = pathlib.Path(folder) / "large.bmp"
            size = 3 * 480 * 400
            picture.write_bytes(b"BM" + struct.pack("<IIIIiiHHIIiiII", 54 + size, 0, 54, 40, 480, 400, 1, 24, 0, size, 0, 0, 0, 0) + bytes(size))
            arguments = ("ask", picture, "What is it?", "--model", model, "--max-tokens", "1")
            bounded = run(*arguments)
            self.assertEqual(bounded.returncode, 0, bounded.stderr)
            self.assertIn(b"pictures were held to", bounded.stderr)
            whole = run(*arguments, "--image-tokens", "model")
            self.assertEqual((whole.returncode, whole.stderr), (0, b""))

    def test_picture_budget(self):
        model = SOURCE / "tests/golden/families/qwen2_5_vl/model"

        def tokens(*arguments):
            result = run("inspect", some_picture(), "--model", model, "--json", *arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            return json.loads(result.stdout)["image_tokens"]

        self.assertLessEqual(tokens("--image-tokens", "20"), 20)
        self.assertGreaterEqual(tokens("--image-tokens", "40:60"), 40)
        self.assertEqual(tokens("--image-tokens", "model"), tokens())
        for wrong in ("0", "9:8", "12-40", "many", "8:"):
            result = run("inspect", some_picture(), "--model", model, "--image-tokens", wrong)
            self.assertEqual(result.returncode, 2)
            self.assertIn(f'found "{wrong}"'.encode(), result.stderr)
        refused = run("inspect", some_picture(), "--image-tokens", "9:900")
        self.assertIn(b"expected no least number", refused.stderr)


class Pack(unittest.TestCase):
    """One file in place of a model: the same answers, and everything that is wrong with it said."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.packed = pathlib.Path(folder.name) / "demo.ocellus"

    def pack(self, *arguments):
        result = run("pack", DEMO, self.packed, "--json", *arguments)
        self.assertEqual(result.returncode, 0, result.stdout)
        return json.loads(result.stdout)

    def answer(self, *arguments):
        result = run("ask", some_picture(), "What is it?", "--temperature", "0", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_answers_like_its_source(self):
        for weights in ("auto", "q8"):
            written = self.pack("--weights", weights, "--force")
            self.assertEqual(written["bytes"], self.packed.stat().st_size)
            self.assertIn("panels", written["layout"])
            self.assertEqual(self.answer("--model", self.packed), self.answer("--weights", weights))
        self.assertIn("q8", written["types"])

    def test_inspect_says_what_it_is_and_verifies(self):
        written = self.pack()
        report = json.loads(run("inspect", self.packed, "--verify", "--json").stdout)
        self.assertEqual(report["kind"], "model")
        self.assertEqual(report["packed"], written["layout"])
        self.assertTrue(report["verified"])
        content = bytearray(self.packed.read_bytes())
        content[4096] ^= 1
        self.packed.write_bytes(content)
        self.assertEqual(run("inspect", self.packed).returncode, 0)
        damaged = run("inspect", self.packed, "--verify")
        self.assertEqual(damaged.returncode, 4)
        self.assertIn(b"damaged", damaged.stderr)
        self.assertEqual(run("inspect", DEMO, "--verify").returncode, 2)

    def test_what_is_refused(self):
        self.pack()
        self.assertEqual(run("pack", DEMO, self.packed).returncode, 2)
        self.assertEqual(run("pack", self.packed, str(self.packed) + "2").returncode, 2)
        other = run("ask", "--model", self.packed, "--weights", "q8", some_picture(), "What is it?")
        self.assertEqual(other.returncode, 2)
        self.assertIn(b"is packed", other.stderr)
        self.packed.write_bytes(self.packed.read_bytes()[:-1])
        cut = run("ask", "--model", self.packed, some_picture(), "What is it?")
        self.assertEqual(cut.returncode, 4)
        self.assertIn(b"bytes, found", cut.stderr)


class Trace(unittest.TestCase):
    def test_writes_every_stage(self):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "trace.safetensors"
            result = run("trace", some_picture(), "How many objects are there?", "--model", DEMO,
                         "--out", out, "--max-tokens", "4", "--temperature", "0")
            self.assertEqual(result.returncode, 0, result.stderr)
            tensors = read_safetensors(out)
        self.assertEqual(set(tensors), {"pixel_values", "tower_features", "image_embeddings", "input_ids",
                                        "logits", "tokens"})
        self.assertEqual(tensors["pixel_values"][1][0], 3)
        tokens, logits = tensors["tokens"], tensors["logits"]
        self.assertEqual(tokens[1][0], logits[1][0])
        width = logits[1][1]
        for i, token in enumerate(struct.unpack(f"<{tokens[1][0]}q", tokens[2])):
            row = struct.unpack_from(f"<{width}f", logits[2], 4 * width * i)
            self.assertEqual(token, row.index(max(row)))

    def trace(self, *arguments, **options):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "trace.safetensors"
            result = run("trace", "--model", DEMO, "--out", out, "--max-tokens", "4", "--temperature", "0", *arguments,
                         **options)
            self.assertEqual(result.returncode, 0, result.stderr)
            return read_safetensors(out)

    def test_several_images(self):
        """Rows and pixels of all, in the prompt's order."""
        one, two = PICTURES / "scene.png", PICTURES / "stop.jpg"
        question = "What is it?"
        singles = [self.trace(picture, question) for picture in (one, two)]
        both = self.trace("--image", one, "--image", two, question)
        for name in ("pixel_values", "tower_features", "image_embeddings"):
            self.assertEqual(both[name][2], singles[0][name][2] + singles[1][name][2], name)
        shape = singles[0]["pixel_values"][1]
        self.assertEqual(both["pixel_values"][1], [2, *shape])
        rows, width = singles[0]["image_embeddings"][1]
        self.assertEqual(both["image_embeddings"][1], [2 * rows, width])
        between = both["input_ids"][1][0] - singles[0]["input_ids"][1][0] - rows
        self.assertIn(between, range(5))  # what the template writes between two images
        messages = [{"role": "user", "content": [
            {"type": "image_url", "image_url": str(one)}, {"type": "image_url", "image_url": str(two)},
            {"type": "text", "text": question}]}]
        self.assertEqual(self.trace("--messages", "-", input=json.dumps(messages).encode()), both)

    def test_text_alone(self):
        messages = [{"role": "user", "content": "hello"}]
        tensors = self.trace("--messages", "-", input=json.dumps(messages).encode())
        self.assertEqual(set(tensors), {"input_ids", "logits", "tokens"})

    def trace_to(self, out, *more):
        return run("trace", some_picture(), "How many objects are there?", "--model", DEMO, "--out", out,
                   "--max-tokens", "1", "--temperature", "0", *more)

    def test_out_replaces_only_its_own_files(self):
        """Nothing is written through a link; a pipe, and a file that is no trace, only where --force says so."""
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            real, link, dangling, fifo = (folder / name for name in ("real", "link", "dangling", "fifo"))
            real.write_bytes(b"before")
            link.symlink_to("real")
            dangling.symlink_to("made")
            os.mkfifo(fifo)
            for out, says in ((link, b"a symbolic link"), (dangling, b"a symbolic link"), (fifo, b"a device or pipe"),
                              (real, b"not written by this command"), (folder, b"found a directory")):
                refused = self.trace_to(out)
                self.assertEqual(refused.returncode, 2, refused.stderr)
                self.assertIn(says, refused.stderr)
            self.assertEqual(self.trace_to(link, "--force").returncode, 2)
            self.assertEqual(real.read_bytes(), b"before")
            self.assertFalse((folder / "made").exists())
            self.assertEqual(self.trace_to(real, "--force").returncode, 0)
            self.assertIn("tokens", read_safetensors(real))
            self.assertEqual(self.trace_to(real).returncode, 0)  # a trace replaces a trace
            found = []
            reader = threading.Thread(target=lambda: found.append(fifo.read_bytes()))
            reader.start()
            result = self.trace_to(fifo, "--force")
            self.assertTrue(fifo.is_fifo())
            if not found and result.returncode != 0:
                fifo.write_bytes(b"")  # lets the reader go
            reader.join()
            self.assertEqual(found, [real.read_bytes()])

    @unittest.skipUnless(os.geteuid() == 0, "needs to make a device")
    def test_out_keeps_a_device(self):
        with tempfile.TemporaryDirectory() as folder:
            full = pathlib.Path(folder) / "full"
            try:
                os.mknod(full, 0o600 | stat.S_IFCHR, os.makedev(1, 7))
                full.open("wb").close()
            except PermissionError:
                self.skipTest("needs to make a device")
            self.assertEqual(self.trace_to(full).returncode, 2)
            result = self.trace_to(full, "--force")
            self.assertTrue(full.is_char_device())
            self.assertEqual(result.returncode, 3, result.stderr)
            self.assertIn(b"No space left", result.stderr)

    def test_measures_every_position_of_a_given_text(self):
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "trace.safetensors"
            arguments = ["trace", some_picture(), "How many objects are there?", "--model", DEMO, "--out", out,
                         "--weights", "q4_0"]
            found = []
            for more in (["--force-tokens", "2,5,300"], ["--force-tokens", "2,5,300", "--expand-weights"]):
                result = run(*arguments, "--all-logits", *more)
                self.assertEqual(result.returncode, 0, result.stderr)
                found.append(read_safetensors(out))
            refused = run(*arguments, "--force-tokens", "2,832")
        for tensors in found:
            self.assertEqual(struct.unpack("<3q", tensors["tokens"][2]), (2, 5, 300))
            (rows, width), values = tensors["prompt_logits"][1:]
            self.assertEqual(rows, tensors["input_ids"][1][0])
            self.assertEqual(values[-4 * width:], tensors["logits"][2][:4 * width])
        a, b = (struct.unpack_from("<100f", tensors["logits"][2]) for tensors in found)
        for x, y in zip(a, b):
            self.assertAlmostEqual(x, y, delta=1.0)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn(b"832", refused.stderr)


class Bench(unittest.TestCase):
    def bench(self, *arguments):
        result = run("bench", "--seconds", "0.01", "--repeat", "1", "--json", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, b"")
        return json.loads(result.stdout)

    def check_results(self, report):
        for result in report["results"]:
            with self.subTest(result=result):
                for field, kind in (("work", str), ("weights", str), ("tokens", int), ("streams", int),
                                    ("value", float), ("unit", str), ("limit", float), ("limit_of", str),
                                    ("share", float)):
                    self.assertIsInstance(result[field], kind, field)
                self.assertIn(result["unit"], {"tokens/s", "s", "GFLOP/s", "GB/s"})
                self.assertIn(result["limit_of"], {"f32", "bf16", "int8", "read"})
                self.assertGreater(result["value"], 0)
                self.assertGreater(result["share"], 0)
                self.assertLessEqual(result["share"], 1)

    def test_a_model(self):
        report = self.bench("--model", DEMO, "--tokens", "32,128")
        self.assertEqual(set(report), {"machine", "peaks", "model", "results", "peak_rss_bytes"})
        for kind in ("f32", "bf16", "int8", "read", "read_small_pages"):
            for threads in ("one", "all"):
                rate = report["peaks"][f"{kind}_{threads}"]
                self.assertTrue(rate is None or rate > 0, kind)
        self.assertGreater(report["peaks"]["f32_all"], 0)
        self.assertGreater(report["peak_rss_bytes"], report["model"]["weight_bytes"])
        self.check_results(report)
        self.assertEqual([(r["work"], r["tokens"]) for r in report["results"]],
                         [("load", 0), ("tower", 64), ("prefill", 32), ("prefill", 128), ("decode", 1),
                          ("batch", 1), ("first_token", 80)])
        self.assertEqual({r["streams"] for r in report["results"] if r["work"] == "batch"}, {8})

    def test_a_profile_accounts_for_the_run(self):
        report = self.bench("--model", DEMO, "--work", "prefill,decode", "--profile")
        self.assertEqual([r["work"] for r in report["results"]], ["prefill", "decode"])
        for result in report["results"]:
            operations = result["profile"]
            self.assertLessEqual(sum(o["share_of_run"] for o in operations), 1)
            self.assertLessEqual({"linear", "causal_attention", "rms_norm", "rope", "kv_store", "embed"},
                                 {o["operation"] for o in operations})
            shares = [o["share_of_run"] for o in operations]
            self.assertEqual(shares, sorted(shares, reverse=True))

    def test_kernels_alone(self):
        report = self.bench("--kernels", "--out", "64", "--in", "256", "--tokens", "4")
        self.check_results(report)
        self.assertNotIn("model", report)
        self.assertEqual({r["work"] for r in report["results"]}, {"linear"})
        self.assertEqual(len(report["results"]), 2 * len({r["weights"] for r in report["results"]}))
        self.assertLessEqual({"f32", "bf16", "q8_0", "q4_k"}, {r["weights"] for r in report["results"]})

    def test_table(self):
        result = run("bench", "--model", DEMO, "--work", "decode", "--seconds", "0.01", "--profile")
        self.assertEqual(result.returncode, 0, result.stderr)
        for text in (b"one thread", b"decode", b"peak memory", b"causal_attention"):
            self.assertIn(text, result.stdout)

    def test_unknown_names_are_answered_with_the_known_ones(self):
        for arguments, says in ((("--random", "llava-9b"), b"llava-1.5-7b"),
                                (("--weights", "q9"), b"q8_0"),
                                (("--work", "dreams"), b"first_token"),
                                (("--kv", "u8"), b"q8"),
                                (("--model", DEMO, "--layers", "2"), b"--layers"),
                                (("--model", DEMO, "--random", "llava-1.5-7b"), b"--model")):
            result = run("bench", "--seconds", "0.01", *arguments)
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn(says, result.stderr)
            self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)


if __name__ == "__main__":
    unittest.main()
