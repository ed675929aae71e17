"""Two processes of `ocellus serve` behind HAProxy, as examples/haproxy sets it up.

Says so and skips where haproxy is absent. OCELLUS_BINARY names the program, OCELLUS_SOURCE_DIR the checkout.
"""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import unittest

HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/sbin")
if HAPROXY is None:
    print("haproxy is not here: skipped")
    sys.exit(77)

from server_test import SOURCE, Server, chat_body, end_with_the_tests  # noqa: E402


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Proxy:
    def __init__(self, a, b):
        self.port = free_port()
        self.process = subprocess.Popen(
            [HAPROXY, "-db", "-q", "-f", SOURCE / "examples" / "haproxy" / "haproxy.cfg"],
            env={**os.environ, "OCELLUS_PORT": str(self.port), "OCELLUS_A": str(a), "OCELLUS_B": str(b)})
        end_with_the_tests(self.process)
        while True:  # until it listens and has found a process that is ready
            try:
                if self.ask("GET", "/ready")[0] == 200:
                    break
            except ConnectionError:
                pass
            assert self.process.poll() is None, "haproxy has ended"

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, response.headers.get("x-ocellus-server"), content

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=20)


class Haproxy(unittest.TestCase):
    def setUp(self):
        self.servers = [Server("--drain-delay", "3"), Server("--drain-delay", "3")]
        self.proxy = Proxy(*(server.port for server in self.servers))

    def tearDown(self):
        self.proxy.end()
        for server in self.servers:
            if server is not None:
                server.end()

    def question(self, picture):
        return self.proxy.ask("POST", "/v1/chat/completions", json.dumps(chat_body()), {"x-ocellus-picture": picture})

    def test_a_picture_stays_where_it_is_known(self):
        where = {}
        for _ in range(3):
            for picture in "abcdefghijklmnop":
                status, server, _ = self.question(picture)
                self.assertEqual(status, 200)
                self.assertEqual(where.setdefault(picture, server), server)
        self.assertEqual(set(where.values()), {"a", "b"})

    def test_a_process_that_is_replaced_loses_no_request(self):
        failed, asked, over = [], [], threading.Event()

        def keep_asking(name):
            while not over.is_set():
                status, server, content = self.question(f"{name}{len(asked)}")
                asked.append(server)
                if status != 200 or b'"content":"4"' not in content:
                    failed.append((status, content))

        threads = [threading.Thread(target=keep_asking, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        first = self.servers[0]
        first.process.send_signal(signal.SIGTERM)
        self.assertEqual(first.process.wait(timeout=60), 0)
        after = len(asked)
        while len(asked) < after + 20:  # all of them by the other one
            pass
        over.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        self.assertEqual(set(asked[after + 4:]), {"b"})
        self.servers[0] = None
        first.process.stdout.close()
        first.process.stderr.close()
        first.folder.cleanup()


if __name__ == "__main__":
    unittest.main()
