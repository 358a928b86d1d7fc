"""The page in a real browser, as it stands once its script has run, cell by cell; and what each cell has to say by the
lookup's answer. The figures are written anew here: nothing is shared with the page."""

import subprocess
import tempfile
from decimal import ROUND_HALF_UP, Decimal
from html.parser import HTMLParser

ABSENT = "–"
ENERGY = (("MWh", 1e6), ("kWh", 1e3), ("Wh", 1.0), ("mWh", 1e-3))
MASS = (("t", 1e6), ("kg", 1e3), ("g", 1.0), ("mg", 1e-3))
STATUSES = {
    "ok": "counted",
    "unknown_model": "counted; no factor for its model",
    "no_model": "counted; names no model",
    "no_tokens": "no usage: nothing is known of it",
    "error": "failed, no usage",
    "repriced": "brings the value of a call without one",
}
GAPS = {"unknown_calls": "some calls have no value", "calls_without_usage": "some calls told no usage"}


class Page(HTMLParser):
    """Rows of the tables: cells by their keys, each a list of the texts in it."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.totals, self.title = [], {}, ""
        self._row = self._cell = self._open = None
        self._in_title = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "tr":
            self._row = {"": attributes}
        elif tag == "td" and self._row is not None:
            self._cell = self._row.setdefault(attributes.get("data-key"), [])
            self._open = tag
        elif tag == "div" and "data-key" in attributes:
            self._cell = self.totals.setdefault(attributes["data-key"], [])
            self._open = tag
        elif tag == "title":
            self._in_title = True

    def handle_endtag(self, tag):
        if tag == "tr" and self._row is not None:
            if len(self._row) > 1:
                self.rows.append(self._row)
            self._row = None
        elif tag == "td":
            self._cell = None
        elif tag == "title":
            self._in_title = False
        elif tag == "dl":
            self._cell = None

    def handle_data(self, data):
        if self._in_title:
            self.title += data
        elif self._cell is not None and data.strip():
            self._cell.append(data.strip())


def browse(url, *more):
    """The document of `url` after its script has run; `more` are arguments of the browser."""
    with tempfile.TemporaryDirectory() as profile:
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   f"--user-data-dir={profile}", "--virtual-time-budget=8000", *more, "--dump-dom", url]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    return done.stdout.decode("utf-8", "replace")


def three(number):
    """Three significant digits, without an exponent below a million."""
    rounded = Decimal(number)
    if rounded == 0:
        return "0"
    exponent = rounded.adjusted()
    rounded = rounded.quantize(Decimal(1).scaleb(exponent - 2), ROUND_HALF_UP)
    if rounded < Decimal("0.001"):
        return "<0.001"
    if rounded >= 1_000_000:
        return f"{rounded:.2e}".replace("+", "")
    places = max(0, 2 - rounded.adjusted())
    return f"{rounded:.{min(places, 5)}f}"


def unit(number, units):
    near = float(f"{number:.2e}")
    return next(((name, size) for name, size in units if near >= size), units[-1])


def quantity(number, units):
    if number is None:
        return ABSENT
    if number == 0:
        return f"0 {units[2][0]}"
    name, size = unit(number, units)
    return f"{three(number / size)} {name}"


def ranged(it, name, of, units):
    """The texts of a cell with a figure: the value, and its ends where they are known."""
    value, low, high = (it.get(f"{name}{part}_{of}") for part in ("", "_low", "_high"))
    texts = [quantity(value, units)]
    if None not in (value, low, high):
        label, size = unit(value, units)
        texts.append(f"{three(low / size)}–{three(high / size)} {label}")
    return texts


def milliseconds(ns):
    return f"{three(ns / 1e6)} ms"


def began(it):
    return int(it["start_time_unix_nano"])


def call_cells(call, place, start):
    """What the row of a call has to say, cell by cell; `start` is that of the trace."""
    reasons = [part for part in (f"match {call['match']}" if "match" in call else "", call.get("factor", ""), call.get("method", "")) if part]
    grid = []
    if "grid_zone" in call:
        grid = [f"{call['grid_zone']} ({call['grid_basis']})", f"{three(call['grid_g_per_kwh'])} g/kWh", f"PUE {three(call['pue'])}"]
    model = [call.get("model", call.get("requested_model", ABSENT))]
    if "model" in call and call["requested_model"] != call["model"]:
        model.append(call["requested_model"])
    after, took = milliseconds(began(call) - start), milliseconds(int(call["end_time_unix_nano"]) - began(call))
    tokens = {
        name: [str(call.get(name, ABSENT))] + ([f"{call[part]} {what}"] if part in call else [])
        for name, part, what in (("input_tokens", "cache_read_tokens", "cached"), ("output_tokens", "reasoning_tokens", "reasoning"))
    }
    return tokens | {
        "place": [str(place), f"after {after}, {took}"],
        "name": [call["name"], call["service"]],
        "model": model,
        "energy": ranged(call, "energy", "wh", ENERGY),
        "co2e": ranged(call, "co2e", "g", MASS) + (["worst step"] if call["worst"] else []),
        "tier": [call.get("tier", ABSENT)],
        "status": [call["status"], STATUSES[call["status"]]],
        "reasons": [", ".join(reasons) or ABSENT] + ([", ".join(grid)] if grid else []),
    }


def total_cells(totals):
    """What stands above the calls."""
    unknown, gaps = totals["unknown_calls"], "; ".join(GAPS[gap] for gap in totals["incomplete_because"])
    return {
        "co2e": ["CO2e of use", *ranged(totals, "co2e", "g", MASS)],
        "energy": ["Energy", *ranged(totals, "energy", "wh", ENERGY)],
        "embodied": ["Embodied CO2e, apart", *ranged(totals, "embodied_co2e", "g", MASS)],
        "calls": ["Model calls", str(totals["calls"])] + ([f"{unknown} without a value"] if unknown else []),
        "tokens": ["Tokens in, out", f"{totals['input_tokens']}, {totals['output_tokens']}"],
        "complete": ["Complete", "yes" if totals["complete"] else "no"] + ([gaps] if gaps else []),
    }


def compared_cells(compared):
    """The rows of what other models and regions would have made of the same: first what it was."""
    base = compared["co2e_g"]
    rows = [("as it was", compared | {"name": f"{compared['calls']} calls with a value"})]
    rows += [("model", it) for it in compared["models"]] + [("region", it) for it in compared["regions"]]
    for kind, it in rows:
        value = it.get("co2e_g")
        change = ABSENT
        if kind != "as it was" and value is not None and base:
            change = f"{'+' if value >= base else '−'}{three(abs(value / base - 1) * 100)} %"
        yield {
            "kind": [kind],
            "name": [it["name"]],
            "energy": ranged(it, "energy", "wh", ENERGY),
            "co2e": ranged(it, "co2e", "g", MASS),
            "change": [change],
        }


def listed_cells(trace):
    """The row of a trace in the list, without when its last call was."""
    totals = trace["totals"]
    unknown = totals["unknown_calls"]
    return {
        "trace": [trace["trace_id"]],
        "co2e": ranged(totals, "co2e", "g", MASS),
        "energy": ranged(totals, "energy", "wh", ENERGY),
        "calls": [str(totals["calls"])] + ([f"{unknown} without a value"] if unknown else []),
        "models": [", ".join(trace["models"]) or ABSENT] + (["and more"] if trace["more_models"] else []),
        "complete": ["yes" if totals["complete"] else "no"],
    }


def differing(shown, expected, of):
    """Every cell that is not as expected, those that nobody expects included."""
    shown = {key: texts for key, texts in shown.items() if key}
    return [f"{of}, {key}: {shown.get(key)} is not {expected.get(key)}" for key in shown | expected if shown.get(key) != expected.get(key)]


def ages(trace, later):
    """What the list may say of when a trace's last call was: the page has asked between two of these answers."""
    seconds = range(trace["age_ms"] // 1000, later["age_ms"] // 1000 + 1)
    return [[f"{age} s ago"] if age < 60 else [f"{age // 60} min ago"] for age in seconds]
