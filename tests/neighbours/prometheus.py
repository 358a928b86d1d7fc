"""A real Prometheus that scrapes gramtrace with the files of deploy/prometheus: the captured exports pass again and again
as calls of their own, and then every recorded rule, every panel of the dashboard and the exemplars are asked for.

Knows Prometheus' HTTP API and the dashboard's JSON; the processes are elsewhere.
"""

import hashlib
import itertools
import json
import math
import os
import re
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import dashboard
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.common.v1 import common_pb2
from stage import free_port, local, ports

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "emissions.json"
CORPUS = ROOT / "tests" / "corpus"
PATIENCE_SECONDS = 60
DRAWN_SECONDS = int(os.environ.get("GRAMTRACE_DASHBOARD_SECONDS", "120"))
RESPONSE_IDS = {"gen_ai.response.id", "ai.response.id", "llm.openai.id"}
TEAMS = ("search", "support", "research")

CONFIG = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "{grpc}"}}, http: {{endpoint: "{http}"}}}}}}}}
processors:
  gramtrace:
    labels: {{attributes: [{{key: team.name, label: team, max_values: 2}}]}}
    budgets: [{{name: everything, limit: 1kg, period: 1h}}, {{name: power, limit: 1kWh, period: day}}]
exporters: {{otlp_grpc: {{endpoint: "{backend}", tls: {{insecure: true}}}}}}
extensions: {{health_check: {{endpoint: "{health}"}}}}
service:
  extensions: [health_check]
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics}}}}}}}}}]}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [gramtrace], exporters: [otlp_grpc]}}}}
"""


def bodies():
    """The captured exports of spans, as messages."""
    for path in sorted(CORPUS.glob("*/*-traces-*.pb")):
        yield traces.ExportTraceServiceRequest.FromString(path.read_bytes())


def as_new_calls(request, number):
    """The same spans in other traces and with other answers, so that they are calls of their own; of one of the teams."""
    copy = traces.ExportTraceServiceRequest()
    copy.CopyFrom(request)
    changed = lambda given, size: hashlib.sha256(given + str(number).encode()).digest()[:size]  # noqa: E731
    for resource_spans in copy.resource_spans:
        team = common_pb2.AnyValue(string_value=TEAMS[number % len(TEAMS)])
        resource_spans.resource.attributes.append(common_pb2.KeyValue(key="team.name", value=team))
        for span in (span for scope in resource_spans.scope_spans for span in scope.spans):
            span.trace_id = changed(span.trace_id, 16)
            for attribute in span.attributes:
                if attribute.key in RESPONSE_IDS:
                    attribute.value.string_value += f"-{number}"
    return copy


def post(port, message):
    body, headers = message.SerializeToString(), {"Content-Type": "application/x-protobuf"}
    request = urllib.request.Request(f"http://{local(port)}/v1/traces", body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200, answer.status


class Api:
    """Prometheus' answers."""

    def __init__(self, port):
        self._base = f"http://{local(port)}/api/v1"

    def get(self, path, **query):
        with urllib.request.urlopen(f"{self._base}/{path}?{urllib.parse.urlencode(query)}", timeout=30) as answer:
            return json.load(answer)["data"]

    def query(self, expression):
        """The values of an instant query, without those that are no number."""
        result = self.get("query", query=expression)["result"]
        return [value for value in (float(series["value"][1]) for series in result) if not math.isnan(value)]

    def query_range(self, expression, seconds):
        now = time.time()
        data = self.get("query_range", query=expression, start=now - seconds, end=now, step=1)["result"]
        return [float(value) for series in data for _, value in series["values"] if value != "NaN"]

    def is_up(self):
        try:
            return self.query("up") == [1.0]
        except OSError:
            return False


def configured(folder, target):
    """The deployed configuration with this stage's address, and in a hurry."""
    text = (RULES / "prometheus.yml").read_text("utf-8")
    text = text.replace("localhost:8888", local(target)).replace("scrape_interval: 15s", "scrape_interval: 1s")
    text = text.replace("evaluation_interval: 30s", "evaluation_interval: 1s").replace("scrape_timeout: 10s", "scrape_timeout: 1s")
    (folder / "prometheus.yml").write_text(text, "utf-8")
    (folder / "rules.yml").write_bytes((RULES / "rules.yml").read_bytes())
    return folder / "prometheus.yml"


