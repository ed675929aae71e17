"""Reads `llama-bench -o json`: prompt (pp) and generation (tg) tests of llama.cpp, as rows of our table.

Fields used, as llama-bench writes them: model_type, model_size (bytes), model_n_params, n_prompt, n_gen, n_threads, avg_ts
(tokens a second), build_commit. Left out: a test of both at once (pg), which says nothing about either limit, and one behind
n_depth cached tokens, since the other rows start at an empty cache.
"""
import json
import pathlib

# The words that end a model_type, by the family whose rows they stand with.
FAMILIES = {"BF16": "bf16", "F16": "bf16", "Q8_0": "int8", "Q4_0": "int4", "Q4_1": "int4", "Q4_K": "int4", "IQ4_NL": "int4"}


class BadFile(Exception):
    pass


def family_of(model_type: str) -> tuple[str, str]:
    """("int4", "Q4_K - Medium") for "llama 7B Q4_K - Medium"; types without a family stand for themselves."""
    words = model_type.split()
    for at, word in enumerate(words):
        if word in FAMILIES:
            return FAMILIES[word], " ".join(words[at:])
    return (words[-1] if words else "?"), (words[-1] if words else "?")


def number_of(entry: dict, name: str, where: str) -> float:
    value = entry.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value < 0:
        raise BadFile(f"{where}: {name}: expected a number, found {value!r}")
    return value


def parse(text: str, source: str) -> list[dict]:
    try:
        tests = json.loads(text)
    except ValueError as error:
        raise BadFile(f"{source}: expected JSON: {error}") from None
    if not isinstance(tests, list):
        raise BadFile(f"{source}: expected the list that `llama-bench -o json` prints, found {type(tests).__name__}")
    rows = []
    for at, test in enumerate(tests):
        where = f"{source}: [{at}]"
        if not isinstance(test, dict):
            raise BadFile(f"{where}: expected an object, found {type(test).__name__}")
        prompt, generated = (int(number_of(test, name, where)) for name in ("n_prompt", "n_gen"))
        if (prompt > 0) == (generated > 0) or test.get("n_depth", 0):
            continue
        rate = number_of(test, "avg_ts", where)
        family, kind = family_of(str(test.get("model_type", "")))
        size, parameters = (number_of(test, name, where) if name in test else None
                            for name in ("model_size", "model_n_params"))
        if prompt:
            used = None if parameters is None else 2 * parameters * rate / 1e9
            limit = "bf16" if family == "bf16" else "int8"
        else:
            used, limit = None if size is None else size * rate / 1e9, "read"
        rows.append({"work": "prefill" if prompt else "decode", "tokens": prompt or 1, "family": family, "weights": kind,
                     "engine": "llama.cpp", "value": rate, "unit": "tokens/s", "used": used,
                     "used_unit": "GFLOP/s" if prompt else "GB/s", "limit_name": limit,
                     "settings": f"{test.get('n_threads', '?')} threads", "version": str(test.get("build_commit", ""))})
    return rows


def read(path: pathlib.Path) -> list[dict]:
    try:
        return parse(path.read_text(), str(path))
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror}") from None
