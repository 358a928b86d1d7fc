"""The dashboard's panels as one picture, drawn from the answers that a real Prometheus gives to the panels' own queries.
Draws what Grafana would show plainly, and is no Grafana. Knows the dashboard's JSON and SVG.
"""

import json
import math
import time
from html import escape

COLUMN, ROW, GAP, HEAD = 50, 34, 8, 24
COLOURS = ("#3274d9", "#e0752d", "#3f9e4d", "#a352cc", "#c4162a", "#b8860b", "#0a7b83", "#7a5195", "#555555", "#d45087")
SCALED = {"massg": "gCO2e", "joule": "J", "watt": "W"}
SHOWN = 6


def short(number, unit):
    if number is None or math.isnan(number):
        return "–"
    if unit == "percentunit":
        return f"{number * 100:.3g} %"
    prefix = ""
    if unit in SCALED and number:
        for size, name in ((1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "µ")):
            if abs(number) >= size or size == 1e-6:
                number, prefix = number / size, name
                break
    digits = f"{number:.3g}" if abs(number) < 1000 else f"{number:.0f}"
    return f"{digits} {prefix}{SCALED.get(unit, {'reqps': 'calls/s'}.get(unit, ''))}".strip()


def named(metric, legend):
    text = legend or ""
    for label, value in metric.items():
        text = text.replace("{{" + label + "}}", value)
    return text if text and text != "__auto" else ", ".join(value for label, value in metric.items() if label != "__name__") or "value"


def text(x, y, words, size=11, fill="#333", anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" {more}>{escape(words)}</text>'


class Picture:
    """`expand` puts values for the dashboard's variables; `seconds` of time are shown."""

    def __init__(self, api, expand, seconds):
        self._api, self._expand, self._seconds = api, expand, seconds
        self._now = time.time()

    def drawn(self, dashboard):
        panels = json.loads(dashboard.read_text("utf-8"))["panels"]
        low = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
        width, height = 24 * COLUMN + 2 * GAP, low * ROW + 2 * GAP
        parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="sans-serif">',
                 f'<rect width="{width}" height="{height}" fill="#f4f5f5"/>']
        parts += [self._panel(panel) for panel in panels]
        return "\n".join([*parts, "</svg>\n"])

    def _panel(self, panel):
        at = panel["gridPos"]
        x, y, w, h = GAP + at["x"] * COLUMN, GAP + at["y"] * ROW, at["w"] * COLUMN - GAP, at["h"] * ROW - GAP
        title = self._expand(panel["title"])
        if panel["type"] == "row":
            return text(x, y + 20, title, 15, "#111", more='font-weight="bold"')
        unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "short")
        parts = [f'<g transform="translate({x},{y})"><rect width="{w}" height="{h}" rx="3" fill="#fff" stroke="#d8d9da"/>',
                 text(10, 17, title, 12, "#111", more='font-weight="bold"')]
        draw = {"timeseries": self._lines, "table": self._table}.get(panel["type"], self._numbers)
        parts += draw(panel, unit, w, h)
        return "\n".join([*parts, "</g>"])

    def _instant(self, target):
        found = self._api.get("query", query=self._expand(target["expr"]), time=self._now)["result"]
        return [(named(it["metric"], self._expand(target.get("legendFormat") or "")), float(it["value"][1]), it["metric"]) for it in found]

    def _numbers(self, panel, unit, w, h):
        found = [one for target in panel["targets"] for one in self._instant(target)][:8]
        if panel["type"] == "bargauge":
            step = min(40, (h - HEAD - 10) / max(1, len(found)))
            most = max([1.0, *(value for _, value, _ in found)])
            for place, (name, value, _) in enumerate(found):
                y = HEAD + 8 + place * step
                yield f'<rect x="150" y="{y}" width="{w - 260}" height="{step - 10}" fill="#eee"/>'
                yield f'<rect x="150" y="{y}" width="{(w - 260) * min(1, value / most):.1f}" height="{step - 10}" fill="{COLOURS[0 if value < 1 else 4]}"/>'
                yield text(140, y + step / 2, name, anchor="end")
                yield text(w - 100, y + step / 2, short(value, unit), 12)
            return
        for place, (name, value, _) in enumerate(found):
            x = w * (place + 0.5) / max(1, len(found))
            yield text(x, h / 2 + 22, short(value, unit), 22 if len(found) < 2 else 14, "#3274d9", "middle")
            yield text(x, h - 10, name, 10, "#777", "middle")

    def _table(self, panel, unit, w, h):
        heads = ("CO2e", "energy", "tokens", "calls")
        rows, units = {}, ("massg", "joule", "short", "short")
        for place, target in enumerate(panel["targets"]):
            for _, value, metric in self._instant(target):
                rows.setdefault((metric.get("model", ""), metric.get("provider", "")), {})[place] = value
        columns = [10, w * 0.3] + [w * (0.55 + 0.11 * place) for place in range(len(panel["targets"]))]
        for x, head in zip(columns, ("model", "provider", *heads)):
            yield text(x, HEAD + 16, head, 11, "#777")
        ordered = sorted(rows.items(), key=lambda row: -row[1].get(0, 0))
        for line, ((model, provider), values) in enumerate(ordered[: int((h - HEAD - 24) / 18)]):
            texts = [model, provider] + [short(values.get(place), units[place]) for place in range(len(panel["targets"]))]
            for x, words in zip(columns, texts):
                yield text(x, HEAD + 34 + line * 18, words)

    def _lines(self, panel, unit, w, h):
        series = []
        for target in panel["targets"]:
            asked = {"start": self._now - self._seconds, "end": self._now, "step": max(1, self._seconds // 120)}
            for it in self._api.get("query_range", query=self._expand(target["expr"]), **asked)["result"]:
                points = [(float(at), float(value)) for at, value in it["values"] if not math.isnan(float(value))]
                series.append((named(it["metric"], self._expand(target.get("legendFormat") or "")), points))
        series.sort(key=lambda one: -max([value for _, value in one[1]] or [0]))
        legend = math.ceil(min(len(series), SHOWN) / 2) * 15
        left, top, right, bottom = 78, HEAD + 6, w - 14, h - 22 - legend
        most = max([value for _, points in series for _, value in points] or [1]) or 1
        for part in range(5):
            y = bottom - (bottom - top) * part / 4
            yield f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e8e8e8"/>'
            yield text(left - 6, y + 4, short(most * part / 4, unit), 10, "#777", "end")
        for part in range(4):
            at = self._now - self._seconds * (1 - part / 3)
            yield text(left + (right - left) * part / 3, bottom + 14, time.strftime("%H:%M:%S", time.gmtime(at)), 10, "#777", "middle" if part < 3 else "end")
        for place, (name, points) in enumerate(series):
            colour = COLOURS[place % len(COLOURS)]
            line = " ".join(f"{left + (right - left) * (at - self._now + self._seconds) / self._seconds:.1f},{bottom - (bottom - top) * value / most:.1f}" for at, value in points)
            yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
            if place < SHOWN:
                x, y = left + (place % 2) * (right - left) / 2, bottom + 30 + (place // 2) * 15
                yield f'<rect x="{x}" y="{y - 8}" width="12" height="4" fill="{colour}"/>'
                yield text(x + 17, y - 2, f"{name[:34]}  {short(points[-1][1] if points else None, unit)}", 10)
