"""The page of budgets in the browser: what each of its cells has to say by the answer of `/api/v1/budgets`. The figures are
written anew here: nothing is shared with the page."""

from page import ABSENT, ENERGY, MASS, differing, quantity, three

CONFIG = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "{http}"}}}}}}}}
processors:
  gramtrace:
    budgets:
      - {{name: everything, limit: 1mg}}
      - {{name: shop, match: {{service.name: "sh*"}}, limit: 5kg, period: 7d, burn_rates: false}}
      - {{name: month, limit: 2kg, period: month, time_zone: Europe/Berlin}}
      - {{name: power, limit: 1kWh, period: 1d}}
      - {{name: nobody, match: {{team.name: nobody}}, limit: 3t, period: 1h}}
exporters: {{debug: {{verbosity: basic}}}}
extensions: {{health_check: {{endpoint: "{health}"}}, gramtrace_api: {{endpoint: "{api}"}}}}
service:
  extensions: [health_check, gramtrace_api]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [gramtrace], exporters: [debug]}}}}
"""


def length(seconds):
    """How long a window is."""
    for size, name in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if seconds >= size and seconds % size == 0:
            return f"{round(seconds / size)}{name}"
    return f"{round(seconds * 1000)}ms"


def pace(pair, window):
    return f"{three(pair[f'{window}_rate'])}x over {length(pair[f'{window}_s'])}"


def cells(budget):
    """What the row of a budget has to say."""
    units = ENERGY if budget["unit"] == "Wh" else MASS
    fast = [pair for pair in budget["burn"] if min(pair["long_rate"], pair["short_rate"]) >= pair["factor"]]
    burning = "; ".join(f"{pace(pair, 'long')}, {pace(pair, 'short')}" for pair in fast) or "no"
    drivers = {}
    for key in ("models", "services"):
        first, *rest = [f"{it['name']}: {quantity(it['amount'], units)}" for it in budget[key]] or [ABSENT]
        drivers[key] = [first] + ([", ".join(rest)] if rest else [])
    return drivers | {
        "name": [budget["name"], budget["period"]],
        "limit": [quantity(budget["limit"], units)],
        "consumed": [quantity(budget["consumed"], units), f"{three(budget['percent'])} %"]
        + (["exceeded"] if budget["consumed"] >= budget["limit"] else []),
        "left": [quantity(max(0, budget["limit"] - budget["consumed"]), units)],
        "forecast": [quantity(budget["forecast"], units)] + (["above the limit"] if budget["forecast"] > budget["limit"] else []),
        "burning": [burning, ", ".join(pace(pair, "long") for pair in budget["burn"])],
    }


def claims(shown, before, after):
    """`shown` is the page that was asked for between two answers: time goes on, so a cell is as the one or as the other."""
    rows = [row for row in shown.rows if "data-budget" in row[""]]
    names = [row[""]["data-budget"] for row in rows]
    yield "a row for every budget, in order", [] if names == [it["name"] for it in before] else [names]
    wrong = []
    for row, one, other in zip(rows, before, after, strict=False):
        first, second = (set(differing(row, cells(it), it["name"])) for it in (one, other))
        keys = {text.split(": ", 1)[0] for text in first} & {text.split(": ", 1)[0] for text in second}
        wrong += [text for text in sorted(first) if text.split(": ", 1)[0] in keys]
    yield "every cell of every budget says what the API does", wrong
    exceeded = [row[""]["data-budget"] for row in rows if row[""].get("class") == "worst"]
    yield "what is exceeded is marked, and nothing else", [] if exceeded == ["everything"] else [exceeded]
    fast = [name for name, row in zip(names, rows) if row["burning"][0] != "no"]
    yield "what burns too fast is told", [] if "everything" in fast and "nobody" not in fast else [fast]
