"""`ocellus serve` as its clients see it, on loopback.

Needs only Python's standard library. OCELLUS_BINARY names the program, OCELLUS_SOURCE_DIR the checkout.
"""
import base64
import atexit
import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

BINARY = os.environ["OCELLUS_BINARY"]
SOURCE = pathlib.Path(os.environ["OCELLUS_SOURCE_DIR"])
SCENE = SOURCE / "examples" / "pictures" / "scene.png"
DEMO = SOURCE / "models" / "demo"
QUESTION = "How many objects are there?"


def data_url(path=SCENE):
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


def chat_body(**more):
    content = [{"type": "image_url", "image_url": {"url": data_url()}}, {"type": "text", "text": QUESTION}]
    return {"model": "demo", "temperature": 0, "messages": [{"role": "user", "content": content}], **more}


def end_with_the_tests(process):
    """Whatever fails: nothing of ours goes on after the tests."""
    atexit.register(lambda: process.poll() is None and process.kill())


class Server:
    """One process, on a port of its own."""

    def __init__(self, *arguments):
        self.folder = tempfile.TemporaryDirectory()
        self.port_file = pathlib.Path(self.folder.name) / "port"
        self.process = subprocess.Popen(
            [BINARY, "serve", "--port", "0", "--port-file", self.port_file, *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "OCELLUS_MODEL": str(DEMO)})
        end_with_the_tests(self.process)
        self.process.stdout.readline()  # it listens
        self.port = int(self.port_file.read_text())

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        data = json.dumps(body) if isinstance(body, (dict, list)) else body
        connection.request(method, path, data, headers or {})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response, content

    def json(self, method, path, body=None, headers=None):
        response, content = self.request(method, path, body, headers)
        return response.status, json.loads(content)

    def raw(self, data):
        """Sends bytes, gives all that comes until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(data)
            got = b""
            while chunk := connection.recv(65536):
                got += chunk
            return got

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(timeout=20)
        self.process.stdout.close()
        self.process.stderr.close()
        self.folder.cleanup()
        return code


class WithServer(unittest.TestCase):
    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.arguments)

    @classmethod
    def tearDownClass(cls):
        code = cls.server.end()
        assert code == 0, code


class OpenAi(WithServer):
    def test_whole(self):
        status, answer = self.server.json("POST", "/v1/chat/completions", chat_body())
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer["choices"][0]["message"], {"role": "assistant", "content": "4", "refusal": None})
        self.assertEqual(answer["choices"][0]["finish_reason"], "stop")
        usage = answer["usage"]
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"])
        self.assertGreater(usage["prompt_tokens_details"]["image_tokens"], 0)

    def events(self, body):
        response, content = self.server.request("POST", "/v1/chat/completions", body)
        self.assertEqual(response.status, 200, content)
        self.assertEqual(response.headers["Content-Type"], "text/event-stream")
        lines = [line[6:] for line in content.decode().split("\n") if line.startswith("data: ")]
        self.assertEqual(lines[-1], "[DONE]")
        return [json.loads(line) for line in lines[:-1]]

    def test_stream(self):
        events = self.events(chat_body(stream=True, stream_options={"include_usage": True}, return_progress=True))
        text = "".join(e["choices"][0]["delta"].get("content", "") for e in events if e["choices"])
        self.assertEqual(text, "4")
        self.assertEqual([e["choices"][0]["finish_reason"] for e in events if e["choices"]][-1], "stop")
        self.assertGreater(events[-1]["usage"]["prompt_tokens"], 0)
        stages = [e["prompt_progress"]["stage"] for e in events if "prompt_progress" in e]
        self.assertTrue(set(stages) <= {"queue", "fetch", "decode", "tower", "prefill"}, stages)

    def test_typical_sampling(self):
        def answers(**settings):
            return {self.server.json("POST", "/v1/chat/completions", chat_body(
                temperature=2, max_tokens=20, ignore_eos=True, seed=seed, **settings))[1]["choices"][0]["message"]["content"] for seed in range(3)}
        self.assertEqual((len(answers()), len(answers(typical_p=1e-6))), (3, 1))
        status, answer = self.server.json("POST", "/v1/chat/completions", chat_body(typical_p=1.5))
        self.assertEqual((status, answer["error"]["param"]), (400, "typical_p"))

    def test_log_probabilities(self):
        _, answer = self.server.json("POST", "/v1/chat/completions", chat_body(logprobs=True, top_logprobs=2))
        token = answer["choices"][0]["logprobs"]["content"][0]
        self.assertEqual(token["token"], "4")
        self.assertEqual(len(token["top_logprobs"]), 2)

    def test_without_a_picture(self):
        body = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}
        self.assertEqual(self.server.json("POST", "/v1/chat/completions", body)[0], 200)

    def test_null_is_absent_and_fields_without_effect_are_listed(self):
        response, _ = self.server.request("POST", "/v1/chat/completions",
                                          chat_body(stop=None, max_tokens=None, user="me", store=False, tools=None))
        self.assertEqual(response.status, 200)
        self.assertEqual(set(response.headers["x-ocellus-ignored"].split(", ")), {"user", "store"})

    def test_errors_name_the_part(self):
        def content(part):
            return {"model": "demo", "messages": [{"role": "user", "content": [part]}]}
        cases = [
            ({}, 400, "messages", "missing_required_parameter"),
            (chat_body(temperature=3), 400, "temperature", "invalid_value"),
            (chat_body(temperature="hot"), 400, "temperature", "invalid_type"),
            (chat_body(nonsense=1), 400, "nonsense", "unknown_parameter"),
            (chat_body(n=2), 400, "n", "unsupported_value"),
            (chat_body(reasoning_effort="wild"), 400, "reasoning_effort", "unsupported_value"),
            (chat_body(chat_template_kwargs={"enable_thinking": "no"}), 400, "chat_template_kwargs.enable_thinking", "invalid_type"),
            (chat_body(model="other"), 404, "model", "model_not_found"),
            (content({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}), 400,
             "messages[0].content[0]", "invalid_image"),
            (content({"type": "text", "text": "A" * 5000}), 400, "messages[0].content[0]", "image_in_text"),
            (content({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}), 400,
             "messages[0].content[0].image_url.url", "invalid_value"),
            (content({"type": "text", "text": "word " * 5000}), 400, None, "context_length_exceeded"),
        ]
        for body, status, param, code in cases:
            for stream in (False, True):
                with self.subTest(code=code, param=param, stream=stream):
                    got, answer = self.server.json("POST", "/v1/chat/completions", {**body, "stream": stream})
                    self.assertEqual(got, status, answer)
                    self.assertEqual((answer["error"]["param"], answer["error"]["code"]), (param, code))
                    self.assertLess(len(json.dumps(answer)), 1500)

    def test_a_url_that_may_not_be_fetched_says_nothing_of_this_network(self):
        body = {"model": "demo", "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/x.png"}}, {"type": "text", "text": "?"}]}]}
        status, answer = self.server.json("POST", "/v1/chat/completions", body)
        self.assertEqual((status, answer["error"]["code"]), (400, "image_not_fetched"))
        self.assertNotIn("127", answer["error"]["message"])

    def test_models(self):
        status, models = self.server.json("GET", "/v1/models")
        self.assertEqual((status, models["data"][0]["id"]), (200, "demo"))
        self.assertEqual(self.server.json("GET", "/v1/models/demo")[1]["object"], "model")
        self.assertEqual(self.server.json("GET", "/v1/models/other")[0], 404)

    def test_answers_do_not_depend_on_others(self):
        alone = self.server.json("POST", "/v1/chat/completions", chat_body(temperature=1, seed=7, max_tokens=12))[1]
        bodies = [chat_body(temperature=1, seed=seed, max_tokens=12) for seed in (7, 1, 2, 7, 3, 7)]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda b: self.server.json("POST", "/v1/chat/completions", b)[1], bodies))
        text = alone["choices"][0]["message"]["content"]
        for at in (0, 3, 5):
            self.assertEqual(answers[at]["choices"][0]["message"]["content"], text)


class Anthropic(WithServer):
    def body(self, **more):
        image = {"type": "image", "source": {"type": "base64", "media_type": "image/png",
                                             "data": base64.b64encode(SCENE.read_bytes()).decode()}}
        return {"model": "demo", "max_tokens": 9, "temperature": 0,
                "messages": [{"role": "user", "content": [image, {"type": "text", "text": QUESTION}]}], **more}

    def test_whole(self):
        status, answer = self.server.json("POST", "/v1/messages", self.body(system="Be brief."))
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer["content"][0]["type"], "text")
        self.assertIn(answer["stop_reason"], ("end_turn", "max_tokens"))

    def test_stream(self):
        response, content = self.server.request("POST", "/v1/messages", self.body(stream=True))
        self.assertEqual(response.status, 200)
        names = [line[7:] for line in content.decode().split("\n") if line.startswith("event: ")]
        self.assertEqual(names[:2], ["message_start", "content_block_start"])
        self.assertEqual(names[-3:], ["content_block_stop", "message_delta", "message_stop"])
        self.assertIn('"text":"4"', content.decode())

    def test_counts_tokens(self):
        status, count = self.server.json("POST", "/v1/messages/count_tokens", self.body())
        self.assertEqual(status, 200, count)
        usage = self.server.json("POST", "/v1/messages", self.body())[1]["usage"]
        self.assertEqual(count["input_tokens"], usage["input_tokens"] + usage["cache_read_input_tokens"])
        self.assertEqual(self.server.json("POST", "/v1/messages/count_tokens", self.body(model="other"))[0], 404)

    def test_errors(self):
        status, answer = self.server.json("POST", "/v1/messages", self.body(model="other"))
        self.assertEqual((status, answer["type"], answer["error"]["type"]), (404, "error", "not_found_error"))
        bad = self.body()
        bad["messages"][0]["content"][0]["source"]["data"] = "AAAA"
        status, answer = self.server.json("POST", "/v1/messages", bad)
        self.assertEqual((status, answer["error"]["type"]), (400, "invalid_request_error"))
        self.assertIn("messages[0].content[0]", answer["error"]["message"])


class Ollama(WithServer):
    def images(self):
        return [base64.b64encode(SCENE.read_bytes()).decode()]

    def test_chat_streams_unless_told_otherwise(self):
        body = {"model": "demo:latest", "options": {"temperature": 0, "num_gpu": 1},
                "messages": [{"role": "user", "content": QUESTION, "images": self.images()}]}
        response, content = self.server.request("POST", "/api/chat", body)
        self.assertEqual(response.headers["Content-Type"], "application/x-ndjson")
        lines = [json.loads(line) for line in content.decode().splitlines()]
        self.assertEqual("".join(line["message"]["content"] for line in lines), "4")
        self.assertEqual((lines[-1]["done"], lines[-1]["done_reason"]), (True, "stop"))
        self.assertGreater(lines[-1]["prompt_eval_count"], 60)

    def test_generate(self):
        status, answer = self.server.json("POST", "/api/generate", {
            "model": "demo", "prompt": QUESTION, "images": self.images(), "stream": False,
            "options": {"temperature": 0}})
        self.assertEqual((status, answer["response"]), (200, "4"))

    def test_typical_sampling(self):
        answers = {self.server.json("POST", "/api/generate", {
            "model": "demo", "prompt": QUESTION, "images": self.images(), "stream": False,
            "options": {"temperature": 5, "num_predict": 8, "typical_p": 1e-6, "seed": seed}})[1]["response"] for seed in range(3)}
        self.assertEqual(len(answers), 1)

    def test_what_clients_look_at_first(self):
        self.assertIn("version", self.server.json("GET", "/api/version")[1])
        self.assertEqual(self.server.json("GET", "/api/tags")[1]["models"][0]["model"], "demo:latest")
        self.assertIn("vision", self.server.json("POST", "/api/show", {"model": "demo"})[1]["capabilities"])
        self.assertEqual(self.server.json("POST", "/api/pull", {"model": "demo"})[1]["status"], "success")
        self.assertEqual(self.server.json("POST", "/api/show", {"model": "other"})[0], 404)
        self.assertIsInstance(self.server.json("POST", "/api/chat", {"model": "other", "messages": []})[1]["error"], str)


class Http(WithServer):
    arguments = ("--allow-origin", "https://friend.example")

    def test_health_and_metrics(self):
        for path in ("/health", "/live", "/ready", "/v1/health"):
            self.assertEqual(self.server.request("GET", path)[0].status, 200, path)
        self.server.json("POST", "/v1/chat/completions", chat_body())
        text = self.server.request("GET", "/metrics")[1].decode()
        self.assertRegex(text, r'time_to_first_token_seconds_count\{model="demo"\} [1-9]')
        for name in ("requests_running", "requests_waiting"):
            self.assertIn(name, text)

    def test_paths_and_methods(self):
        response, content = self.server.request("GET", "/nothing")
        self.assertEqual((response.status, json.loads(content)["error"]["code"]), (404, "not_found"))
        response, _ = self.server.request("GET", "/v1/chat/completions")
        self.assertEqual((response.status, response.headers["Allow"]), (405, "POST"))
        response, _ = self.server.request("DELETE", "/health")
        self.assertEqual((response.status, response.headers["Allow"]), (405, "GET, HEAD"))

    def test_request_ids(self):
        self.assertEqual(self.server.request("GET", "/health", None, {"x-request-id": "abc"})[0].headers["x-request-id"], "abc")
        self.assertTrue(self.server.request("GET", "/health")[0].headers["x-request-id"].startswith("req_"))

    def test_pages_from_elsewhere(self):
        for headers, status in (({"Origin": "https://evil.example"}, 403), ({"Host": "evil.example"}, 403),
                                ({"Origin": "null"}, 403), ({"Origin": "https://friend.example"}, 200),
                                ({"Host": "localhost:80"}, 200), ({"Origin": f"http://127.0.0.1:{self.server.port}"}, 200)):
            with self.subTest(headers=headers):
                self.assertEqual(self.server.request("GET", "/health", None, headers)[0].status, status)
        response, _ = self.server.request("OPTIONS", "/v1/chat/completions", None, {"Origin": "https://friend.example"})
        self.assertEqual(response.headers["Access-Control-Allow-Origin"], "https://friend.example")

    def test_framing_is_refused_not_repaired(self):
        line = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        second = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for fields in (b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
                       b"X: a\nY: b\r\n\r\n", b"X: a\rY: b\r\n\r\n", b"X: a\r\n b\r\n\r\n", b"Content-Length : 2\r\n\r\n{}",
                       b"Transfer-Encoding: gzip\r\n\r\n", b"Content-Length: +2\r\n\r\n{}"):
            with self.subTest(fields=fields):
                got = self.server.raw(line + fields + second)
                self.assertRegex(got, rb"^HTTP/1\.1 4\d\d ")
                self.assertEqual(got.count(b"HTTP/1.1 "), 1, got)
                self.assertIn(b"Connection: close", got)

    def test_a_body_that_is_too_large_is_refused_before_it_is_read(self):
        got = self.server.raw(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n")
        self.assertTrue(got.startswith(b"HTTP/1.1 413 "), got)
        got = self.server.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 40000 + b"\r\n\r\n")
        self.assertTrue(got.startswith(b"HTTP/1.1 431 "), got)

    def test_requests_one_after_another_and_in_one_piece(self):
        one = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        last = one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        self.assertEqual(self.server.raw(one + one + last).count(b"HTTP/1.1 200 "), 3)

    def test_a_body_in_chunks(self):
        body = json.dumps({"model": "demo", "max_tokens": 1, "messages": [{"role": "user", "content": "a"}]}).encode()
        got = self.server.raw(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                              b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        self.assertTrue(got.startswith(b"HTTP/1.1 200 "), got)

    def test_what_a_model_sees_of_a_picture(self):
        status, seen = self.server.json("POST", "/v1/images/inspect", {"model": "demo", "image_url": data_url()})
        self.assertEqual(status, 200, seen)
        self.assertEqual((seen["width"], seen["height"], seen["tokens"]), (320, 320, 64))
        self.assertEqual(seen["transform"]["scale"], [seen["used"]["width"] / 320] * 2)
        tile = base64.b64decode(seen["tiles"][0]["image"].split(",")[1])
        self.assertEqual((tile[:2], len(seen["tiles"])), (b"BM", 1))
        self.assertEqual(self.server.json("POST", "/v1/images/inspect", {"image_url": "data:,x"})[0], 400)

    def test_programs_that_look_for_ollama_find_it(self):
        response, content = self.server.request("GET", "/", headers={"Accept": "application/json"})
        self.assertEqual((response.status, content), (200, b"Ollama is running"))
        response, content = self.server.request("GET", "/")
        self.assertIn(b"Ollama is running", content)

    def test_the_page(self):
        response, content = self.server.request("GET", "/")
        self.assertEqual(response.status, 200)
        self.assertIn("default-src 'none'", response.headers["Content-Security-Policy"])
        for word in (b'role="log"', b'role="alert"', b"<select", b">Ask<", b">Stop<"):
            self.assertIn(word, content)
        for name in ("app.js", "style.css", "icon.svg"):
            self.assertEqual(self.server.request("GET", f"/page/{name}")[1],
                             (SOURCE / "src" / "server" / "page" / name).read_bytes())
        self.assertEqual(self.server.request("GET", "/page/../x")[0].status, 404)

    def test_a_client_that_goes_away_ends_its_work(self):
        body = json.dumps(chat_body(stream=True, ignore_eos=True, max_tokens=3000, temperature=1)).encode()
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=30) as connection:
            connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            connection.recv(100)
        for _ in range(600):
            text = self.server.request("GET", "/metrics")[1].decode()
            if 'requests_running{model="demo"} 0' in text:
                return
        self.fail(text)


@unittest.skipUnless(shutil.which("curl"), "needs curl")
class Documentation(WithServer):
    def test_its_commands_run(self):
        """Those of docs/server.md that ask the server."""
        text = (SOURCE / "docs" / "server.md").read_text()
        commands = [block for block in re.findall(r"```sh\n(.*?)```", text, re.S) if block.startswith("curl ")]
        self.assertGreaterEqual(len(commands), 4)
        for command in commands:
            with self.subTest(command=command[:60]):
                result = subprocess.run(["bash", "-c", command.replace("127.0.0.1:8080", f"127.0.0.1:{self.server.port}")],
                                        cwd=SOURCE, capture_output=True, check=False, timeout=60)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertGreater(len(result.stdout), 20)


class Keys(unittest.TestCase):
    def test_keys(self):
        with tempfile.NamedTemporaryFile("w") as file:
            file.write("# ours\nsecret-one\n\nsecret-two\n")
            file.flush()
            server = Server("--api-key-file", file.name)
            self.addCleanup(server.end)
            for headers, status in (({}, 401), ({"Authorization": "Bearer wrong"}, 401), ({"Authorization": "Bearer secret-one"}, 200),
                                    ({"x-api-key": "secret-two"}, 200), ({"x-api-key": "# ours"}, 401)):
                self.assertEqual(server.request("GET", "/v1/models", None, headers)[0].status, status, headers)
            self.assertEqual(server.request("GET", "/health")[0].status, 200)
            self.assertEqual(server.request("GET", "/")[0].status, 200)

    def test_nothing_beyond_this_machine_without_one(self):
        result = subprocess.run([BINARY, "serve", "--host", "0.0.0.0", "--port", "0"], capture_output=True, check=False,
                                env={**os.environ, "OCELLUS_MODEL": str(DEMO)}, timeout=20)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn(b"--api-key-file", result.stderr)


class Process(unittest.TestCase):
    def run_serve(self, *arguments):
        return subprocess.run([BINARY, "serve", "--port", "0", *map(str, arguments)], capture_output=True, check=False, timeout=20)

    def test_exit_codes(self):
        self.assertEqual(self.run_serve("--model", "a=/no/such").returncode, 4)
        self.assertEqual(self.run_serve("--model", f"a={SOURCE / 'src'}").returncode, 4)
        self.assertEqual(self.run_serve("--model", f"a={DEMO}", "--model", f"b,a={DEMO}").returncode, 2)
        for number, code in ((signal.SIGTERM, 0), (signal.SIGINT, 130)):
            server = Server()
            idle = socket.create_connection(("127.0.0.1", server.port))  # holds nothing up
            self.assertEqual(server.end(number), code)
            idle.close()

    def test_names_and_aliases(self):
        server = Server("--model", f"llava,gpt-4o={DEMO}")
        self.addCleanup(server.end)
        for name in ("llava", "gpt-4o"):
            body = {"model": name, "max_tokens": 1, "messages": [{"role": "user", "content": "a"}]}
            self.assertEqual(server.json("POST", "/v1/chat/completions", body)[0], 200)

    def test_a_full_queue_is_told_at_once(self):
        server = Server("--queue", "2")
        self.addCleanup(server.end)
        body = json.dumps(chat_body(ignore_eos=True, max_tokens=3000, temperature=1, stream=True))
        connections = []
        for _ in range(40):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            self.addCleanup(connection.close)
            connection.request("POST", "/v1/chat/completions", body)
            connections.append(connection)
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            found = list(pool.map(lambda c: c.getresponse(), connections))
        statuses = [response.status for response in found]
        self.assertLessEqual(set(statuses), {200, 429})
        self.assertGreaterEqual(statuses.count(200), 10)  # eight run, two wait; some may have ended
        self.assertGreaterEqual(statuses.count(429), 1)
        for response in found:
            if response.status == 429:
                self.assertEqual(response.headers["Retry-After"], "1")

    def test_answers_end_before_the_server_does(self):
        server = Server()
        body = chat_body(ignore_eos=True, max_tokens=200, stream=True)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        response = connection.getresponse()
        first = response.read(10)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            ended = pool.submit(server.end)
            content = first + response.read()
            self.assertIn(b"data: [DONE]", content)
            self.assertEqual(ended.result(), 0)


if __name__ == "__main__":
    unittest.main()
