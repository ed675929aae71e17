"""What `ocellus serve` decides by a request's header, what it bounds, and how it ends.

Needs only Python's standard library. OCELLUS_BINARY names the program, OCELLUS_SOURCE_DIR the checkout.
"""
import http.client
import json
import pathlib
import signal
import socket
import tempfile
import unittest

from server_test import Server, WithServer, chat_body

LARGE = 60 << 20


def head(path, length, *fields, method="POST"):
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class BeforeTheBody(unittest.TestCase):
    """Each request announces a body that never comes: whoever waits for it gets nothing."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        keys = pathlib.Path(cls.folder.name) / "keys"
        keys.write_text("secret\n")
        cls.server = Server("--api-key-file", keys)

    @classmethod
    def tearDownClass(cls):
        assert cls.server.end() == 0
        cls.folder.cleanup()

    def status(self, request):
        answer = self.server.raw(request)
        line, _, rest = answer.partition(b"\r\n")
        self.assertIn(b"x-request-id:", rest.lower())
        self.assertIn(b'"error"', rest)
        return int(line.split()[1])

    def test_the_key(self):
        self.assertEqual(self.status(head("/v1/chat/completions", LARGE)), 401)
        self.assertEqual(self.status(head("/v1/messages", LARGE, "Authorization: Bearer wrong")), 401)

    def test_keys_that_are_nearly_right(self):
        for key in ("secre", "secret2", "secret" + "x" * 600, "Secret"):
            self.assertEqual(self.status(head("/api/chat", LARGE, f"x-api-key: {key}")), 401)
        self.assertEqual(self.server.request("GET", "/v1/models", headers={"x-api-key": "secret"})[0].status, 200)

    def test_where_it_comes_from(self):
        key = "Authorization: Bearer secret"
        self.assertEqual(self.status(head("/api/chat", LARGE, key, "Origin: http://evil.example")), 403)
        other = head("/api/chat", LARGE, key).replace(b"Host: 127.0.0.1", b"Host: evil.example")
        self.assertEqual(self.status(other), 403)

    def test_path_and_method(self):
        key = "x-api-key: secret"
        self.assertEqual(self.status(head("/v1/nothing", LARGE, key)), 404)
        self.assertEqual(self.status(head("/v1/models", LARGE, key)), 405)
        self.assertEqual(self.status(head("/v1/chat/completions", LARGE, key, method="PUT")), 405)


class Bounds(WithServer):
    def test_a_hundred_fields(self):
        fields = "".join(f"X-{i}: 1\r\n" for i in range(98))
        request = f"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}Connection: close\r\n\r\n"
        self.assertIn(b"200 OK", self.server.raw(request.encode()))
        more = request.replace("X-0: 1\r\n", "X-0: 1\r\nY: 1\r\n")
        self.assertIn(b"more than 100 fields", self.server.raw(more.encode()))

    def test_the_header(self):
        request = "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX: {}\r\n\r\n"
        self.assertIn(b"200 OK", self.server.raw(request.format("a" * 16000).encode()))
        self.assertIn(b" 431 ", self.server.raw(request.format("a" * 17000).encode()))

    def test_a_header_that_comes_byte_by_byte(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n":
                connection.sendall(bytes([byte]))
            self.assertIn(b"200 OK", connection.recv(100))

    def test_a_large_body_is_read_whole(self):
        body = chat_body(max_tokens=1)
        body["messages"][0]["content"] += [{"type": "text", "text": "word " * 100}] * 400
        status, answer = self.server.json("POST", "/v1/chat/completions", body)
        self.assertEqual((status, answer["error"]["code"]), (400, "context_length_exceeded"), answer)


class Description(WithServer):
    def test_names_paths_that_are_there(self):
        status, document = self.server.json("GET", "/openapi.json")
        self.assertEqual(status, 200)
        for path, methods in document["paths"].items():
            for method in methods:
                body = {} if method == "post" else None
                response, content = self.server.request(method.upper(), path.replace("{id}", "demo"), body)
                self.assertNotIn(b"no such path", content, path)
                self.assertNotEqual(response.status, 405, path)
                self.assertIn(str(response.status), methods[method]["responses"], (path, content))


class End(unittest.TestCase):
    def test_a_request_that_is_half_there_is_answered(self):
        server = Server()
        body = json.dumps(chat_body()).encode()
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(head("/v1/chat/completions", len(body)) + body[:1000])
            # Another request shows that the first one's header has been read by now.
            self.assertEqual(server.request("GET", "/health")[0].status, 200)
            server.process.send_signal(signal.SIGTERM)
            self.wait_until_it_is_not_ready(server)
            connection.sendall(body[1000:])
            answer = b""
            while chunk := connection.recv(65536):
                answer += chunk
        self.assertIn(b"200 OK", answer)
        self.assertIn(b'"content":"4"', answer)
        self.ends(server)

    def ends(self, server):
        self.assertEqual(server.process.wait(timeout=20), 0)
        server.process.stdout.close()
        server.process.stderr.close()
        server.folder.cleanup()

    def wait_until_it_is_not_ready(self, server):
        """Refused, or 503: it has taken the signal."""
        while True:
            try:
                if server.request("GET", "/ready")[0].status == 503:
                    return True
            except (ConnectionError, http.client.HTTPException):
                return False

    def test_a_delay_may_be_less_than_a_second(self):
        server = Server("--drain-delay", "0.9")
        server.process.send_signal(signal.SIGTERM)
        self.assertTrue(self.wait_until_it_is_not_ready(server))
        self.ends(server)


class Log(unittest.TestCase):
    def test_tells_tokens_and_stages_and_no_text(self):
        server = Server("--access-log")
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "x-request-id": "mine"}
        server.request("POST", "/v1/chat/completions", json.dumps(chat_body()), headers)
        server.process.send_signal(signal.SIGTERM)
        out, err = server.process.communicate(timeout=20)
        server.folder.cleanup()
        lines = [json.loads(line) for line in (out + err).decode().splitlines() if line.startswith("{")]
        line = next(each for each in lines if each.get("request_id") == "mine")
        self.assertEqual((line["trace_id"], line["model"], line["status"]), (trace, "demo", 200))
        self.assertGreater(line["tokens"]["image"], 0)
        self.assertIn("tower", line["stages"])
        self.assertNotIn(b"objects", out + err)


if __name__ == "__main__":
    unittest.main()
