"""gramtrace with a real Jaeger and a real Phoenix behind it, and its page in a real browser. Sends traces of the real
SDK, reads them back, compares, prints a table, and ends with 0 where every claim holds."""

import argparse
import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
sys.path += [str(HERE.parents[1] / "clients"), str(HERE.parent)]

import budgets as of_budgets  # noqa: E402
import page as pages  # noqa: E402
import traffic  # noqa: E402
from report import Report  # noqa: E402
import stage  # noqa: E402
from stage import Process, free_port, health, listening, local  # noqa: E402

ROOT = HERE.parents[2]
WAIT_SECONDS = 60
# Phoenix makes its database first.
stage.START_SECONDS = 240


def ask(url, body=None, headers=None):
    """Status and JSON of an answer."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"content-type": "application/json"} | (headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def awaited(look):
    """What `look` gives once it gives something; fails with the last nothing after a while."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := look()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{look.__name__}: nothing within {WAIT_SECONDS} s")
        look_again()
    return found


def look_again():
    """Lets other processes work; a select without files is the plainest way to wait."""
    import select

    select.select([], [], [], 0.2)


class Gramtrace:
    """deploy/jaeger/gramtrace.yaml, on ports of its own."""

    def __init__(self, options, folder, otlp, config=ROOT / "deploy/jaeger/gramtrace.yaml"):
        ports = {name: free_port() for name in ("GRPC", "HTTP", "HEALTH", "API")}
        self.http, self.api = local(ports["HTTP"]), local(ports["API"])
        environment = {f"GRAMTRACE_{name}": local(port) for name, port in ports.items()}
        environment |= {"JAEGER_OTLP": otlp, "GRAMTRACE_QUIET": "500ms"}
        command = [options.gramtrace, "run", "--config", config]
        self.process = Process("gramtrace", command, environment, folder / "gramtrace.log", health(ports["HEALTH"]))

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.process.stop()

    def trace(self, trace_id):
        return ask(f"http://{self.api}/api/v1/traces/{trace_id}")


def attributes(span):
    """Attributes as they are; whole numbers come as text in JSON."""
    def value(of):
        (kind, value), = of.items()
        return int(value) if kind == "intValue" else value

    return {it["key"]: value(it["value"]) for it in span.get("attributes", [])}


def near(one, other):
    """Six significant digits, and sums."""
    return abs(one - other) <= 2e-6 * max(abs(one), abs(other))


def jaeger(options, folder):
    """SDK -> gramtrace -> Jaeger, read back through /api/v3."""
    ports = {"JAEGER_UI": local(free_port()), "JAEGER_GRPC": local(free_port()), "JAEGER_OTLP": local(free_port())}
    ui = ports["JAEGER_UI"]
    environment = ports | {"GRAMTRACE_JAEGER_UI": str(ROOT / "deploy/jaeger/ui.json")}
    # Jaeger as Go builds it is without its interface: a page that has nothing but the place where its configuration goes.
    assets = folder / "jaeger-assets"
    assets.mkdir()
    (assets / "index.html").write_text("const JAEGER_CONFIG = DEFAULT_CONFIG;\n", "utf-8")
    command = [options.installed / "jaeger", "--config", ROOT / "deploy/jaeger/jaeger.yaml",
               "--set", f"extensions.jaeger_query.ui.assets_path={assets}"]
    up = listening(int(ports["JAEGER_OTLP"].rsplit(":", 1)[1]))
    behind = Process("jaeger", command, environment, folder / "jaeger.log", up).start()
    try:
        with Gramtrace(options, folder, ports["JAEGER_OTLP"]) as hop:
            trace_id = traffic.send(hop.http, traffic.gen_ai, {"service.name": "shop"})
            claims = list(jaeger_claims(hop, ui, trace_id))
            with urllib.request.urlopen(f"http://{ui}/", timeout=20) as answer:
                config = answer.read().decode().strip().removeprefix("const JAEGER_CONFIG = ").removesuffix(";")
            expected = json.loads((ROOT / "deploy/jaeger/ui.json").read_text("utf-8"))
            is_served = config.startswith("{") and json.loads(config) == expected
            claims.append(("Jaeger gives its interface the configuration of deploy/jaeger", [] if is_served else [config[:200]]))
            return claims
    finally:
        behind.stop()


