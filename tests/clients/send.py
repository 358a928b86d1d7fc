"""One client: a Python application on the OpenTelemetry SDK, configured by the OTEL_* variables alone.

Sends the spans of spans.json, some metrics and a log record, writes each request that its exporters made to the folder
in argv[1], and prints what the exporters reported as JSON. Knows nothing of gramtrace.
"""

import json
import os
import sys
import time
from pathlib import Path

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter


def recorded(exporter, signal, encode, out, reports):
    """Makes `exporter` keep what it sends, in the bytes that it sends, and what it reported for it."""
    send = exporter.export

    def export(batch, *args, **kwargs):
        (out / f"{signal}-{len(reports[signal])}.pb").write_bytes(encode(batch).SerializeToString())
        result = send(batch, *args, **kwargs)
        reports[signal].append(result.name)
        return result

    exporter.export = export
    return exporter


def send_spans(provider, scenario):
    tracers = {key: provider.get_tracer(*scope) for key, scope in scenario["scopes"].items()}
    base = time.time_ns() - 60_000_000_000
    open_spans = {}
    for spec in scenario["spans"]:
        parent = open_spans.get(spec["parent"])
        span = tracers[spec["scope"]].start_span(
            spec["name"],
            context=set_span_in_context(parent) if parent else None,
            kind=SpanKind[spec["kind"]],
            start_time=base + spec["start_ms"] * 1_000_000,
        )
        for key, value in spec["attributes"]:
            span.set_attribute(key, value)
        if "event" in spec:
            span.add_event(spec["event"], {"bytes": 312}, timestamp=base)
        if "error" in spec:
            span.set_status(Status(StatusCode.ERROR, spec["error"]))
        open_spans[spec["name"]] = span
    for spec in reversed(scenario["spans"]):
        open_spans[spec["name"]].end(base + spec["end_ms"] * 1_000_000)


def send_metrics(provider):
    meter = provider.get_meter("travel.agent", "1.4.0")
    meter.create_counter("trips.planned", unit="{trip}").add(3, {"city": "Zürich"})
    tokens = meter.create_histogram("gen_ai.client.token.usage", unit="{token}")
    for kind, count in (("input", 1017), ("output", 213)):
        tokens.record(count, {"gen_ai.token.type": kind, "gen_ai.response.model": "gpt-4o-mini-2024-07-18"})
    meter.create_gauge("queue.depth").set(-0.5)


def send_logs(provider):
    logger = provider.get_logger("travel.agent", "1.4.0")
    usage = {"gen_ai.usage.input_tokens": 1017, "gen_ai.usage.output_tokens": 213, "gen_ai.operation.name": "chat"}
    event = "gen_ai.client.inference.operation.details"
    logger.emit(LogRecord(event_name=event, severity_number=SeverityNumber.INFO, body={"note": "planned"}, attributes=usage))
    logger.emit(LogRecord(severity_number=SeverityNumber.WARN, severity_text="WARN", body="hotel list is old"))


def main():
    out = Path(sys.argv[1])
    scenario = json.loads((Path(__file__).parent / "spans.json").read_text("utf-8"))
    resource = Resource.create(scenario["resource"])
    reports = {"traces": [], "metrics": [], "logs": []}

    traces = TracerProvider(resource=resource)
    traces.add_span_processor(BatchSpanProcessor(recorded(OTLPSpanExporter(), "traces", encode_spans, out, reports)))
    exporter = recorded(OTLPMetricExporter(), "metrics", encode_metrics, out, reports)
    metrics = MeterProvider(resource=resource, metric_readers=[PeriodicExportingMetricReader(exporter)])
    logs = LoggerProvider(resource=resource)
    logs.add_log_record_processor(BatchLogRecordProcessor(recorded(OTLPLogExporter(), "logs", encode_logs, out, reports)))

    send_spans(traces, scenario)
    send_metrics(metrics)
    send_logs(logs)
    for provider in (traces, metrics, logs):
        provider.shutdown()
    print(json.dumps(reports))


main()
