"""When `ocellus serve` has its models in memory.

Needs only Python's standard library. OCELLUS_BINARY names the program, OCELLUS_SOURCE_DIR the checkout.
"""
import unittest

from server_test import Server, WithServer, chat_body


class Lifetime(WithServer):
    def state(self):
        _, models = self.server.json("GET", "/models")
        return models["data"][0]["status"]["value"]

    def wait_for(self, state):
        while self.state() != state:
            pass

    def test_on_request(self):
        self.assertEqual(self.server.json("POST", "/models/load", {"model": "demo"}), (200, {"success": True}))
        self.assertEqual(self.state(), "loaded")
        self.assertEqual(self.server.json("POST", "/models/unload", {"model": "demo"}), (200, {"success": True}))
        self.assertEqual(self.state(), "unloaded")
        status, answer = self.server.json("POST", "/v1/chat/completions", chat_body())
        self.assertEqual((status, answer["choices"][0]["message"]["content"]), (200, "4"))
        self.assertEqual(self.state(), "loaded")
        status, answer = self.server.json("POST", "/models/load", {"model": "none"})
        self.assertEqual((status, answer["error"]["code"]), (404, "model_not_found"))

    def test_by_an_empty_prompt(self):
        for path, body in (("/api/generate", {}), ("/api/chat", {"messages": []}), ("/api/generate", {"prompt": ""})):
            status, answer = self.server.json("POST", path, {"model": "demo", **body})
            self.assertEqual((status, answer["done_reason"], answer["done"]), (200, "load", True), answer)
            self.assertEqual(self.state(), "loaded")
            _, answer = self.server.json("POST", path, {"model": "demo", "keep_alive": 0, **body})
            self.assertEqual(answer["done_reason"], "unload")
            self.assertEqual(self.state(), "unloaded")

    def test_as_long_as_a_request_says(self):
        self.server.json("POST", "/v1/chat/completions", chat_body(keep_alive="100ms"))
        self.wait_for("unloaded")
        self.server.json("POST", "/v1/chat/completions", chat_body(ttl=3600))
        _, running = self.server.json("GET", "/api/ps")
        self.assertLess(running["models"][0]["expires_at"], "9999")
        self.server.json("POST", "/v1/chat/completions", chat_body(keep_alive=-1))
        _, running = self.server.json("GET", "/api/ps")
        self.assertEqual(running["models"][0]["expires_at"][:4], "9999")
        status, answer = self.server.json("POST", "/v1/chat/completions", chat_body(keep_alive="a while"))
        self.assertEqual((status, answer["error"]["param"]), (400, "keep_alive"))

    def test_what_a_model_has_room_for(self):
        _, props = self.server.json("GET", "/props?model=demo")
        _, models = self.server.json("GET", "/v1/models")
        self.assertGreater(props["default_generation_settings"]["n_ctx"], 0)
        self.assertEqual(props["default_generation_settings"]["n_ctx"], models["data"][0]["meta"]["n_ctx"])
        self.assertEqual(self.server.json("GET", "/props?model=none")[0], 404)


class Idle(unittest.TestCase):
    def test_a_model_that_nobody_asks_is_unloaded(self):
        server = Server("--ttl", "0.2")
        server.json("POST", "/v1/chat/completions", chat_body())
        while server.json("GET", "/models")[1]["data"][0]["status"]["value"] == "loaded":
            pass
        self.assertEqual(server.json("POST", "/v1/chat/completions", chat_body())[0], 200)
        self.assertEqual(server.end(), 0)


if __name__ == "__main__":
    unittest.main()
