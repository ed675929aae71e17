"""Questions about a scene, with their exact answers.

Every question has one right answer, the same for every spelling of it. What the scene does not show is answered "I can't tell".
"""
import random

from demo.scenes import CELLS, COLOURS, DIGITS, KINDS, SHAPES, Scene

UNKNOWN = "I can't tell"
KIND_NAMES = ["count", "at", "where", "colour", "yesno", "size", "read", "compare", "describe"]


def _plural(kind: str) -> str:
    return {"cross": "crosses"}.get(kind, kind + "s")


def _things(scene, kind=None, colour=None):
    return [t for t in scene.things if (kind is None or t.kind == kind) and (colour is None or t.colour == colour)]


def _pick(rng, scene, attribute, everything, present=0.75):
    """A value of an attribute, mostly one that is in the scene."""
    here = sorted({getattr(t, attribute) for t in scene.things})
    return rng.choice(here) if here and rng.random() < present else rng.choice(everything)


def _count(rng, scene):
    which = rng.randrange(4)
    if which == 0:
        return rng.choice(["How many objects are there?", "How many things do you see?", "Count the objects."]), str(len(scene.things))
    if which == 1:
        colour = _pick(rng, scene, "colour", list(COLOURS))
        return rng.choice([f"How many {colour} objects are there?", f"How many things are {colour}?"]), str(len(_things(scene, colour=colour)))
    kind = _pick(rng, scene, "kind", SHAPES)
    if kind in DIGITS:
        kind = rng.choice(SHAPES)
    return f"How many {_plural(kind)} are there?", str(len(_things(scene, kind)))


def _at(rng, scene):
    cells = [t.cell for t in scene.things]
    cell = rng.choice(cells) if cells and rng.random() < 0.75 else rng.randrange(9)
    thing = scene.at(cell)
    place = CELLS[cell]
    answer = thing.name if thing else f"the word {scene.word.lower()}" if scene.word and cell // 3 == scene.word_row else "nothing"
    return rng.choice([f"What is at the {place}?", f"What is in the {place}?", f"What do you see at the {place}?"]), answer


def _where(rng, scene):
    colour, kind = _pick(rng, scene, "colour", list(COLOURS)), _pick(rng, scene, "kind", KINDS)
    unique = [t for t in scene.things if len(_things(scene, t.kind, t.colour)) == 1]
    if unique and rng.random() < 0.85:
        thing = rng.choice(unique)
        colour, kind = thing.colour, thing.kind
    found = _things(scene, kind, colour)
    if len(found) > 1:
        return None
    return rng.choice([f"Where is the {colour} {kind}?", f"In which place is the {colour} {kind}?"]), CELLS[found[0].cell] if found else UNKNOWN


def _colour(rng, scene):
    kind = _pick(rng, scene, "kind", KINDS, 0.85)
    found = _things(scene, kind)
    if len(found) > 1:
        return None
    spelling = rng.choice(["color", "colour"])
    return rng.choice([f"What {spelling} is the {kind}?", f"Which {spelling} does the {kind} have?"]), found[0].colour if found else UNKNOWN


def _yesno(rng, scene):
    colour, kind = _pick(rng, scene, "colour", list(COLOURS), 0.85), _pick(rng, scene, "kind", KINDS, 0.85)
    if scene.things and rng.random() < 0.4:
        thing = rng.choice(scene.things)
        colour, kind = thing.colour, thing.kind
    answer = "yes" if _things(scene, kind, colour) else "no"
    return rng.choice([f"Is there a {colour} {kind}?", f"Do you see a {colour} {kind}?"]), answer


def _size(rng, scene):
    kind = _pick(rng, scene, "kind", KINDS, 0.9)
    found = _things(scene, kind)
    if len(found) > 1:
        return None
    return rng.choice([f"Is the {kind} big or small?", f"What size is the {kind}?"]), found[0].size if found else UNKNOWN


def _read(rng, scene):
    if scene.word and rng.random() < 0.7:
        return rng.choice(["What does it say?", "Read the word.", "Which word is written there?"]), scene.word.lower()
    digits = [t.kind for t in scene.things if t.kind in DIGITS]
    if len(digits) > 1:
        return None
    if digits or rng.random() < 0.3:
        return rng.choice(["Which digit is shown?", "What number do you see?"]), digits[0] if digits else UNKNOWN
    if not scene.word and rng.random() < 0.4:
        return rng.choice(["What does it say?", "Read the word."]), UNKNOWN
    return None


def _compare(rng, scene):
    if len(scene.things) < 2:
        return None
    a = _pick(rng, scene, "colour", list(COLOURS), 0.95)
    b = _pick(rng, scene, "colour", list(COLOURS), 0.7)
    if a == b:
        return None
    count_a, count_b = len(_things(scene, colour=a)), len(_things(scene, colour=b))
    answer = a if count_a > count_b else b if count_b > count_a else "the same"
    return f"Are there more {a} or {b} objects?", answer


def describe(scene: Scene) -> str:
    parts = [f"{t.name} at the {CELLS[t.cell]}" for t in scene.things]
    if scene.word:
        parts.append(f"the word {scene.word.lower()}")
    return ", ".join(parts) + "."


_MAKERS = {"count": _count, "at": _at, "where": _where, "colour": _colour, "yesno": _yesno, "size": _size,
           "read": _read, "compare": _compare,
           "describe": lambda rng, scene: (rng.choice(["Describe the picture.", "What is in the picture?"]), describe(scene))}


def spell_freely(rng: random.Random, question: str) -> str:
    """The question as people type it: now and then in lower or upper case, or without its mark at the end."""
    if rng.random() < 0.25:
        question = question.lower()
    elif rng.random() < 0.05:
        question = question.upper()
    if rng.random() < 0.2:
        question = question.rstrip("?.")
    return question


def make_question(rng: random.Random, scene: Scene, kind: str | None = None) -> tuple[str, str, str]:
    """(kind, question, answer). The kind is tried again with another where the scene gives no such question."""
    while True:
        chosen = kind or rng.choices(KIND_NAMES[:-1], weights=[2, 2, 2, 2, 2, 1, 1.5, 1])[0]
        made = _MAKERS[chosen](rng, scene)
        if made:
            return chosen, spell_freely(rng, made[0]), made[1]
        kind = None
