"""What was measured, as tables for people and for docs/numerics.md, and held against the project's own limits."""

GROWTH_LIMIT = 0.05  # of KL over the type's own, at four bits
EIGHT_BIT_SHARE = 1 / 20  # of q4_0's KL: what arithmetic at eight bits may add
TOWER_SHARE = 1 / 10  # of q4_0's KL: what a tower in fewer bits may do to the final logits
ACCURACY_POINTS = {4: 1.0, 8: 0.5}  # the demo model, percent points below f32
PARTS = ("prompt", "generated")


def bits_of(kind):
    """4 for q4_0, q4_k, q4; 8 for q8_0, q8; 16 for bf16."""
    return {"f32": 32, "f16": 16, "bf16": 16}.get(kind) or int(kind[1])


def number(value, unit=""):
    if value is None:
        return "–"
    if unit == "growth":
        return f"{100 * value[0]:+.1f} ± {100 * value[1]:.1f} %"
    return f"{100 * value:.1f} %" if unit == "share" else f"{value:.3g}"


def type_rows(model):
    """One row for each type: the columns below."""
    for row in model["types"]:
        if row.get("skipped"):
            yield [row["type"], row["skipped"]] + [""] * 9
            continue
        cells = [row["type"]]
        for part in PARTS:
            found, scheme = row[part], (row.get("llama_cpp") or {}).get(part)
            cells += [number(found["exact"]), number(found["kl"]), number(found["growth"], "growth"),
                      number(scheme["growth"] if scheme else None, "growth"), number(found["top1"], "share")]
        yield cells


HEADINGS = ["weights"] + [f"{part}: {column}" for part in PARTS for column in ("KL, exact", "KL", "growth", "llama.cpp's", "top-1")]
TOWER_HEADINGS = ["tower", "features, relative RMS error", "prompt: KL", "generated: KL", "of q4_0's KL"]


def tower_rows(model):
    for row in model["tower"]:
        if row.get("skipped"):
            yield [row["type"], row["skipped"], "", "", ""]
        else:
            yield [row["type"], number(row["features"]), number(row["prompt"]["kl"]), number(row["generated"]["kl"]),
                   number(row["share"], "share")]


def table(headings, rows, markdown):
    rows = [headings, *rows]
    if markdown:
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        return "\n".join([lines[0], "|" + "---|" * len(headings), *lines[1:]])
    widths = [max(len(row[i]) for row in rows if len(row[1]) < 30 or i == 0 or row is headings) for i in range(len(headings))]
    return "\n".join("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)


def criteria(report):
    """[(what, True, False or None where it was not measured, the worst case)]."""
    found = []
    for model in report["models"]:
        rows = {row["type"]: row for row in model["types"] if not row.get("skipped")}
        q4_0 = rows.get("q4_0")
        four = [(*row[part]["growth"], f"{kind}, {part}") for kind, row in rows.items() if bits_of(kind) == 4 for part in PARTS
                if row[part]["growth"]]
        judge(found, f"{model['name']}: arithmetic at 4 bits raises KL by at most {GROWTH_LIMIT:.0%}", four, GROWTH_LIMIT)
        eight = [((row[part]["kl"] - row[part]["exact"]) / q4_0[part]["kl"], 0, f"{kind}, {part}") for kind, row in rows.items()
                 if bits_of(kind) == 8 for part in PARTS] if q4_0 else []
        judge(found, f"{model['name']}: arithmetic at 8 bits adds less than a twentieth of q4_0's KL", eight, EIGHT_BIT_SHARE)
        tower = [(row["share"], 0, row["type"]) for row in model["tower"] if not row.get("skipped") and row["share"] is not None
                 and row["type"] in ("bf16", "q8", "q8_0")]
        judge(found, f"{model['name']}: a tower in bf16 or 8 bits does less than a tenth of q4_0's KL", tower, TOWER_SHARE)
    for bits, points in ACCURACY_POINTS.items():
        percent = report.get("accuracy", {})
        drops = [(percent["f32"] - value, 0, kind) for kind, value in percent.items() if bits_of(kind) == bits]
        judge(found, f"demo model: at most {points} points below f32 at {bits} bits", drops, points, "points")
    return found


def judge(found, what, values, limit, unit="share"):
    """`values`: (value, standard error, whose). Beyond the limit by less than two standard errors is not decided."""
    if not values:
        found.append({"criterion": what, "ok": None, "worst": "not measured"})
        return
    verdicts = [value <= limit or (None if value - 2 * error <= limit else False) for value, error, _ in values]
    ok = False if False in verdicts else None if None in verdicts else True
    worst, error, whose = max(pair for pair, verdict in zip(values, verdicts) if verdict is ok)
    shown = f"{100 * worst:.2f} %" if unit == "share" else f"{worst:.2f} points"
    if error:
        shown += f" ± {100 * error:.2f} %"
    found.append({"criterion": what, "ok": ok, "worst": f"{shown} ({whose})"})


def render(report, markdown):
    lines = []
    for model in report["models"]:
        title = (f"{model['name']}: {model['rows']['prompt']} prompt rows, {model['rows']['generated']} generated, "
                 f"entropy {model['entropy']:.2f} nats")
        lines += [("#### " if markdown else "") + title, ""]
        lines += [table(HEADINGS, type_rows(model), markdown), ""]
        if model["tower"]:
            lines += [table(TOWER_HEADINGS, tower_rows(model), markdown), ""]
        if "numpy" in model:
            lines += [f"numpy's f32 logits differ from the engine's by {model['numpy']:.1e} of the largest.", ""]
    if report.get("accuracy"):
        lines += ["demo model, exact answers: " + ", ".join(f"{kind} {value:.1f} %" for kind, value in report["accuracy"].items()), ""]
    for each in report["criteria"]:
        verdict = {True: "ok", False: "MISSED", None: "undecided"}[each["ok"]]
        lines.append(f"{'- ' if markdown else ''}{verdict}: {each['criterion']}: {each['worst']}")
    return "\n".join(lines)
