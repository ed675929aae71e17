"""From a journal to one table: medians over the rounds, shares of each round's own peaks, ratios of neighbours in a round."""
import statistics

import ours
from cases import Case, figure
from figures import number, percent, render, speed
from shapes import Decoder

WORKS = ("tower", "prefill", "decode")


def median(values) -> float | None:
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def share(used: float | None, limit: float | None) -> float | None:
    return used / limit if used is not None and limit else None


def spread(values) -> float | None:
    """How far apart the rounds lie, of their median: what a difference must exceed to mean anything."""
    values = list(values)
    return (max(values) - min(values)) / median(values) if len(values) > 1 else None


def in_ms(result: dict) -> dict:
    return result | {"value": 1e3 * result["value"], "unit": "ms"} if result["unit"] == "s" else result


def our_row(group: tuple, weights: str, rounds: dict) -> dict | None:
    """Our own result over the rounds of a group, as ocellus bench states it, of layers held as `weights`."""
    with_result = [entry for entry in rounds.values() if entry.get("result")]
    results = [in_ms(entry["result"]) for entry in with_result]
    if not results:
        return None
    return {"work": group[0], "tokens": group[1], "family": group[2], "weights": weights, "engine": "ocellus",
            "value": median(r["value"] for r in results), "unit": results[0]["unit"], "used": None, "used_unit": "",
            "limit": median(ours.peak(e["peaks"], e["result"].get("limit_of", "")) for e in with_result),
            "limit_name": results[0].get("limit_of", ""),
            "share": median(r.get("share") for r in results), "ours_faster": None, "rounds": len(results),
            "spread": spread(r["value"] for r in results)}


def peer_row(case: Case, decoder: Decoder, rounds: dict, our_rounds: dict) -> dict | None:
    if not rounds:
        return None
    shares, limits, ratios, figures = [], [], [], []
    for at, entry in rounds.items():
        measured = figure(case, entry, decoder)
        figures.append(measured)
        beside = our_rounds.get(at)
        limit = ours.peak(beside["peaks"], case.limit) if beside else None
        limits.append(limit)
        shares.append(share(measured.used, limit))
        if beside and beside.get("result"):
            ratios.append(speed(beside["result"]["value"], beside["result"]["unit"]) / speed(measured.value, measured.unit))
    last = list(rounds.values())[-1]
    return {"work": case.work, "tokens": case.tokens, "family": case.family, "weights": case.name, "engine": case.engine,
            "value": median(f.value for f in figures), "unit": figures[0].unit, "used": median(f.used for f in figures),
            "used_unit": figures[0].used_unit, "limit": median(limits), "limit_name": case.limit, "share": median(shares),
            "ours_faster": median(ratios), "rounds": len(rounds), "spread": spread(f.value for f in figures), "settings": last.get("settings"),
            "version": last.get("version")}


def rows_of(journal, cases: list[Case], extra: list[dict]) -> list[dict]:
    """`extra` are rows of other programs, measured elsewhere in time: beside the medians of this run."""
    decoder = Decoder(**journal.settings["decoder"])
    rows = []
    for group in dict.fromkeys(case.group for case in cases):
        our_rounds = journal.rounds(group, "ours")
        mine = our_row(group, journal.settings["ours"][group[2]], our_rounds)
        rows.append(mine)
        rows += [peer_row(case, decoder, journal.rounds(group, case.key), our_rounds)
                 for case in cases if case.group == group]
    rows = [row for row in rows if row]
    all_peaks = peaks_of(journal)
    for row in extra:
        limit = all_peaks.get(row["limit_name"])
        beside = next((r for r in rows if r["engine"] == "ocellus" and
                       all(r[k] == row[k] for k in ("work", "tokens", "family"))), None)
        ratio = speed(beside["value"], beside["unit"]) / row["value"] if beside and row["value"] else None
        rows.append(row | {"limit": limit, "share": share(row["used"], limit), "ours_faster": ratio, "rounds": None, "spread": None})
    order = {work: at for at, work in enumerate(WORKS)}
    groups = list(dict.fromkeys((r["work"], r["tokens"], r["family"]) for r in rows))
    groups.sort(key=lambda g: (order.get(g[0], len(order)), g[1]))  # families stay in the order of the cases
    return [row for g in groups for row in rows if (row["work"], row["tokens"], row["family"]) == g]


def peaks_of(journal) -> dict:
    """Medians over every round of the run."""
    entries = [e for (_, _, key), e in journal.entries.items() if key == "ours" and "error" not in e]
    return {name: median(ours.peak(e["peaks"], name) for e in entries) for name in ours.PEAKS}


def load_of(journal) -> tuple[float, float] | None:
    """The least and the largest one-minute load average beside a measurement."""
    loads = [e["load"] for e in journal.entries.values() if "load" in e]
    return (min(loads), max(loads)) if loads else None


def table(rows: list[dict], markdown: bool) -> str:
    lines = []
    for row in rows:
        used = f"{number(row['used'])} {row['used_unit']}" if row["used"] is not None else "–"
        limit = f"{number(row['limit'])} {row['limit_name']}".strip() if row["limit"] else "–"
        lines.append([row["work"], row["weights"], row["engine"], str(row["tokens"]), number(row["value"]), row["unit"],
                      percent(row["spread"]), used, limit, percent(row["share"]), "–" if row["ours_faster"] is None else f"{row['ours_faster']:.2f}×"])
    headers = ["work", "weights", "engine", "tokens", "value", "unit", "spread", "used", "limit", "share", "ours is"]
    return render(headers, lines, 3, markdown)


def preface(journal, extra: list[dict], markdown: bool) -> str:
    """What the figures were made with and beside what."""
    settings = journal.settings
    machines = dict.fromkeys(e["machine"] for (_, _, k), e in journal.entries.items() if k == "ours" and "error" not in e)
    peaks = peaks_of(journal)
    units = {"read": "GB/s"}
    lines = [f"machine: {'; '.join(machines) or 'not measured'}; {settings['cpu']}; {settings['threads']} threads",
             "peaks, all cores, medians: " + ", ".join(
                 f"{name} {number(peaks[name])} {units.get(name, 'GFLOP/s')}" for name in ours.PEAKS if peaks[name])]
    load = load_of(journal)
    if load:
        lines.append(f"load average while measuring: {load[0]:.1f} to {load[1]:.1f}")
    decoder = settings["decoder"]
    lines.append(f"language model: {decoder['layers']} layers measured by the peers, time scaled to {decoder['all_layers']}")
    said = dict.fromkeys((e["version"], e["settings"]) for e in journal.entries.values() if "version" in e)
    names = dict.fromkeys((k.split("/")[0], e["version"]) for (_, _, k), e in journal.entries.items() if "version" in e)
    lines.append("versions: " + (", ".join(f"{name} {version}" for name, version in names) or "none"))
    lines += [f"settings: {text}" for _, text in said]
    lines += dict.fromkeys(f"settings: {r['engine']} {r['version']}: {r['settings']}; at another time" for r in extra)
    lines += [f"failed: {error}" for error in journal.errors()]
    return "\n".join(f"- {line}" if markdown else line for line in lines)
