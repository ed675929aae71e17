"""What a figure's unit says about better and worse, and the text of a table of figures."""
TIMES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}


def speed(value: float, unit: str) -> float:
    """A number that is larger when things are better: a rate as it is, the inverse of a time in seconds."""
    if unit not in TIMES:
        return value
    return 1 / (value * TIMES[unit]) if value > 0 else 0.0


def number(value: float | None) -> str:
    """Three significant digits or all before the point."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def percent(share: float | None, signed: bool = False) -> str:
    if share is None:
        return "–"
    return f"{100 * share:+.1f} %" if signed else f"{100 * share:.1f} %"


def render(headers: list[str], rows: list[list[str]], words: int, markdown: bool = False) -> str:
    """The first `words` columns hold words and are set to the left, the others numbers and to the right."""
    widths = [max(len(line[i]) for line in [headers, *rows]) for i in range(len(headers))]

    def line(cells):
        return [c.ljust(w) if i < words else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths))]

    if markdown:
        rule = ["-" * w if i < words else "-" * (w - 1) + ":" for i, w in enumerate(widths)]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in [line(headers), rule, *map(line, rows)])
    return "\n".join("  ".join(line(cells)).rstrip() for cells in [headers, *rows])
