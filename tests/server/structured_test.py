"""Answers held to a form, and /v1/responses, as clients of `ocellus serve` see them.

Needs only Python's standard library. OCELLUS_BINARY names the program, OCELLUS_SOURCE_DIR the checkout.
"""
import json
import unittest

from server_test import QUESTION, WithServer, chat_body, data_url

SCHEMA = {
    "type": "object",
    "title": "Answer",
    "properties": {
        "colour": {"enum": ["red", "green", "blue"], "description": "an annotation"},
        "count": {"type": "integer", "minimum": 1, "maximum": 9, "default": 3},
        "note": {"type": "string", "maxLength": 30},
    },
    "required": ["colour", "count"],
    "additionalProperties": False,
}


def response_format(schema=None):
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema or SCHEMA}}


class Forms(WithServer):
    def check(self, text):
        answer = json.loads(text)
        self.assertEqual(text, json.dumps(answer, separators=(",", ":"), ensure_ascii=False))
        self.assertIn(answer["colour"], ["red", "green", "blue"])
        self.assertTrue(1 <= answer["count"] <= 9, answer)
        self.assertLessEqual(set(answer), {"colour", "count", "note"})
        self.assertLessEqual(len(answer.get("note", "")), 30)

    def content(self, **more):
        status, answer = self.server.json("POST", "/v1/chat/completions", chat_body(**more))
        self.assertEqual(status, 200, answer)
        return answer["choices"][0]["message"]["content"]

    def test_openai_schema_at_every_limit(self):
        for tokens in (1, 3, 10, 30, 100):
            for temperature in (0, 1.5):
                self.check(self.content(response_format=response_format(), max_tokens=tokens, temperature=temperature))

    def test_streamed(self):
        body = chat_body(response_format=response_format(), stream=True, max_completion_tokens=20)
        _, content = self.server.request("POST", "/v1/chat/completions", body)
        events = [json.loads(line[6:]) for line in content.decode().split("\n") if line.startswith("data: {")]
        self.check("".join(e["choices"][0]["delta"].get("content") or "" for e in events))

    def test_without_a_picture(self):
        messages = [{"role": "user", "content": "Anything."}]
        self.check(self.content(messages=messages, response_format=response_format()))

    def test_json_object(self):
        self.assertIsInstance(json.loads(self.content(response_format={"type": "json_object"}, max_tokens=12)), dict)
        self.assertNotEqual(self.content(response_format={"type": "text"}), "")

    def test_forms_of_other_servers(self):
        self.assertIn(self.content(guided_choice=["yes", "no"], max_tokens=1), ["yes", "no"])
        self.assertIn(self.content(structured_outputs={"choice": ["a b", "c"]}), ["a b", "c"])
        self.assertRegex(self.content(structured_outputs={"regex": "[a-f]{3}[0-9]"}), "^[a-f]{3}[0-9]$")
        self.check(self.content(structured_outputs={"json": SCHEMA}))
        self.check(self.content(guided_json=SCHEMA))
        self.check(self.content(json_schema=SCHEMA))

    def test_anthropic(self):
        body = {"model": "demo", "max_tokens": 5, "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
                "messages": [{"role": "user", "content": "Anything."}]}
        status, answer = self.server.json("POST", "/v1/messages", body)
        self.assertEqual(status, 200, answer)
        self.check(answer["content"][0]["text"])

    def test_ollama(self):
        for form in (SCHEMA, "json"):
            body = {"model": "demo", "stream": False, "format": form, "options": {"num_predict": 4},
                    "messages": [{"role": "user", "content": "Anything."}]}
            status, answer = self.server.json("POST", "/api/chat", body)
            self.assertEqual(status, 200, answer)
            self.assertIsInstance(json.loads(answer["message"]["content"]), dict)

    def test_what_cannot_be_enforced_is_refused_by_its_place(self):
        cases = [
            (response_format({"type": "object", "properties": {"a": {"not": {}}}}),
             "response_format.json_schema.schema.properties.a.not"),
            (response_format({"type": "array", "uniqueItems": True}), "response_format.json_schema.schema.uniqueItems"),
            ({"type": "json_schema"}, "response_format.json_schema"),
            ({"type": "yaml"}, "response_format.type"),
        ]
        for form, place in cases:
            status, answer = self.server.json("POST", "/v1/chat/completions", chat_body(response_format=form))
            self.assertEqual(status, 400, answer)
            self.assertIn(place, answer["error"]["message"])
            self.assertTrue(answer["error"]["param"].startswith("response_format"), answer)
        status, answer = self.server.json("POST", "/v1/chat/completions", chat_body(grammar="root ::= [a-z]"))
        self.assertEqual((status, answer["error"]["param"]), (400, "grammar"))


