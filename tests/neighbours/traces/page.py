"""The page in a real browser, as it stands once its script has run, cell by cell; and what each cell has to say by the
lookup's answer. The figures are written anew here: nothing is shared with the page."""

import subprocess
import tempfile
from decimal import ROUND_HALF_EVEN, Decimal
from html.parser import HTMLParser

ABSENT = "–"
ENERGY = (("MWh", 1e6), ("kWh", 1e3), ("Wh", 1.0), ("mWh", 1e-3))
MASS = (("t", 1e6), ("kg", 1e3), ("g", 1.0), ("mg", 1e-3))
NO_VALUE = {"ok": "counted", "unknown_model": "counted; no factor for its model"}


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
    rounded = Decimal(repr(number)) if number else Decimal(0)
    if rounded == 0:
        return "0"
    exponent = rounded.adjusted()
    rounded = rounded.quantize(Decimal(1).scaleb(exponent - 2), ROUND_HALF_EVEN)
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


def call_cells(call, place):
    """What the row of a call has to say, cell by cell."""
    reasons = [part for part in (f"match {call['match']}" if "match" in call else "", call.get("factor", ""), call.get("method", "")) if part]
    grid = []
    if "grid_zone" in call:
        grid = [f"{call['grid_zone']} ({call['grid_basis']})", f"{three(call['grid_g_per_kwh'])} g/kWh", f"PUE {three(call['pue'])}"]
    model = [call.get("model", call.get("requested_model", ABSENT))]
    if "model" in call and call["requested_model"] != call["model"]:
        model.append(call["requested_model"])
    return {
        "name": [call["name"], call["service"]],
        "model": model,
        "input_tokens": [str(call.get("input_tokens", ABSENT))],
        "output_tokens": [str(call.get("output_tokens", ABSENT))],
        "energy": ranged(call, "energy", "wh", ENERGY),
        "co2e": ranged(call, "co2e", "g", MASS) + (["worst step"] if call["worst"] else []),
        "tier": [call.get("tier", ABSENT)],
        "status": [call["status"], NO_VALUE[call["status"]]],
        "reasons": [", ".join(reasons) or ABSENT] + ([", ".join(grid)] if grid else []),
    } | {"place": [str(place)]}
