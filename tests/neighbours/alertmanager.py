"""A real Alertmanager that hears of an exceeded budget in both ways: pushed by gramtrace, and from a rule that a real Prometheus
has from `gramtrace budgets rules`. A webhook behind it hears of both, and that what was pushed is over.

Knows Alertmanager's HTTP API; the processes are elsewhere.
"""

import http.server
import json
import signal
import subprocess
import threading
import urllib.request

from prometheus import PATIENCE_SECONDS, Api, as_new_calls, bodies, eventually, post
from stage import free_port, local, ports

CONFIG = """
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: "{grpc}"}}, http: {{endpoint: "{http}"}}}}}}}}
processors: {{gramtrace: {{budgets: [{{name: all, limit: {limit}, period: 1h, thresholds: [100], burn_rates: false}}]}}}}
exporters: {{otlp_grpc: {{endpoint: "{backend}", tls: {{insecure: true}}}}}}
extensions:
  health_check: {{endpoint: "{health}"}}
  gramtrace_budgets: {{alertmanagers: [{{endpoint: "http://{alertmanager}", labels: {{via: push}}}}], link: "https://gramtrace.example"}}
service:
  extensions: [health_check, gramtrace_budgets]
  telemetry: {{metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {metrics}}}}}}}}}]}}}}
  pipelines: {{traces: {{receivers: [otlp], processors: [gramtrace], exporters: [otlp_grpc]}}}}
"""
PROMETHEUS = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, external_labels: {{via: rules}}}}
rule_files: [budgets.rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]}}
scrape_configs: [{{job_name: gramtrace, static_configs: [{{targets: ["{metrics}"]}}]}}]
"""
ALERTMANAGER = """
route: {{receiver: hook, group_by: ["..."], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers: [{{name: hook, webhook_configs: [{{url: "http://{hook}/", send_resolved: true}}]}}]
"""


class Hook:
    """Keeps the alerts that it is told, by their labels: the last that was said of each."""

    def __init__(self):
        self.alerts = {}
        known = self.alerts

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802
                told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                known.update({alert["labels"]["via"]: alert for alert in told["alerts"]})
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def said(self, via, status):
        alert = self.alerts.get(via, {})
        return alert if alert.get("status") == status else None


class Alertmanager:
    def __init__(self, port):
        self._base = f"http://{local(port)}/api/v2"

    def alerts(self):
        with urllib.request.urlopen(f"{self._base}/alerts", timeout=10) as answer:
            return [alert["labels"] for alert in json.load(answer)]

    def is_up(self):
        try:
            return self.alerts() == []
        except OSError:
            return False


def alerted(stage, folder):
    hook, hop, sink, port, of_prometheus = Hook(), ports(), stage.sink(), free_port(), free_port()
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(hook=local(hook.port)), "utf-8")
    alertmanager = Alertmanager(port)
    command = ["prometheus-alertmanager", f"--config.file={folder / 'alertmanager.yml'}", f"--storage.path={folder / 'am'}"]
    command += [f"--web.listen-address={local(port)}", "--cluster.listen-address=", "--log.level=warn"]
    stage.program("alertmanager", command, alertmanager.is_up)

    addresses = {name: local(hop[name]) for name in ("grpc", "http", "health")}
    addresses |= {"metrics": hop["metrics"], "backend": local(sink.grpc_port), "alertmanager": local(port)}
    config = folder / "gramtrace.yaml"
    config.write_text(CONFIG.format(limit="1mg", **addresses), "utf-8")
    gramtrace = stage.gramtrace_with(config, hop["health"])
    rules = subprocess.run(
        [stage.options.gramtrace, "budgets", "rules", "--config", config], capture_output=True, text=True, check=True, timeout=60
    )
    (folder / "budgets.rules.yml").write_text(rules.stdout, "utf-8")
    checked = subprocess.run(["promtool", "check", "rules", folder / "budgets.rules.yml"], capture_output=True, text=True, timeout=60)
    results = [("promtool accepts the rules", [checked.stderr] if checked.returncode else [])]
    written = PROMETHEUS.format(alertmanager=local(port), metrics=local(hop["metrics"]))
    (folder / "prometheus.yml").write_text(written, "utf-8")
    api = Api(of_prometheus)
    command = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    stage.program("prometheus", [*command, f"--web.listen-address={local(of_prometheus)}", "--log.level=warn"], api.is_up)

    captured, sums = list(bodies())[:20], lambda: api.query("sum(gramtrace_calls_total)")
    for number in range(4):
        for body in captured:
            post(hop["http"], as_new_calls(body, number))
        # What grows is what rules see.
        before = sums()
        eventually(lambda: sums() > before)
    for via in ("push", "rules"):
        results.append((f"the webhook hears of it, by {via}", eventually(lambda: hook.said(via, "firing"))))
    pushed = hook.alerts.get("push", {})
    right = pushed.get("labels", {}).get("alertname") == "GramtraceBudgetThreshold"
    results.append(("with its labels and the link", [] if right and pushed["generatorURL"].endswith("/budgets") else [pushed]))
    same = [{key: value for key, value in labels.items() if key not in ("via", "alertname")} for labels in alertmanager.alerts()]
    results.append(("both are the same budget and threshold", [] if all(it == same[0] for it in same) and len(same) == 2 else [same]))

    config.write_text(CONFIG.format(limit="1t", **addresses), "utf-8")
    gramtrace.signal(signal.SIGHUP)
    results.append(("a raised limit resolves it", eventually(lambda: hook.said("push", "resolved"))))
    results.append(("and it is gone", eventually(lambda: all(labels["via"] != "push" for labels in alertmanager.alerts()))))
    return f"a rule and a push, each within {PATIENCE_SECONDS} s", results
