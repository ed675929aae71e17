"""Generated pictures: up to five things on a 3 x 3 grid, and sometimes a word.

A scene is a value; `draw` makes a picture of it at any size. All randomness comes from the given generator, so that a seed
gives the same pictures on every machine.
"""
import dataclasses
import math
import random

from PIL import Image, ImageDraw

COLOURS = {
    "red": (214, 39, 40), "green": (34, 150, 52), "blue": (40, 80, 220), "yellow": (245, 215, 40),
    "orange": (255, 130, 20), "purple": (130, 50, 180), "pink": (250, 130, 190), "brown": (125, 75, 35),
}
SHAPES = ["circle", "square", "triangle", "star", "cross", "diamond"]
DIGITS = list("0123456789")
KINDS = SHAPES + DIGITS
SIZES = {"small": 0.50, "big": 0.88}  # share of a cell
CELLS = ["top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right"]
WORDS = ["CAT", "DOG", "SUN", "BUS", "CAR", "HAT", "TREE", "FISH", "STOP", "OPEN", "EXIT", "TAXI",
         "MILK", "BOOK", "SHIP", "KEY"]
BACKGROUNDS = [(255, 255, 255), (238, 238, 236), (215, 218, 222), (250, 243, 228), (20, 20, 22), (52, 55, 60)]

# 5 x 7 dot glyphs of the digits and letters that are drawn; a row is a string, '#' is ink.
GLYPHS = {
    "0": " ### |#   #|#  ##|# # #|##  #|#   #| ### ", "1": "  #  | ##  |  #  |  #  |  #  |  #  | ### ",
    "2": " ### |#   #|    #|   # |  #  | #   |#####", "3": " ### |#   #|    #|  ## |    #|#   #| ### ",
    "4": "   # |  ## | # # |#  # |#####|   # |   # ", "5": "#####|#    |#### |    #|    #|#   #| ### ",
    "6": " ### |#    |#    |#### |#   #|#   #| ### ", "7": "#####|    #|   # |  #  |  #  | #   | #   ",
    "8": " ### |#   #|#   #| ### |#   #|#   #| ### ", "9": " ### |#   #|#   #| ####|    #|    #| ### ",
    "A": " ### |#   #|#   #|#####|#   #|#   #|#   #", "B": "#### |#   #|#   #|#### |#   #|#   #|#### ",
    "C": " ### |#   #|#    |#    |#    |#   #| ### ", "D": "#### |#   #|#   #|#   #|#   #|#   #|#### ",
    "E": "#####|#    |#    |#### |#    |#    |#####", "F": "#####|#    |#    |#### |#    |#    |#    ",
    "G": " ### |#   #|#    |# ###|#   #|#   #| ### ", "H": "#   #|#   #|#   #|#####|#   #|#   #|#   #",
    "I": " ### |  #  |  #  |  #  |  #  |  #  | ### ", "K": "#   #|#  # |# #  |##   |# #  |#  # |#   #",
    "L": "#    |#    |#    |#    |#    |#    |#####", "M": "#   #|## ##|# # #|# # #|#   #|#   #|#   #",
    "N": "#   #|##  #|##  #|# # #|#  ##|#  ##|#   #", "O": " ### |#   #|#   #|#   #|#   #|#   #| ### ",
    "P": "#### |#   #|#   #|#### |#    |#    |#    ", "R": "#### |#   #|#   #|#### |# #  |#  # |#   #",
    "S": " ####|#    |#    | ### |    #|    #|#### ", "T": "#####|  #  |  #  |  #  |  #  |  #  |  #  ",
    "U": "#   #|#   #|#   #|#   #|#   #|#   #| ### ", "X": "#   #|#   #| # # |  #  | # # |#   #|#   #",
    "Y": "#   #|#   #| # # |  #  |  #  |  #  |  #  ",
}


@dataclasses.dataclass(frozen=True)
class Thing:
    kind: str    # a shape or a digit
    colour: str
    size: str
    cell: int    # 0 to 8, reading order

    @property
    def name(self) -> str:
        return f"a {self.size} {self.colour} {self.kind}"


@dataclasses.dataclass(frozen=True)
class Scene:
    things: tuple[Thing, ...]     # in reading order, one per cell
    word: str = ""                # upper case, fills a row of cells
    word_row: int = 0
    word_colour: str = ""
    background: tuple[int, int, int] = (255, 255, 255)

    def at(self, cell: int) -> Thing | None:
        return next((t for t in self.things if t.cell == cell), None)


