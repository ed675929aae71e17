"""Results as they come, a JSON object a line, so that a run that was cut short goes on where it ended.

The first line holds the run's settings; a run with others must not be mixed in. Each further line is one measurement: its
group, round and key ("ours" or the case's). Of two lines for the same one the later counts; a half-written last line is none.
"""
import json
import pathlib


class Mismatch(Exception):
    pass


class Journal:
    def __init__(self, path: pathlib.Path, settings: dict | None):
        """Opens or makes the file; `settings` None only reads it."""
        self.path, self.entries = path, {}
        text = path.read_text() if path.exists() else ""
        lines = []
        for line in text.split("\n"):
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue  # the empty end, or what a stop left of a line
        if settings is None and not lines:
            raise Mismatch(f"{path}: expected a journal of bench/peers/run.py, found none")
        if lines and "settings" not in lines[0]:
            raise Mismatch(f"{path}: expected a journal of bench/peers/run.py, found another file")
        self.settings = lines[0]["settings"] if lines else settings
        if settings is not None and self.settings != settings:
            differing = sorted(k for k in {*settings, *self.settings} if settings.get(k) != self.settings.get(k))
            raise Mismatch(f"{path}: was made with another {', '.join(differing)}; "
                           "give the same, or another --out, or --fresh")
        for entry in lines[1:]:
            self.entries[self.place(entry)] = entry
        if settings is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            if not lines:
                path.write_text(json.dumps({"settings": settings}) + "\n")
            elif not text.endswith("\n"):
                with path.open("a") as file:
                    file.write("\n")

    @staticmethod
    def place(entry: dict) -> tuple:
        return tuple(entry["group"]), entry["round"], entry["key"]

    def add(self, entry: dict) -> None:
        self.entries[self.place(entry)] = entry
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def find(self, group: tuple, number: int, key: str) -> dict | None:
        """A measurement that succeeded."""
        entry = self.entries.get((tuple(group), number, key))
        return entry if entry and "error" not in entry else None

    def rounds(self, group: tuple, key: str) -> dict[int, dict]:
        return {number: entry for (g, number, k), entry in self.entries.items()
                if g == tuple(group) and k == key and "error" not in entry}

    def errors(self) -> list[str]:
        return list(dict.fromkeys(entry["error"] for entry in self.entries.values() if "error" in entry))