def jaeger_claims(hop, ui, trace_id):
    def stored():
        status, found = ask(f"http://{ui}/api/v3/traces/{trace_id}")
        if status != 200:
            return None
        spans = [(scope.get("scope", {}).get("name"), span) for resource in found["result"]["resourceSpans"]
                 for scope in resource["scopeSpans"] for span in scope["spans"]]
        return spans if any(span["name"] == "gramtrace.trace" for _, span in spans) else None

    spans = awaited(stored)
    status, trace = hop.trace(trace_id)
    yield "the lookup has the trace", [] if status == 200 else [trace]
    calls = {span["name"]: attributes(span) for _, span in spans if span["name"].startswith("chat ")}
    yield "every call arrived", [] if len([1 for _, span in spans if span["name"].startswith("chat ")]) == 4 else [list(calls)]
    valued = [attributes(span) for _, span in spans if span["name"].startswith("chat gpt")]
    lacking = [it for it in valued if "gramtrace.co2e_g" not in it or "gen_ai.footprint.co2e_g" not in it]
    yield "each priced call has its CO2e, also for the GenAI tab", lacking
    total = sum(it["gramtrace.co2e_g"] for it in valued)
    root = next(attributes(span) for _, span in spans if not span.get("parentSpanId"))
    scope, summary = next((scope, span) for scope, span in spans if span["name"] == "gramtrace.trace")
    summed = attributes(summary)
    root_id = next(span["spanId"] for _, span in spans if not span.get("parentSpanId"))
    yield "the summary stands under the root, in a scope of its own", (
        [] if (scope, summary["parentSpanId"]) == ("gramtrace", root_id) else [scope, summary])
    for what, it in (("root", root), ("summary", summed)):
        yield f"the {what} has the sum of the calls", [] if near(it["gramtrace.trace.co2e_g"], total) else [it, total]
        tokens = it["gramtrace.trace.input_tokens"], it["gramtrace.trace.output_tokens"]
        expected = tuple(sum(of) for of in zip(*traffic.TOKENS, strict=True))
        yield f"the {what} has the tokens that were sent", [] if tokens == expected else [tokens, expected]
        yield f"the {what} counts 4 calls, one of them unknown, and is not complete", (
            [] if (it["gramtrace.trace.calls"], it["gramtrace.trace.unknown_calls"], it["gramtrace.trace.complete"]) == (4, 1, False)
            else [it])
        yield f"the {what} has nothing for the GenAI tab", [key for key in it if key.startswith("gen_ai.")]
    yield "the lookup's total is Jaeger's", [] if near(trace["totals"]["co2e_g"], total) else [trace["totals"], total]
    status, conversation = ask(f"http://{hop.api}/api/v1/conversations/neighbours")
    yield "the conversation has the same total", (
        [] if status == 200 and conversation["totals"]["co2e_g"] == trace["totals"]["co2e_g"] else [conversation])


PHOENIX = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "{http}"}}}}}}}}
processors: {{gramtrace: {{}}}}
exporters: {{otlp_http: {{endpoint: "http://{phoenix}"}}}}
extensions: {{health_check: {{endpoint: "{health}"}}, gramtrace_api: {{endpoint: "{api}"}}}}
service:
  extensions: [health_check, gramtrace_api]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [gramtrace], exporters: [otlp_http]}}}}