class Responses(WithServer):
    def body(self, **more):
        content = [{"type": "input_text", "text": QUESTION},
                   {"type": "input_image", "image_url": data_url(), "detail": "auto"}]
        return {"model": "demo", "temperature": 0, "input": [{"role": "user", "content": content}], **more}

    def test_whole(self):
        status, answer = self.server.json("POST", "/v1/responses", self.body(instructions="Be brief."))
        self.assertEqual(status, 200, answer)
        self.assertEqual((answer["object"], answer["status"]), ("response", "completed"))
        part = answer["output"][0]["content"][0]
        self.assertEqual(part["type"], "output_text")
        self.assertGreater(len(part["text"]), 0)
        usage = answer["usage"]
        self.assertEqual(usage["total_tokens"], usage["input_tokens"] + usage["output_tokens"])
        self.assertGreater(usage["input_tokens_details"]["image_tokens"], 0)

    def test_text_alone(self):
        status, answer = self.server.json("POST", "/v1/responses", {"model": "demo", "input": "Hello", "store": True})
        self.assertEqual((status, answer["store"]), (200, False))

    def test_stream(self):
        response, content = self.server.request("POST", "/v1/responses", self.body(stream=True))
        self.assertEqual(response.headers["Content-Type"], "text/event-stream")
        blocks = [block.split("\n") for block in content.decode().split("\n\n") if block.startswith("event: ")]
        events = [(head[7:], json.loads(data[6:])) for head, data in blocks]
        self.assertEqual([name for name, _ in events], [e["type"] for _, e in events])
        self.assertEqual([e["sequence_number"] for _, e in events], list(range(len(events))))
        names = [name for name, _ in events if name != "response.output_text.delta"]
        self.assertEqual(names, [
            "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
            "response.output_text.done", "response.content_part.done", "response.output_item.done",
            "response.completed"])
        text = "".join(e["delta"] for name, e in events if name == "response.output_text.delta")
        self.assertEqual(text, events[-1][1]["response"]["output"][0]["content"][0]["text"])

    def test_incomplete(self):
        text = {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}}
        status, answer = self.server.json("POST", "/v1/responses", self.body(max_output_tokens=1, text=text))
        self.assertEqual((status, answer["status"]), (200, "incomplete"))
        self.assertEqual(answer["incomplete_details"], {"reason": "max_output_tokens"})
        json.loads(answer["output"][0]["content"][0]["text"])

    def test_count(self):
        status, answer = self.server.json("POST", "/v1/responses/input_tokens", self.body())
        self.assertEqual((status, answer["object"]), (200, "response.input_tokens"))
        _, asked = self.server.json("POST", "/v1/responses", self.body())
        self.assertEqual(answer["input_tokens"], asked["usage"]["input_tokens"])

    def test_mistakes_name_their_place(self):
        bad = "data:image/png;base64,AAAA"
        cases = [
            ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": bad}]}]}, "input[0].content[0]"),
            ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
            ({"input": "x", "previous_response_id": "resp_1"}, "previous_response_id"),
            ({"input": "x", "background": True}, "background"),
            ({"input": "x", "instructions": data_url()}, "instructions"),
            ({}, "input"),
        ]
        for more, place in cases:
            status, answer = self.server.json("POST", "/v1/responses", {"model": "demo", **more})
            self.assertEqual(status, 400, answer)
            self.assertTrue(answer["error"]["param"].startswith(place), answer)


if __name__ == "__main__":
    unittest.main()