def make_scene(rng: random.Random, most_things: int = 5, word_share: float = 0.25) -> Scene:
    word = rng.choice(WORDS) if rng.random() < word_share else ""
    word_row = rng.randrange(3)
    free = [c for c in range(9) if not word or c // 3 != word_row]
    count = rng.randint(0 if word else 1, min(most_things, len(free)))
    cells = sorted(rng.sample(free, count))
    things = []
    for cell in cells:
        kind = rng.choice(SHAPES) if rng.random() < 0.75 else rng.choice(DIGITS)
        things.append(Thing(kind, rng.choice(list(COLOURS)), rng.choice(list(SIZES)), cell))
    return Scene(tuple(things), word, word_row, rng.choice(list(COLOURS)), rng.choice(BACKGROUNDS))


def _polygon(points, cx, cy, r):
    return [(cx + r * x, cy + r * y) for x, y in points]


def _star():
    return [(math.sin(i * math.pi / 5) * (1 if i % 2 == 0 else 0.45),
             -math.cos(i * math.pi / 5) * (1 if i % 2 == 0 else 0.45)) for i in range(10)]


_POLYGONS = {
    "square": [(-.82, -.82), (.82, -.82), (.82, .82), (-.82, .82)],
    "triangle": [(0, -.9), (.95, .8), (-.95, .8)],
    "star": _star(),
    "cross": [(-.3, -.95), (.3, -.95), (.3, -.3), (.95, -.3), (.95, .3), (.3, .3), (.3, .95), (-.3, .95),
              (-.3, .3), (-.95, .3), (-.95, -.3), (-.3, -.3)],
    "diamond": [(0, -1), (.68, 0), (0, 1), (-.68, 0)],
}


def _glyph(draw, character, left, top, width, height, fill):
    for row, line in enumerate(GLYPHS[character].split("|")):
        for column, ink in enumerate(line):
            if ink == "#":
                draw.rectangle([left + column * width / 5, top + row * height / 7,
                                left + (column + 1) * width / 5, top + (row + 1) * height / 7], fill=fill)


def _shade(colour, rng):
    return tuple(max(0, min(255, c + rng.randint(-14, 14))) for c in COLOURS[colour])


def draw(scene: Scene, width: int, height: int, rng: random.Random) -> Image.Image:
    """The scene as an RGB picture; `rng` gives small variations of place, size and shade."""
    image = Image.new("RGB", (width, height), scene.background)
    pen = ImageDraw.Draw(image)
    cell_w, cell_h = width / 3, height / 3
    for thing in scene.things:
        radius = min(cell_w, cell_h) / 2 * SIZES[thing.size] * rng.uniform(0.94, 1.06)
        slack_x, slack_y = max(0, cell_w / 2 - radius), max(0, cell_h / 2 - radius)
        cx = (thing.cell % 3 + 0.5) * cell_w + rng.uniform(-0.6, 0.6) * slack_x
        cy = (thing.cell // 3 + 0.5) * cell_h + rng.uniform(-0.6, 0.6) * slack_y
        fill = _shade(thing.colour, rng)
        if thing.kind == "circle":
            pen.ellipse([cx - radius, cy - radius, cx + radius, cy + radius], fill=fill)
        elif thing.kind in _POLYGONS:
            pen.polygon(_polygon(_POLYGONS[thing.kind], cx, cy, radius), fill=fill)
        else:
            _glyph(pen, thing.kind, cx - radius * 0.7, cy - radius, radius * 1.4, radius * 2, fill)
    if scene.word:
        step = width / max(len(scene.word), 3)
        w, h = step * 0.72, min(cell_h * 0.82, step * 1.1)
        top = scene.word_row * cell_h + (cell_h - h) * rng.uniform(0.3, 0.7)
        fill = _shade(scene.word_colour, rng)
        start = (width - step * len(scene.word)) / 2
        for i, character in enumerate(scene.word):
            _glyph(pen, character, start + step * i + (step - w) / 2, top, w, h, fill)
    return image


def patch_labels(scene: Scene, grid: int) -> list[tuple[int, int, int, int]]:
    """For each of grid x grid patches (reading order): colour, kind, size and cell of what its cell of the scene shows; 0 is background."""
    labels = []
    colours, kinds, sizes = list(COLOURS), KINDS, list(SIZES)
    for y in range(grid):
        for x in range(grid):
            cell = int((y + .5) * 3 / grid) * 3 + int((x + .5) * 3 / grid)
            thing = scene.at(cell)
            if thing:
                labels.append((1 + colours.index(thing.colour), 1 + kinds.index(thing.kind),
                               1 + sizes.index(thing.size), 1 + cell))
            elif scene.word and cell // 3 == scene.word_row:
                labels.append((1 + colours.index(scene.word_colour), 1 + len(kinds) + WORDS.index(scene.word), 0,
                               1 + cell))
            else:
                labels.append((0, 0, 0, 0))
    return labels


LABEL_CLASSES = (1 + len(COLOURS), 1 + len(KINDS) + len(WORDS), 1 + len(SIZES), 1 + len(CELLS))
