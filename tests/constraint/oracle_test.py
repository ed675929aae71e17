"""Answers held to a JSON Schema, byte by byte, against llguidance, another implementation.

Walks at random through what Ocellus allows. Whatever it allows llguidance must allow; what llguidance allows
beyond that is white space, or a spelling that Ocellus does not write (named below). Says so and skips where
llguidance is absent: pip install llguidance. OCELLUS_PROBE names the program that tells what Ocellus allows.
"""
import json
import os
import random
import subprocess
import sys
import unittest

try:
    import llguidance
except ImportError:
    print("llguidance is not here: skipped")
    sys.exit(77)

SCHEMAS = [
    {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]},
    {"type": "object", "properties": {"s": {"type": "string", "minLength": 1, "maxLength": 4}, "n": {"type": "null"}},
     "required": ["s", "n"]},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": False, "minItems": 2},
    {"enum": ["red", "reddish", 12, 120, None, True, {"k": [1]}]},
    {"const": "only"},
    {"anyOf": [{"type": "integer", "minimum": 3, "maximum": 1200}, {"type": "null"}, {"type": "string"}]},
    {"type": "integer", "minimum": -15, "maximum": 120},
    {"type": "integer", "exclusiveMinimum": 9},
    {"type": "number"},
    {"type": "string", "pattern": "^[A-Z]{2}[0-9]+(-x)?$"},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "uuid"},
    {"type": ["string", "null"]},
    {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {
        "v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}},
        "required": ["v", "next"], "additionalProperties": False}}},
    {"type": "object", "properties": {"ab": {"const": 1}}, "additionalProperties": {"type": "boolean"}},
    {"type": "object", "additionalProperties": {"type": "integer"}},
]
WHITE = set(b" \t\n\r")
# Ocellus writes of a string with a pattern only those escapes that it needs, and no -0 where there are limits.
SPELLINGS = {b"\\"[0]}


class Probe:
    def __init__(self):
        self.process = subprocess.Popen([os.environ["OCELLUS_PROBE"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        state, *bytes_ = self.process.stdout.readline().split()
        assert state != "error", (line, bytes_)
        return state == "accepts", {int(byte) for byte in bytes_}

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class AgainstLlguidance(unittest.TestCase):
    def setUp(self):
        self.probe = Probe()
        self.addCleanup(self.probe.end)
        self.tokenizer = llguidance.LLTokenizer("byte")

    def allowed(self, matcher):
        mask = matcher.compute_bitmask()
        return {byte for byte in range(256) if mask[byte // 8] >> (byte % 8) & 1}

    def walk(self, schema, source):
        closed = {"additionalProperties": False} if "properties" in schema and "additionalProperties" not in schema else {}
        grammar = llguidance.LLMatcher.grammar_from_json_schema(
            json.dumps({**schema, **closed, "x-guidance": {"whitespace_flexible": False}}))
        matcher = llguidance.LLMatcher(self.tokenizer, grammar)
        accepts, ours = self.probe.ask("S " + json.dumps(schema))
        text = b""
        for _ in range(60):
            self.assertEqual(accepts, matcher.is_accepting(), (schema, text))
            theirs = set() if matcher.is_stopped() else self.allowed(matcher)
            self.assertLessEqual(ours, theirs, (schema, text, bytes(sorted(ours - theirs))))
            beyond = theirs - ours - WHITE - SPELLINGS
            self.assertLessEqual(beyond - (set(b"0") if text == b"-" else set()), set(), (schema, text, bytes(sorted(theirs - ours))))
            if not ours:
                break
            # An end is chosen more often than its one byte among many is.
            ends = ours & set(b'"]},')
            chosen = ends if ends and source.random() < 0.3 else ours
            if text.endswith(b"\\"):
                chosen = chosen - {b"u"[0]}  # of which llguidance takes control characters only
            byte = source.choice(sorted(chosen))
            text += bytes([byte])
            self.assertTrue(matcher.consume_tokens([byte]), (schema, text, matcher.get_error()))
            accepts, ours = self.probe.ask(f"B {byte}")

    def test_every_byte(self):
        for schema in SCHEMAS:
            with self.subTest(schema=schema):
                source = random.Random(1)
                for _ in range(50):
                    self.walk(schema, source)


if __name__ == "__main__":
    unittest.main()