"""
PROJECTS = "{ projects { edges { node { name tokenCountTotal tokenCountPrompt tokenCountCompletion } } } }"


def phoenix(options, folder):
    """SDK -> gramtrace -> Phoenix: its project's tokens are ours, on a nested trace in OpenInference's dialect."""
    port, grpc = free_port(), free_port()
    environment = {"PHOENIX_PORT": str(port), "PHOENIX_GRPC_PORT": str(grpc), "PHOENIX_HOST": "127.0.0.1",
                   "PHOENIX_WORKING_DIR": str(folder / "phoenix"), "PHOENIX_TELEMETRY_ENABLED": "false"}
    command = [options.installed / "phoenix/bin/phoenix", "serve"]
    behind = Process("phoenix", command, environment, folder / "phoenix.log", health_of(f"http://{local(port)}/healthz"))
    behind.start()
    try:
        addresses = {name: local(free_port()) for name in ("http", "health", "api")}
        config = folder / "phoenix.yaml"
        config.write_text(PHOENIX.format(phoenix=local(port), **addresses), "utf-8")
        up = health(int(addresses["health"].rsplit(":", 1)[1]))
        hop = Process("gramtrace", [options.gramtrace, "run", "--config", config], {}, folder / "gramtrace.log", up).start()
        try:
            project = {"service.name": "shop", "openinference.project.name": "neighbours"}
            trace_id = traffic.send(addresses["http"], traffic.openinference, project)
            return list(phoenix_claims(addresses["api"], local(port), trace_id))
        finally:
            hop.stop()
    finally:
        behind.stop()


def phoenix_claims(api, address, trace_id):
    expected = tuple(sum(of) for of in zip(*traffic.TOKENS, strict=True))

    def counted():
        status, found = ask(f"http://{address}/graphql", {"query": PROJECTS})
        if status != 200 or "errors" in found:
            raise RuntimeError(str(found))
        nodes = [edge["node"] for edge in found["data"]["projects"]["edges"]]
        node = next((node for node in nodes if node["name"] == "neighbours"), None)
        return node if node and node["tokenCountTotal"] >= sum(expected) else None

    project = awaited(counted)
    status, trace = ask(f"http://{api}/api/v1/traces/{trace_id}")
    totals = trace["totals"] if status == 200 else {}
    ours = totals.get("input_tokens"), totals.get("output_tokens")
    yield "the lookup has the tokens that were sent", [] if ours == expected else [ours, expected]
    theirs = project["tokenCountPrompt"], project["tokenCountCompletion"]
    yield "Phoenix counts the same tokens for its project", [] if theirs == ours else [theirs, ours]
    yield "and the same total", [] if project["tokenCountTotal"] == sum(expected) else [project]


def health_of(url):
    def is_up():
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    return is_up


BARE = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "{http}"}}}}}}}}
processors: {{gramtrace: {{}}}}
exporters: {{debug: {{verbosity: basic}}}}
extensions: {{health_check: {{endpoint: "{health}"}}, gramtrace_api: {{endpoint: "{api}"}}}}
service:
  extensions: [health_check, gramtrace_api]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [gramtrace], exporters: [debug]}}}}
"""


def page(options, folder):
    """The page in Chromium: every cell says what the lookup does."""
    addresses = {name: local(free_port()) for name in ("http", "health", "api")}
    config = folder / "page.yaml"
    config.write_text(BARE.format(**addresses), "utf-8")
    up = health(int(addresses["health"].rsplit(":", 1)[1]))
    hop = Process("gramtrace", [options.gramtrace, "run", "--config", config], {}, folder / "gramtrace.log", up).start()
    try:
        trace_ids = [traffic.send(addresses["http"], dialect, {"service.name": "shop"})
                     for dialect in (traffic.gen_ai, traffic.openinference, traffic.detailed)]
        claims = list(page_claims(addresses["api"], trace_ids))
        if shots := os.environ.get("GRAMTRACE_SCREENSHOTS"):
            screenshots(addresses["api"], trace_ids[0], Path(shots))
        return claims
    finally:
        hop.stop()


