"""Real clients through the real binary: starts a sink, gramtrace and each client, compares what arrived with what was
sent, prints a table, and ends with 0 where every claim holds. `--direct` leaves gramtrace out: then the clients and the
sink are what is tested.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import claims
from client import Client, run_client
from gateway import Gateway
from report import Report
from sink import Sink

HERE = Path(__file__).parent
# What spans.json expects was computed with the EcoLogits package.
PROCESSOR = "{method: ecologits/0.11.3}"

CLIENTS = [
    Client("python", "grpc", "none"),
    Client("python", "grpc", "gzip"),
    Client("python", "http/protobuf", "none"),
    Client("python", "http/protobuf", "gzip"),
    Client("javascript", "http/json", "none"),
    Client("javascript", "http/json", "gzip"),
]


def client_claims(client_run, arrived, scenario):
    """What must hold of one client's telemetry; `scenario` is None where nothing enriches it."""
    reports, sent = client_run
    for signal, requests in sent.items():
        got = [message for kind, message in arrived if kind == signal]
        strip = claims.bare if scenario and signal == "traces" else lambda request: request
        failures = [outcome for outcome in reports[signal] if outcome != "SUCCESS"]
        yield f"{signal}: the exporter reports success", failures if reports[signal] else ["nothing was sent"]
        yield f"{signal}: what was sent arrived once, unchanged and in order", claims.same_requests(requests, got, strip)
    if scenario:
        spans = [message for kind, message in arrived if kind == "traces"]
        for name, problems in claims.span_claims(scenario, spans):
            yield f"span `{name}`", problems


def gateway_claims(gateway, spans):
    """What must hold of gramtrace itself after `spans` spans went through. Stops it."""
    samples = gateway.metrics()
    for name in ("otelcol_receiver_accepted_spans", "otelcol_exporter_sent_spans"):
        found = samples.get(name)
        yield f"/metrics: {name} is the number of spans sent", [] if found == spans else [f"{found}, not {spans}"]
    yield "health answers", [] if gateway.healthy() else ["an empty answer"]
    status = gateway.stop()
    yield "SIGTERM ends it with 0", [] if status == 0 else [f"{status}\n{gateway.log()}"]


def check(report, exporter, folder, sink, options):
    """Runs every client against one exporter's gramtrace, or against the sink itself where the exporter is None."""
    scenario = json.loads((HERE / "spans.json").read_text("utf-8"))
    clients = [client for client in CLIENTS if options.js or client.language != "javascript"]
    gateway = Gateway(options.gramtrace, folder, sink, exporter, PROCESSOR) if exporter else None
    ports = gateway.ports if gateway else {"grpc": sink.grpc_port, "http": sink.http_port}
    try:
        for number, client in enumerate(clients):
            sent = folder / str(number)
            sent.mkdir()
            client_run = run_client(client, ports, sent, options.js)
            results = client_claims(client_run, sink.take(), scenario if gateway else None)
            report.row((client, exporter or "sink"), results)
        if gateway:
            results = gateway_claims(gateway, len(clients) * len(scenario["spans"]))
            report.row(("gramtrace", exporter), results)
    finally:
        if gateway:
            gateway.stop()
    return len(CLIENTS) - len(clients)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--direct", action="store_true", help="send straight to the sink, without gramtrace")
    parser.add_argument("--gramtrace", type=Path, help="the binary")
    parser.add_argument("--js", type=Path, help="the folder with the installed JavaScript client; without it, no JavaScript")
    options = parser.parse_args()

    report = Report(("client", 26), ("backend", 11))
    sink = Sink()
    skipped = 0
    with tempfile.TemporaryDirectory() as scratch:
        for exporter in [None] if options.direct else ["otlp_grpc", "otlp_http"]:
            folder = Path(scratch) / (exporter or "direct")
            folder.mkdir()
            skipped += check(report, exporter, folder, sink, options)
    sink.close()
    print(report.closing_line(skipped))
    return 1 if report.failed else 0


sys.exit(main())
