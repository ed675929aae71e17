"""Questions with given answers, as clients of `ocellus serve` send them.

Needs only Python's standard library. OCELLUS_BINARY names the program, OCELLUS_SOURCE_DIR the checkout.
"""
import unittest

from server_test import QUESTION, WithServer, data_url


def picture():
    return [{"role": "user", "content": [{"type": "input_image", "image_url": data_url()}]}]


class Decisions(WithServer):
    def ask(self, questions, **more):
        return self.server.json("POST", "/v1/decisions",
                                {"model": "demo", "input": picture(), "questions": questions, **more})

    def test_each_kind(self):
        status, answer = self.ask([
            {"type": "predicate", "name": "red", "instructions": "There is a red object."},
            {"type": "choice", "instructions": QUESTION,
             "choices": [{"value": "4"}, {"value": "1", "description": "only one"}, {"value": True}]},
            {"type": "score", "instructions": [{"type": "input_text", "text": "How full is it?"}],
             "levels": [{"label": "empty"}, {"label": "half"}, {"label": "full"}]},
        ])
        self.assertEqual(status, 200, answer)
        predicate, choice, score = answer["answers"]
        self.assertEqual((predicate["type"], predicate["name"]), ("predicate", "red"))
        self.assertTrue(0 <= predicate["probability"] <= 1)
        self.assertIsNone(choice["name"])
        self.assertEqual([each["value"] for each in choice["probabilities"]], ["4", "1", True])
        self.assertAlmostEqual(sum(each["probability"] for each in choice["probabilities"]), 1)
        best = max(choice["probabilities"], key=lambda each: each["probability"])
        self.assertEqual(choice["choice"], best["value"])
        self.assertTrue(0 <= score["score"] <= 2 and 0 <= score["confidence"] <= 1)
        self.assertEqual([each["label"] for each in score["probabilities"]], ["empty", "half", "full"])
        usage = answer["usage"]
        self.assertEqual((usage["output_tokens"], usage["total_tokens"]), (0, usage["input_tokens"]))
        # The picture was computed once.
        self.assertGreater(usage["input_tokens_details"]["cached_tokens"], usage["input_tokens"] / 2)

    def test_answers_do_not_depend_on_the_other_questions(self):
        one = {"type": "choice", "instructions": QUESTION, "choices": [{"value": "4"}, {"value": "5"}]}
        other = {"type": "predicate", "instructions": "It is dark."}
        _, alone = self.ask([one])
        _, among = self.ask([other, one, other])
        self.assertEqual(alone["answers"][0], among["answers"][1])
        self.assertEqual(among["answers"][0], among["answers"][2])

    def test_text_alone(self):
        status, answer = self.server.json("POST", "/v1/decisions", {
            "model": "demo", "input": "The sky is blue.",
            "questions": [{"type": "predicate", "instructions": "The sky is green."}]})
        self.assertEqual(status, 200, answer)

    def test_mistakes_name_their_place(self):
        two = [{"value": "a"}, {"value": "b"}]
        cases = [
            ([], "questions"),
            ([{"type": "predicate", "instructions": "?"}] * 401, "questions"),
            ([{"type": "choice", "instructions": "?", "choices": two[:1]}], "questions[0]"),
            ([{"type": "choice", "instructions": "?", "choices": [two[0], two[0]]}], "questions[0]"),
            ([{"type": "guess", "instructions": "?"}], "questions[0].type"),
            ([{"type": "predicate"}], "questions[0].instructions"),
            ([{"type": "predicate", "instructions": "?", "weight": 2}], "questions[0].weight"),
        ]
        for questions, place in cases:
            status, answer = self.ask(questions)
            self.assertEqual((status, answer["error"]["param"]), (400, place), answer)
        status, answer = self.server.json("POST", "/v1/decisions", {"model": "none", "input": "x", "questions": [
            {"type": "predicate", "instructions": "?"}]})
        self.assertEqual((status, answer["error"]["code"]), (404, "model_not_found"))

    def test_systemone(self):
        status, answer = self.server.json("POST", "/v1/systemone", {
            "model": "demo", "state": {"weather": "rain", "hour": 9}, "questions": {
                "wet": {"type": "noul", "instructions": "The street is wet."},
                "take": {"type": "choice", "instructions": "What to take?",
                         "criteria": {"umbrella": "against rain", "hat": None}},
                "mood": {"type": "score", "instructions": "How good is it?", "criteria": ["bad", "fair", "good"]},
            }})
        self.assertEqual(status, 200, answer)
        answers = answer["answers"]
        self.assertEqual(set(answers), {"wet", "take", "mood"})
        self.assertTrue(0 <= answers["wet"]["noul"] <= 1)
        self.assertIn(answers["take"]["choice"], ["umbrella", "hat"])
        self.assertEqual(set(answers["take"]["probabilities"]), {"umbrella", "hat"})
        self.assertEqual(answers["mood"]["legend"], {"0": "bad", "1": "fair", "2": "good"})
        self.assertTrue(0 <= answers["mood"]["score"] <= 2)


if __name__ == "__main__":
    unittest.main()