def page_claims(api, trace_ids):
    for trace_id in trace_ids:
        _, trace = ask(f"http://{api}/api/v1/traces/{trace_id}")
        shown = pages.Page(pages.browse(f"http://{api}/traces/{trace_id}"))
        rows = [row for row in shown.rows if "data-span" in row[""]]
        receipts = trace["receipts"]
        yield "a row for every call, in order", (
            [] if [row[""]["data-span"] for row in rows] == [call["span_id"] for call in receipts] else [shown.rows])
        yield "every cell of every row says what the lookup does", [
            wrong for place, (row, call) in enumerate(zip(rows, receipts, strict=False), 1)
            for wrong in pages.differing(row, pages.call_cells(call, place, pages.began(trace)), call["name"])]
        marked = [row[""]["data-span"] for row in rows if row[""].get("class") == "worst"]
        heaviest = max(receipts, key=lambda call: call.get("co2e_g", 0))["span_id"]
        yield "the worst step is marked, and it is the worst", [] if marked == [heaviest] else [marked, heaviest]
        yield "the totals are those of the lookup", pages.differing(shown.totals, pages.total_cells(trace["totals"]), "totals")
        others = [row for row in shown.rows if "data-name" in row[""]]
        compared = trace["comparison"]
        yield "two other models and two other regions are shown", (
            [] if [len(compared[of]) for of in ("models", "regions")] == [2, 2] and len(others) == 5 else [others])
        yield "every cell of theirs says what the lookup does", [
            wrong for row, cells in zip(others, pages.compared_cells(compared), strict=False)
            for wrong in pages.differing(row, cells, cells["name"])]
    for sort in ("recent", "co2e"):
        url = f"http://{api}/api/v1/traces?sort={sort}"
        _, before = ask(url)
        shown = pages.Page(pages.browse(f"http://{api}/?sort={sort}"))
        _, after = ask(url)
        rows = [row for row in shown.rows if "data-trace" in row[""]]
        listed = [it["trace_id"] for it in before["traces"]]
        yield f"the list has every trace, by {sort}", [] if [row[""]["data-trace"] for row in rows] == listed else [rows]
        wrong = []
        for row, trace, later in zip(rows, before["traces"], after["traces"], strict=False):
            age = row.pop("age", None)
            wrong += pages.differing(row, pages.listed_cells(trace), trace["trace_id"])
            wrong += [] if age in pages.ages(trace, later) else [f"{age} is not one of {pages.ages(trace, later)}"]
        yield f"every cell of it says what the lookup does, by {sort}", wrong
    missing = pages.browse(f"http://{api}/traces/{'ab' * 16}")
    yield "a trace that is not there says so", [] if "never seen" in missing else [missing[-500:]]


def screenshots(api, trace_id, folder):
    """Pictures for the README."""
    folder.mkdir(parents=True, exist_ok=True)
    url = f"http://{api}/traces/{trace_id}"
    for name, size, more in (("page-light", "1280,1250", []), ("page-dark", "1280,1250", ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]),
                             ("page-phone", "500,2400", [])):
        pages.browse(url, f"--window-size={size}", f"--screenshot={folder / (name + '.png')}", *more)


def budgets(options, folder):
    """The page of budgets in Chromium: every cell says what the API does."""
    addresses = {name: local(free_port()) for name in ("http", "health", "api")}
    config, url = folder / "budgets.yaml", f"http://{addresses['api']}"
    config.write_text(of_budgets.CONFIG.format(**addresses), "utf-8")
    up = health(int(addresses["health"].rsplit(":", 1)[1]))
    hop = Process("gramtrace", [options.gramtrace, "run", "--config", config], {}, folder / "gramtrace.log", up).start()
    try:
        for service in ("shop", "search"):
            traffic.send(addresses["http"], traffic.gen_ai, {"service.name": service})
        _, before = ask(f"{url}/api/v1/budgets")
        shown = pages.Page(pages.browse(f"{url}/budgets"))
        _, after = ask(f"{url}/api/v1/budgets")
        return list(of_budgets.claims(shown, before["budgets"], after["budgets"]))
    finally:
        hop.stop()


PARTS = {"jaeger": jaeger, "phoenix": phoenix, "page": page, "budgets": budgets}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gramtrace", type=Path, required=True, help="the binary")
    parser.add_argument("--installed", type=Path, required=True, help="where `run` has put Jaeger and Phoenix")
    parser.add_argument("parts", nargs="+", choices=PARTS)
    options = parser.parse_args()
    report = Report(("neighbour", 12), ("what is tested", 90))
    for name in options.parts:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                results = PARTS[name](options, Path(scratch))
            except RuntimeError as error:
                results = [("everything comes up", [error])]
            report.row((name, PARTS[name].__doc__.splitlines()[0]), results)
    print(report.closing_line(0))
    return 1 if report.failed else 0


sys.exit(main())