def panel_queries():
    """(title, expression, whether it is asked for one moment) of every query of the dashboard."""
    for panel in json.loads(DASHBOARD.read_text("utf-8"))["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], expanded(target["expr"]), target["instant"]


def expanded(text, shown="30s"):
    """With values for the dashboard's variables; `shown` is the time that is."""
    for variable, value in (("$__range", shown), ("$__rate_interval", "10s"), ("$attribute", "team")):
        text = text.replace(variable, value)
    return re.sub(r"\$(service|model|zone)\b", ".*", text)


def file_claims():
    """What promtool says of the files."""
    commands = {
        "the configuration": ("check", "config", RULES / "prometheus.yml"),
        "the rules": ("check", "rules", RULES / "rules.yml"),
        "the rules' own tests": ("test", "rules", RULES / "rules.test.yml"),
        "the rules of budgets": ("check", "rules", RULES / "budgets.rules.yml"),
        "the tests of the rules of budgets": ("test", "rules", RULES / "budgets.test.yml"),
    }
    for what, command in commands.items():
        done = subprocess.run(["promtool", *map(str, command)], capture_output=True, text=True, cwd=RULES, timeout=60)
        yield f"promtool accepts {what}", [] if done.returncode == 0 else [done.stdout + done.stderr]


def start(stage, folder):
    """gramtrace and a Prometheus that scrapes it; where to send, and Prometheus' API."""
    sink, hop, port = stage.sink(), ports(), free_port()
    addresses = {name: local(hop[name]) for name in ("grpc", "http", "health")}
    config = folder / "gramtrace.yaml"
    config.write_text(CONFIG.format(**addresses, metrics=hop["metrics"], backend=local(sink.grpc_port)), "utf-8")
    stage.gramtrace_with(config, hop["health"])
    api = Api(port)
    command = ["prometheus", f"--config.file={configured(folder, hop['metrics'])}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address={local(port)}", "--enable-feature=exemplar-storage", "--log.level=warn"]
    stage.program("prometheus", command, api.is_up)
    return hop, api


def eventually(condition):
    """What breaks the claim that `condition()` finds something in time; it is asked again until it does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        if time.monotonic() > deadline:
            return [f"nothing within {PATIENCE_SECONDS} s: {found}"]
    return []


def scraped(stage, folder):
    results = list(file_claims())
    hop, api = start(stage, folder)
    captured, sums = list(bodies()), lambda: api.query("sum(gramtrace_calls_total)")
    for number in range(8):
        for body in captured:
            post(hop["http"], as_new_calls(body, number))
        # Another round only once this one has been scraped: rates are of what is seen to grow.
        before = sums()
        results.append((f"round {number + 1} is scraped", eventually(lambda: sums() > before)))
    results.append(("calls are scraped by every label", eventually(lambda: has_labels(api))))
    for group in api.get("rules")["groups"]:
        for rule in group["rules"]:
            if rule["type"] == "recording":
                results.append((f"{rule['name']} has data", eventually(lambda: api.query(rule["name"]))))
            results.append((f"{rule['name']} evaluates", [rule["lastError"]] if rule.get("lastError") else []))
    titles = set()
    for title, expression, is_instant in panel_queries():
        titles.add(title)
        ask = api.query if is_instant else lambda text: api.query_range(text, 60)
        results.append((f"panel `{title}` has data: {expression}", eventually(lambda: ask(expression))))
    results.append(("the range is around the value", is_in_order(api)))
    results.append(("an exemplar leads to a trace", eventually(lambda: exemplar_traces(api))))
    if picture := os.environ.get("GRAMTRACE_DASHBOARD"):
        draw(Path(picture), (hop, api), captured)
    return f"{len(captured) * 8} captured exports, {len(titles)} panels", results


def draw(picture, neighbours, captured):
    """The dashboard's panels as a picture, of two minutes in which the captured exports pass with ups and downs."""
    (hop, api), began = neighbours, time.monotonic()
    for number in itertools.count(8):
        if (passed := time.monotonic() - began) > DRAWN_SECONDS:
            break
        share = 0.55 + 0.45 * math.sin(passed / 15)
        for place, body in enumerate(captured):
            if place % 10 < 10 * share:
                post(hop["http"], as_new_calls(body, number))
        seen = api.query("sum(gramtrace_calls_total)")
        eventually(lambda: api.query("sum(gramtrace_calls_total)") > seen)
    shown = lambda text: expanded(text, f"{DRAWN_SECONDS}s")  # noqa: E731
    picture.write_text(dashboard.Picture(api, shown, DRAWN_SECONDS).drawn(DASHBOARD), "utf-8")


def has_labels(api):
    result = api.get("query", query="gramtrace_co2e_grams_total")["result"]
    wanted = {"service", "provider", "model", "zone", "tier", "team"}
    teams = {series["metric"].get("team") for series in result}
    return bool(result) and all(wanted <= series["metric"].keys() for series in result) and {"search", "support", "other"} <= teams


def is_in_order(api):
    low, value, high = (api.query(f"sum(gramtrace_co2e{end}_grams_total)")[0] for end in ("_low", "", "_high"))
    return [] if 0 < low < value < high else [(low, value, high)]


def exemplar_traces(api):
    data = api.get("query_exemplars", query="gramtrace_co2e_grams_total", start=time.time() - 120, end=time.time())
    found = [exemplar["labels"] for series in data for exemplar in series["exemplars"]]
    return [labels for labels in found if re.fullmatch("[0-9a-f]{32}", labels.get("trace_id", ""))]
