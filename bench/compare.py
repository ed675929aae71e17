#!/usr/bin/env python3
"""Before and after: compares two files of `ocellus bench --json`.

The share of the machine's limit is what counts, not the figure: each run measures its own limits, and machines drift. A
result without a limit is compared by its figure.
Usage: bench/compare.py BEFORE.json AFTER.json [--threshold PERCENT] [--check] [--json] [--markdown]
Exit status: 0; 1 with --check when a result got worse by more than the threshold or is gone; 2 for a file that is no such file.
"""
import argparse
import json
import pathlib
import sys

from figures import number, percent, render, speed

KEY = ("work", "weights", "tokens", "streams")


class BadFile(Exception):
    pass


def read(path: pathlib.Path) -> dict:
    """The file's object, its results a dict by what was measured."""
    try:
        text = path.read_text()
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}") from None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise BadFile(f"{path}: expected JSON: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("results"), list):
        raise BadFile(f"{path}: expected an object with a list `results`, as `ocellus bench --json` prints")
    results = {}
    for at, result in enumerate(found["results"]):
        if not isinstance(result, dict):
            raise BadFile(f"{path}: results[{at}]: expected an object, found {type(result).__name__}")
        value = result.get("value")
        if "work" not in result or not isinstance(value, (int, float)) or isinstance(value, bool):
            raise BadFile(f"{path}: results[{at}]: expected `work` and a number `value`")
        key = tuple(result.get(name, 1 if name == "streams" else None) for name in KEY)
        if key in results:
            raise BadFile(f"{path}: results[{at}]: {name_of(key)} for the second time")
        results[key] = result
    peaks = found.get("peaks")
    return {"machine": found.get("machine", ""), "peaks": peaks if isinstance(peaks, dict) else {}, "results": results}


def name_of(key: tuple) -> str:
    return " ".join(f"{name} {value}" for name, value in zip(KEY, key) if value is not None)


def ratio(after: float, before: float) -> float | None:
    return after / before - 1 if before > 0 else None


def compare(before: dict, after: dict, threshold: float) -> list[dict]:
    """One row a result of either file, in the order of the files. `threshold` is a fraction."""
    rows = []
    for key in dict.fromkeys([*before["results"], *after["results"]]):
        a, b = before["results"].get(key), after["results"].get(key)
        row = dict(zip(KEY, key)) | {"before": a, "after": b, "value_change": None, "share_change": None, "by": None}
        if a is None or b is None:
            row["verdict"] = "new" if a is None else "gone"
            rows.append(row)
            continue
        if a.get("unit") == b.get("unit"):
            unit = a.get("unit", "")
            row["value_change"] = ratio(speed(b["value"], unit), speed(a["value"], unit))
        if a.get("share") and b.get("share") is not None:
            row["share_change"] = ratio(b["share"], a["share"])
        row["by"] = "share" if row["share_change"] is not None else "value"
        change = row[row["by"] + "_change"]
        if change is None:
            row["verdict"] = "not comparable"
        else:
            row["verdict"] = "worse" if change < -threshold else "better" if change > threshold else "same"
        rows.append(row)
    return rows


def is_regression(row: dict) -> bool:
    return row["verdict"] in ("worse", "gone", "not comparable")


def peak_changes(before: dict, after: dict) -> list[dict]:
    """The machine itself: peaks that both files have as numbers."""
    a, b = before["peaks"], after["peaks"]
    return [{"peak": name, "before": a[name], "after": b[name], "change": ratio(b[name], a[name])}
            for name in a if all(isinstance(side.get(name), (int, float)) for side in (a, b))]


def table(rows: list[dict], markdown: bool) -> str:
    lines = []
    for row in rows:
        a, b = row["before"] or {}, row["after"] or {}
        lines.append([str(row["work"]), str(row["weights"] or ""), (a or b).get("unit", ""), row["verdict"],
                      *("" if row[k] is None else str(row[k]) for k in ("tokens", "streams")),
                      number(a.get("value")), number(b.get("value")), percent(row["value_change"], True),
                      percent(a.get("share")), percent(b.get("share")), percent(row["share_change"], True)])
    headers = ["work", "weights", "unit", "verdict", "tokens", "streams", "before", "after", "faster by",
               "share before", "share after", "change"]
    return render(headers, lines, 4, markdown)


def peak_table(peaks: list[dict], markdown: bool) -> str:
    lines = [[p["peak"], number(p["before"]), number(p["after"]), percent(p["change"], True)] for p in peaks]
    return render(["the machine's peak", "before", "after", "change"], lines, 1, markdown)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("before", type=pathlib.Path)
    parser.add_argument("after", type=pathlib.Path)
    parser.add_argument("--threshold", type=float, default=5, help="percent of the share that may be lost (default 5)")
    parser.add_argument("--check", action="store_true", help="exit status 1 when something got worse or is gone")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--markdown", action="store_true", help="tables in Markdown")
    given = parser.parse_args(arguments)
    try:
        before, after = read(given.before), read(given.after)
    except BadFile as error:
        print(error, file=sys.stderr)
        return 2
    rows, peaks = compare(before, after, given.threshold / 100), peak_changes(before, after)
    bad = [row for row in rows if is_regression(row)]
    if given.json:
        print(json.dumps({"threshold": given.threshold, "machine": [before["machine"], after["machine"]],
                          "peaks": peaks, "results": rows, "regressions": len(bad)}, ensure_ascii=False))
    else:
        if before["machine"] != after["machine"]:
            print(f"the machines differ: {before['machine']!r} before, {after['machine']!r} after\n")
        print(table(rows, given.markdown))
        if peaks:
            print("\n" + peak_table(peaks, given.markdown))
        for row in bad:
            print(f"\n{row['verdict']}: {name_of(tuple(row[name] for name in KEY))}", end="")
        print("\n" if bad else "", end="")
    return 1 if given.check and bad else 0


if __name__ == "__main__":
    sys.exit(main())
