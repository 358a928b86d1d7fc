"""Captured exports and random traces through the real gramtrace, against the oracle: which calls there are, with how many tokens, and that a
plain sum of co2e_g over spans is the sum over calls, each computed once.

    check.py --gramtrace BINARY [--traces N] [--seed N]
"""

import argparse
import os
import random
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "clients"))

import gateway  # noqa: E402
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces  # noqa: E402
from report import Report  # noqa: E402
from sink import Sink  # noqa: E402

import captures  # noqa: E402
import oracle  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT / "tests" / "corpus"
MODELS = [("openai", "gpt-4o-mini"), ("openai", "gpt-4o"), ("anthropic", "claude-haiku-4-5-20251001")]
SCOPES = ["client", "instrumentation", "gateway"]
# The oracle knows this method; 17 digits are exact.
PROCESSOR = "{method: ecologits/0.11.3, significant_digits: 17}"
COUNTS = {"ok", "unknown_model", "no_model"}
SECOND = 1_000_000_000


def make_span(random_, trace_id, number, scope, keys, start, seconds, parent=b""):
    span = traces.ExportTraceServiceRequest().resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.parent_span_id = trace_id, number.to_bytes(8, "big"), parent
    span.start_time_unix_nano = 1_790_000_000 * SECOND + start * SECOND
    span.end_time_unix_nano = span.start_time_unix_nano + seconds * SECOND
    items = list(keys.items())
    random_.shuffle(items)
    for key, held in items:
        pair = span.attributes.add(key=key)
        if isinstance(held, str):
            pair.value.string_value = held
        else:
            pair.value.int_value = held
    return scope, span


def make_trace(random_, trace_id):
    """Calls that do not overlap where their totals are equal, below an agent that repeats the sum."""
    spans, number, start, total = [], 1, 0, [0, 0]
    for index in range(random_.randint(1, 8)):
        provider, model = random_.choice(MODELS)
        usage = random_.randint(1, 5000), random_.randint(1, 800)
        total = [total[0] + usage[0], total[1] + usage[1]]
        seconds, parent = random_.randint(1, 30), (1).to_bytes(8, "big")
        keys = {
            "gen_ai.operation.name": random_.choice(["chat", "generate_content", "text_completion"]),
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": usage[0],
            "gen_ai.usage.output_tokens": usage[1],
        }
        # Reports of one call agree in everything; some know the id that the model server gave.
        for scope in random_.sample(SCOPES, random_.randint(1, 3)):
            number += 1
            told = {"gen_ai.response.id": f"response-{index}"} if random_.random() < 0.5 else {}
            spans.append(make_span(random_, trace_id, number, scope, keys | told, start, seconds, parent))
            parent = number.to_bytes(8, "big")
        start += random_.choice([0, 5, 31])
    agent = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.usage.input_tokens": total[0],
        "gen_ai.usage.output_tokens": total[1],
    }
    spans.append(make_span(random_, trace_id, 1, "agent", agent, 0, 1000))
    return spans


def requests_of(random_, spans):
    """The spans in any order, cut into any number of requests."""
    spans = spans[:]
    random_.shuffle(spans)
    while spans:
        size = random_.randint(1, len(spans))
        request = traces.ExportTraceServiceRequest()
        for scope, span in spans[:size]:
            scope_spans = request.resource_spans.add().scope_spans.add()
            scope_spans.scope.name = scope
            scope_spans.spans.add().CopyFrom(span)
        yield request
        spans = spans[size:]


def send(port, body, kind="application/x-protobuf"):
    message = urllib.request.Request(f"http://127.0.0.1:{port}/v1/traces", body, {"Content-Type": kind})
    with urllib.request.urlopen(message, timeout=30) as answer:
        assert answer.status == 200


def arrived_spans(sink):
    return [
        span
        for _, message in sink.take(5)
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def problems_of(spans, arrived, method):
    calls = oracle.calls(spans)
    keys = {span.span_id: oracle.attributes(span) for span in arrived}
    counted = {span_id for span_id, held in keys.items() if held.get("gramtrace.status") in COUNTS}
    expected = [{report.span.span_id for report in call} for call in calls]
    if len(arrived) != len(spans):
        yield f"{len(spans)} spans were sent and {len(arrived)} arrived"
    for group in expected:
        if len(group & counted) != 1:
            yield f"{len(group & counted)} of the {len(group)} reports of one call count"
    if extra := counted - set().union(*expected):
        yield f"{len(extra)} spans count that report no call"
    for total, key in ((0, "gramtrace.tokens.input"), (1, "gramtrace.tokens.output")):
        truth = sum(call[0].totals[total] for call in calls)
        found = sum(held.get(key, 0) for held in keys.values())
        if truth != found:
            yield f"{key}: {found} instead of {truth}"
    for place, key in enumerate(("gramtrace.co2e_low_g", "gramtrace.co2e_g", "gramtrace.co2e_high_g")):
        truth = sum(co2e_of(call[0], method)[place] for call in calls)
        found = sum(held.get(key, 0.0) for held in keys.values())
        if abs(truth - found) > 1e-9 * truth:
            yield f"{key}: {found!r} instead of {truth!r}"


def co2e_of(report, method):
    seconds = (report.span.end_time_unix_nano - report.span.start_time_unix_nano) / SECOND
    model = report.keys["gen_ai.provider.name"], report.keys["gen_ai.request.model"]
    return method.co2e_g(*model, "USA", report.totals[1], seconds)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--gramtrace", required=True)
    parser.add_argument("--traces", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"the captured exports, and {options.traces} random traces, seed {options.seed}")
    method = oracle.EcoLogits(ROOT / "config" / "factors" / "ecologits")
    random_ = random.Random(options.seed)
    report, sink = Report(("traces", 20)), Sink()
    with tempfile.TemporaryDirectory() as folder:
        hop = gateway.Gateway(os.path.abspath(options.gramtrace), Path(folder), sink, "otlp_grpc", PROCESSOR)
        try:
            claims = []
            for name, requests in captures.sets(CORPUS):
                for _, kind, body in requests:
                    send(hop.ports["http"], body, kind)
                claims.append((name, list(captures.problems(CORPUS, name, requests, arrived_spans(sink), method))))
            report.row(["captured"], claims)
            claims = []
            for number in range(1, options.traces + 1):
                spans = make_trace(random_, number.to_bytes(16, "big"))
                for request in requests_of(random_, spans):
                    send(hop.ports["http"], request.SerializeToString())
                claims.append((f"trace {number}", list(problems_of(spans, arrived_spans(sink), method))))
            report.row(["random"], claims)
        finally:
            hop.stop()
            sink.close()
    print(report.closing_line(0))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
